"""Errors as responses, in the dialect of whoever asked, with what HTTP wants beside them."""

from __future__ import annotations

import math

from starlette.responses import Response

from tierwise.errors import TierwiseError, WrongMethod
from tierwise.server.speech import Header, Speech


def refusal(error: TierwiseError, speech: Speech) -> tuple[int, bytes, list[Header]]:
    """An error as status, body and headers."""
    status, body, headers = speech.error(error)
    wait = getattr(error, "retry_after", None)
    if wait is not None and status in (402, 429, 503, 529):
        headers.setdefault("retry-after", str(max(1, math.ceil(wait))))
    if status == 401:
        headers.setdefault("www-authenticate", "Bearer")
    if error.decision_id is not None:  # it is in the ledger
        headers["x-request-id"] = headers["x-tierwise-decision-id"] = error.decision_id
        headers["x-tierwise-attempts"] = str(error.attempts)
    if isinstance(error, WrongMethod):
        headers["allow"] = error.allowed
    return status, body, [(name.encode(), value.encode()) for name, value in headers.items()]


def refused(error: TierwiseError, speech: Speech) -> Response:
    """The same for Starlette."""
    status, body, headers = refusal(error, speech)
    response = Response(body, status_code=status, media_type="application/json")
    response.raw_headers.extend(headers)
    return response
