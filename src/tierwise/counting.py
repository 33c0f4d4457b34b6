"""How many tokens a request would take: counted as routing counts, and no provider is asked.

Each count is what its dialect's clients are told, from the body of a request in it.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.analysis import measure
from tierwise.errors import InvalidRequest
from tierwise.wire.dialect import dialect_named
from tierwise.wire.openai_chat import field_names, given, with_fields
from tierwise.wire.translate import task_of
from tierwise.wire.unreadable import UNREADABLE


class _GoogleAsked(Struct):
    generateContentRequest: Raw = Raw(b"")


_decode_google = msgspec.json.Decoder(_GoogleAsked).decode


def count_anthropic(body: bytes) -> dict[str, int]:
    """https://docs.anthropic.com/en/api/messages-count-tokens

    Raises:
        InvalidRequest: the body is wrong, here and below.
    """
    if "max_tokens" not in _names(body):
        body = with_fields(body, {"max_tokens": b"1"})  # answers must have it, counts may not
    return {"input_tokens": _count("anthropic", body)}


def count_responses(body: bytes) -> dict[str, str | int]:
    """https://platform.openai.com/docs/api-reference/responses/input-tokens"""
    if "model" not in _names(body):
        body = with_fields(body, {"model": b'"auto"'})
    return {
        "object": "response.input_tokens",
        "input_tokens": _count("openai-responses", body),
    }


def count_gemini(body: bytes) -> dict[str, int]:
    """https://ai.google.dev/api/tokens"""
    try:
        inner = _decode_google(body).generateContentRequest
    except UNREADABLE:
        inner = Raw(b"")
    if given(inner):
        body = bytes(inner)
    return {"totalTokens": _count("gemini", body)}


def _count(dialect: str, body: bytes) -> int:
    task = task_of(dialect_named(dialect).read_request(body), body)
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
