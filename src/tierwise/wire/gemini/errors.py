"""Errors in Google's shape: `{"error": {"code", "message", "status", "details"}}`.

cloud.google.com/apis/design/errors; `google.rpc.RetryInfo` says when to come back,
`google.rpc.BadRequest` names the field, `google.rpc.ErrorInfo` has a word for programs.
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

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."


def render(error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
    """An error as status, body and further headers, as Google's clients read it."""
    if isinstance(error, RequestError):
        waits = error.retry_after if isinstance(error, Overloaded) else None
        body = _body(error.status, error.message, error.param, error.code, waits)
        return error.status, body, _headers(waits)
    if isinstance(error, UpstreamError):
        status = error.status if error.status and error.status >= 400 else 502
        if error.body is not None and _is_googles(error.body):
            return status, error.body, _headers(error.retry_after)
        code = error.code or error.kind
        body = _body(status, error.message, error.param, code, error.retry_after)
        return status, body, _headers(error.retry_after)
    if isinstance(error, AllPathsFailed):
        code = "rate_limit_exceeded" if error.rate_limited else "all_paths_failed"
        body = _body(error.status, str(error), None, code, error.retry_after)
        return error.status, body, _headers(error.retry_after)
    if isinstance(error, DeadlineExceeded):
        body = _body(504, str(error), None, "deadline_exceeded", error.retry_after)
        return 504, body, _headers(error.retry_after)
    return 500, _body(500, "Internal error.", None, "internal_error", None), {}


def event(error: TierwiseError) -> bytes:
    """The event that ends a stream with an error."""
    return b"data: " + sse.one_line(render(error)[1]) + b"\n\n"


def _headers(waits: float | None) -> dict[str, str]:
    return {} if waits is None else retry_after(waits)


def _body(
    status: int, message: str, param: str | None, code: str | None, waits: float | None
) -> bytes:
    details: list[dict[str, object]] = []
    if code is not None:
        reason = {"reason": code.upper(), "domain": "tierwise"}
        details.append({"@type": _TYPE + "ErrorInfo", **reason})
    if param is not None:
        violation = {"field": param, "description": message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if waits is not None:
        delay = f"{max(waits, 1.0):.3f}s"  # as the header has it, nobody is told to come at once
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": delay})
    name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    error = {"code": status, "message": message, "status": name, "details": details}
    return msgspec.json.encode({"error": error})


def _is_googles(body: bytes) -> bool:
    """Whether an error is in this shape already."""
    try:
        seen = msgspec.json.decode(body)
    except UNREADABLE:
        return False
    error = seen.get("error") if isinstance(seen, dict) else None
    return (
        isinstance(error, dict)
        and isinstance(error.get("code"), int)
        and isinstance(error.get("message"), str)
        and isinstance(error.get("status"), str)
    )
