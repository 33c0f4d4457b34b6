"""What a provider's error means: its class, the delay it asks for, its words without secrets.

The table is DESIGN's: 429 with a delay cools a deployment, 401/402/403/404 take it out, a prompt
that is too long wants a larger window, other 4xx are the caller's.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping

import msgspec

from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    UpstreamError,
    UpstreamRejected,
)

_KEYS = re.compile(
    r"\b(?:sk|gsk|xai|hf|tgp)[-_][A-Za-z0-9*._-]{6,}|\bAIza[A-Za-z0-9_-]{20,}|"
    r"(?i:bearer)\s+[^\s\"']{8,}"
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|context length|context window|maximum context|"
    r"prompt is too long|too many tokens|input is too long|exceeds? the (?:available )?context",
    re.IGNORECASE,
)
_OUT_OF_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|billing|credit balance|payment required|"
    r"out of credits|insufficient (?:balance|credits|funds)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model", re.IGNORECASE)
_SECONDS = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$")
_CLOCK = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_MESSAGE = 500


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, secret: str | None
) -> UpstreamError:
    """The error that an HTTP answer with this status and body is."""
    clean = redact(body.decode("utf-8", "replace"), secret)
    message = _message(clean) or f"HTTP {status}"
    code = _code(clean)
    raw = clean.encode() if clean else None
    wait = retry_after(headers)
    if status == 429:
        if _OUT_OF_QUOTA.search(clean):
            return OutOfService(message, status=status, retry_after=wait)
        return RateLimited(message, status=status, retry_after=wait, body=raw)
    if status in (401, 402, 403) or (status == 404 and _NO_MODEL.search(clean)):
        return OutOfService(message, status=status)
    if status in (400, 413, 422) and (code == "context_length_exceeded" or _TOO_LONG.search(clean)):
        return ContextTooLong(message, status=400, body=raw)
    if 400 <= status < 500 and status not in (404, 408, 409, 425):
        return UpstreamRejected(message, status=status, body=raw)
    if status == 200:
        return _in_stream(message, code, clean)
    return ServerFailed(message, status=status, retry_after=wait)


def _in_stream(message: str, code: str | None, text: str) -> UpstreamError:
    """An error event inside a stream that began with 200."""
    if code == "context_length_exceeded" or _TOO_LONG.search(text):
        return ContextTooLong(message, status=400)
    if code and ("rate_limit" in code or code == "429"):
        return RateLimited(message, status=429)
    return ServerFailed(message, status=200)


def redact(text: str, secret: str | None = None) -> str:
    """`text` without the deployment's key and anything else that looks like one."""
    if secret:
        text = text.replace(secret, "[redacted]")
    return _KEYS.sub("[redacted]", text)


def _error_object(text: str) -> object:
    try:
        value = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    if isinstance(value, list) and value:
        value = value[0]
    return value.get("error", value) if isinstance(value, dict) else None


def _message(text: str) -> str:
    error = _error_object(text)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or text
    if not isinstance(error, str):
        error = text
    return " ".join(error.split())[:_MAX_MESSAGE]


def _code(text: str) -> str | None:
    error = _error_object(text)
    if isinstance(error, dict):
        code = error.get("code") or error.get("type")
        return str(code) if code is not None else None
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after` or `x-ratelimit-reset-*`."""
    value = headers.get("retry-after-ms")
    if value and (seconds := _seconds(f"{value}ms")) is not None:
        return seconds
    value = headers.get("retry-after")
    if value:
        if (seconds := _seconds(value)) is not None:
            return seconds
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, at.timestamp() - time.time())
    waits = [
        seconds
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0"
        and (seconds := _seconds(headers.get(f"x-ratelimit-reset-{what}", ""))) is not None
    ]
    return max(waits) if waits else None


def _seconds(text: str) -> float | None:
    """`2`, `1.5s`, `250ms` or `1m30.5s` in seconds."""
    plain = _SECONDS.match(text)
    if plain:
        return float(plain[1]) * _UNITS[plain[2] or "s"]
    pieces = _CLOCK.findall(text)
    if pieces and "".join(number + unit for number, unit in pieces) == text.strip():
        return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return None
