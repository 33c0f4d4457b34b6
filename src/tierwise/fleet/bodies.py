"""The error bodies that providers send, by status, and what is not an answer at all."""

from __future__ import annotations

import msgspec

_BODIES: dict[int, tuple[str, str, str | None]] = {
    400: ("The request could not be served.", "invalid_request_error", None),
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    402: ("Insufficient credits: add more to go on.", "insufficient_credits", "402"),
    403: ("Your account may not use this model.", "permission_error", "forbidden"),
    404: (
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    408: ("Request timed out.", "timeout", None),
    429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
    502: ("Bad gateway.", "server_error", "bad_gateway"),
    503: ("The engine is currently overloaded, please try again later.", "server_error", None),
    504: ("Gateway timeout.", "server_error", None),
    529: ("Overloaded.", "overloaded_error", "overloaded"),
}

NOT_HTTP = b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n"
HTML = b"<!doctype html><html><title>Welcome</title><body>A captive portal.</body></html>"
BROKEN_EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"conte\n\n'
ERROR_EVENT = (
    b'data: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":"server_error"}}\n\n'
)


def error_body(status: int, message: str | None = None) -> bytes:
    """The body of an error of this status; `message` replaces the usual words."""
    text, kind, code = _BODIES[status]
    error = {"message": message or text, "type": kind, "param": None, "code": code}
    return msgspec.json.encode({"error": error})
