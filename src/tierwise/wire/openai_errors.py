"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`."""

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
from tierwise.wire.retry_after import retry_after
from tierwise.wire.unreadable import UNREADABLE

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def error_body(
    message: str, *, status: int, param: str | None = None, code: str | None = None
) -> bytes:
    """The JSON body of an error."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "param": param, "code": code}}
    )


def render(error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
    """An error as status, body and extra headers, in the dialect of an OpenAI client."""
    if isinstance(error, RequestError):
        body = error_body(error.message, status=error.status, param=error.param, code=error.code)
        headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
        if isinstance(error, Overloaded):
            headers = retry_after(error.retry_after)
        return error.status, body, headers
    if isinstance(error, UpstreamError):
        return _render_upstream(error)
    if isinstance(error, AllPathsFailed):
        code = "rate_limit_exceeded" if error.rate_limited else "all_paths_failed"
        body = error_body(str(error), status=error.status, code=code)
        return error.status, body, retry_after(error.retry_after)
    if isinstance(error, DeadlineExceeded):
        body = error_body(str(error), status=504, code="deadline_exceeded")
        return 504, body, retry_after(error.retry_after)
    return 500, error_body("Internal error.", status=500, code="internal_error"), {}


def _render_upstream(error: UpstreamError) -> tuple[int, bytes, dict[str, str]]:
    """A provider's own 4xx keeps its status and, where it is JSON of the known shape, its body."""
    status = error.status or 502
    if error.body is not None:
        try:
            seen = msgspec.json.decode(error.body)
        except UNREADABLE:
            seen = None
        said = seen.get("error") if isinstance(seen, dict) else None
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return status, error.body, {}
    code = error.code or error.kind
    return status, error_body(error.message, status=status, param=error.param, code=code), {}
