"""`POST /v1/feedback`: how good an answer was, said after it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tierwise.errors import BodyTooLarge, InvalidRequest, NotYourDecision, RequestError
from tierwise.ledger.rating import unknown_decision
from tierwise.orchestrator import Orchestrator
from tierwise.server.body import bounded_body
from tierwise.server.keys import Keys
from tierwise.wire import openai_errors
from tierwise.wire.retry_after import retry_after
from tierwise.wire.unreadable import UNREADABLE

MAX_BODY_BYTES = 64 * 1024
_FIELDS = ("decision_id", "score", "label", "comment")


class FeedbackEndpoint:
    """Reads feedback, checks it, and hands it to the ledger's writer."""

    def __init__(
        self, orchestrator: Orchestrator, keys: Keys, *, refused: Callable[[RequestError], None]
    ) -> None:
        self._orchestrator = orchestrator
        self._keys = keys
        self._refused = refused

    async def post(self, request: Request) -> Response:
        """One opinion: 200 as soon as the ledger has taken it, an error in OpenAI's shape else."""
        try:
            client = self._keys.client(dict(request.scope["headers"]).get(b"authorization"))
            fields = _fields(await _body(request))
            given = await self._orchestrator.feedback(
                fields.get("decision_id"),  # type: ignore[arg-type] # checked there
                score=fields.get("score"),  # type: ignore[arg-type]
                label=fields.get("label"),  # type: ignore[arg-type]
                comment=fields.get("comment"),  # type: ignore[arg-type]
                caller=client.name,
            )
        except NotYourDecision as error:
            # With accounts, what is another's does not exist.
            if client.org is not None:
                return self._answer_refused(unknown_decision(fields["decision_id"]))
            return self._answer_refused(error)
        except RequestError as error:
            return self._answer_refused(error)
        return Response(msgspec.json.encode(given), media_type="application/json")

    def _answer_refused(self, error: RequestError) -> Response:
        self._refused(error)
        status, body, headers = openai_errors.render(error)
        wait = getattr(error, "retry_after", None)
        if wait is not None:
            headers = {**headers, **retry_after(wait)}
        return Response(body, status, headers, media_type="application/json")


async def _body(request: Request) -> bytes:
    try:
        return await bounded_body(request, MAX_BODY_BYTES)
    except BodyTooLarge:
        # Another limit than that of questions, which no configuration raises.
        raise BodyTooLarge(
            f"Feedback may have {MAX_BODY_BYTES:,} bytes. Send a shorter `comment`.",
            param="comment",
        ) from None


def _fields(body: bytes) -> dict[str, object]:
    """The fields of the body.

    Raises:
        InvalidRequest: it is no JSON object, or has a field that would be ignored.
    """
    try:
        fields = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise InvalidRequest(
            f'The body is not valid JSON: {error}. Send {{"decision_id": ..., "score": 1}}.'
        ) from None
    if not isinstance(fields, dict):
        raise InvalidRequest(
            'The body is not a JSON object. Send {"decision_id": ..., "score": 1}.'
        )
    for name in fields:
        if name not in _FIELDS:
            raise InvalidRequest(
                f"`{name[:80]}` is not a field of feedback; it has {', '.join(_FIELDS)}.",
                param=name[:80],
            )
    return fields
