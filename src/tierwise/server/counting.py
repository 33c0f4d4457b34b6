"""How many tokens a request would take: counted as routing counts, and no provider is asked.

`POST /v1/messages/count_tokens`, `POST /v1/responses/input_tokens` and Gemini's `:countTokens`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from tierwise.analysis import measure
from tierwise.errors import InvalidRequest
from tierwise.server.body import bounded_body
from tierwise.server.speech import Spoken
from tierwise.server.speeches import Speeches
from tierwise.types import Task
from tierwise.wire.openai_chat import field_names, given, with_fields
from tierwise.wire.translate import task_of
from tierwise.wire.unreadable import UNREADABLE


class _GoogleAsked(Struct):
    generateContentRequest: Raw = Raw(b"")


_decode_google = msgspec.json.Decoder(_GoogleAsked).decode


class CountEndpoint:
    """Counts; without a key nobody comes here."""

    def __init__(self, speeches: Speeches, *, max_body: int) -> None:
        self._speeches = speeches
        self._max_body = max_body

    async def anthropic(self, request: Request) -> Response:
        """https://docs.anthropic.com/en/api/messages-count-tokens"""
        body = await bounded_body(request, self._max_body)
        if "max_tokens" not in _names(body):
            body = with_fields(body, {"max_tokens": b"1"})  # answers must have it, counts may not
        return _json({"input_tokens": _count(_task(self._speeches.anthropic, body))})

    async def responses(self, request: Request) -> Response:
        """https://platform.openai.com/docs/api-reference/responses/input-tokens"""
        body = await bounded_body(request, self._max_body)
        if "model" not in _names(body):
            body = with_fields(body, {"model": b'"auto"'})
        count = _count(_task(self._speeches.responses, body))
        return _json({"object": "response.input_tokens", "input_tokens": count})

    async def gemini(self, request: Request) -> Response:
        """https://ai.google.dev/api/tokens"""
        body = await bounded_body(request, self._max_body)
        try:
            inner = _decode_google(body).generateContentRequest
        except UNREADABLE:
            inner = Raw(b"")
        if given(inner):
            body = bytes(inner)
        return _json({"totalTokens": _count(_task(self._speeches.gemini, body))})


def _task(speech: Spoken, body: bytes) -> Task:
    return task_of(speech.dialect.read_request(body), body)


def _count(task: Task) -> int:
    return measure(task).profile.input_tokens


def _names(body: bytes) -> frozenset[str]:
    """The fields of the body.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    try:
        return frozenset(field_names(body))
    except UNREADABLE as error:
        raise InvalidRequest(f"The body is not a JSON object: {error}.") from None


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
