"""Errors in Anthropic's shape: `{"type": "error", "error": {"type", "message"}}`.

The official SDKs choose their exception by the status and show the message; types are those of
platform.claude.com, "Errors".
"""

from __future__ import annotations

import msgspec

from tierwise.errors import (
    AllPathsFailed,
    DeadlineExceeded,
    Overloaded,
    RequestError,
    TierwiseError,
    UpstreamError,
)
from tierwise.wire import sse
from tierwise.wire.retry_after import retry_after
from tierwise.wire.unreadable import UNREADABLE

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(message: str, status: int) -> bytes:
    """The JSON body of an error."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def render(error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
    """An error as status, body and further headers, as a client of the Messages API reads it."""
    headers: dict[str, str] = {}
    if isinstance(error, RequestError):
        if isinstance(error, Overloaded):
            headers = retry_after(error.retry_after)
        return error.status, error_body(error.message, error.status), headers
    if isinstance(error, UpstreamError):
        return _render_upstream(error)
    if isinstance(error, AllPathsFailed):
        return error.status, error_body(str(error), error.status), retry_after(error.retry_after)
    if isinstance(error, DeadlineExceeded):
        return 504, error_body(str(error), 504), retry_after(error.retry_after)
    return 500, error_body("Internal error.", 500), {}


def render_event(error: TierwiseError) -> bytes:
    """The event that ends a stream with an error."""
    _, body, _ = render(error)
    return b"event: error\ndata: %b\n\n" % sse.one_line(body)


def _render_upstream(error: UpstreamError) -> tuple[int, bytes, dict[str, str]]:
    """A provider's own error keeps its status and, where it is of this shape, its body."""
    status = error.status if error.status is not None and error.status >= 400 else 502
    if error.body is not None:
        try:
            seen = msgspec.json.decode(error.body)
        except UNREADABLE:
            seen = None
        said = seen.get("error") if isinstance(seen, dict) and seen.get("type") == "error" else None
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return status, error.body, {}
    return status, error_body(error.message, status), {}
