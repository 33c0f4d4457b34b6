"""What a provider's error means: its class, the delay it asks for, its words without secrets.

429 with a delay cools a deployment; 401, 402, 403, 404 and an exhausted quota take it out; a prompt
that is too long wants a larger window; other 4xx are the caller's. Providers disagree about which
status says what, so the words count as well.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers.cooldown import retry_after, retry_info

_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:c?sk[-_]|gsk_)[A-Za-z0-9*._-]{6,}"
    r"|(?:tw-|xai-|hf_|tgp_|fw_|pplx-|nvapi-)[A-Za-z0-9*._-]{16,}|AIza[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)"
    r"|(?i:bearer)\s+[^\s\"']{8,}"
    r"|(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"
)
_PARAMETER = re.compile(
    r"(?<=[?&])((?:(?:api|access|auth)[-_]?)?(?:key|token)|secret|password|signature)="
    r"[^&\s\"'<>]+",
    re.IGNORECASE,
)
_WORD_LIKE = 8
"""A key shorter than this, such as `none` for a local server, is only hidden as a whole word."""

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context length|context window|maximum context|"
    r"maximum prompt length|prompt is too long|too many tokens|input is too long|"
    r"exceeds? the (?:available )?context|exceed context limit|request too large for|"
    r"max_new_tokens` must be <=|max_tokens must be at least 1, got -|input token count",
    re.IGNORECASE,
)
# More than a minute's allowance in one request: waiting would not help.
_OVER_ALLOWANCE = re.compile(r"request too large for", re.IGNORECASE)
# Not just "billing": rate limits are often explained with a link to the billing page.
_OUT_OF_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|billing_(?:hard_limit|not_active)|"
    r"account is not active|credit balance|payment required|out of credits|"
    r"all available credits|spending limit|insufficient (?:balance|credits|funds)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model_decommissioned|invalid_model|invalid model\b|model not exist|"
    r"not a valid model|\bmodel\b.{0,120}(?:does not exist|not found|been decommissioned)",
    re.IGNORECASE,
)
# Groq's word for a tool call of the model's that is none: another model may do better.
_NO_ANSWER = re.compile(r"tool_use_failed")
_BAD_KEY = re.compile(r"(?:incorrect|invalid) api key|api key not valid|invalid_api_key", re.I)
# A router that found nobody for this one request; for others it may.
_NOBODY_FITS = re.compile(
    r"no endpoints found (?:that|matching)|no allowed providers|data policy", re.IGNORECASE
)
_MODERATED = re.compile(r"\bflagged\b|moderation|usage guidelines|content_policy", re.IGNORECASE)
_MAX_MESSAGE = 500


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str] = ()
) -> UpstreamError:
    """The error that an HTTP answer with this status and body is.

    A status of 200 stands for an error that is reported behind one, in a body or in a stream.
    """
    text = redact(_plain(body), secrets)
    message = _message(text) or f"HTTP {status}"
    words = " ".join((message, *_codes(text)))
    if status == 200:
        error = _behind_200(message, words, _codes(text))
        error.param, error.code = _named(text)
        return error
    asked = retry_info(_error_object(text))
    error = _by_status(status, message, words, text.encode() if text else None, waits=asked)
    error.param, error.code = _named(text)
    if isinstance(error, (RateLimited, OutOfService, ServerFailed)):
        error.retry_after = asked if asked is not None else retry_after(headers)
    return error


def _by_status(
    status: int, message: str, words: str, body: bytes | None, waits: float | None = None
) -> UpstreamError:
    if status == 429:
        # Google calls a minute's allowance a quota too, but says when there is more of it.
        if waits is None and _OUT_OF_QUOTA.search(words):
            return OutOfService(message, status=status)
        if _OVER_ALLOWANCE.search(words):
            return ContextTooLong(message, status=400, body=body)
        return RateLimited(message, status=status, body=body)
    if status == 403 and _MODERATED.search(words):
        return UpstreamRejected(message, status=status, body=body)
    if status in (401, 402, 403) or (status == 404 and not _NOBODY_FITS.search(words)):
        return OutOfService(message, status=status)
    if status in (400, 413, 422) and _TOO_LONG.search(words):
        return ContextTooLong(message, status=400, body=body)
    if status == 400 and (_NO_MODEL.search(words) or _BAD_KEY.search(words)):
        return OutOfService(message, status=status)
    if status == 400 and _NO_ANSWER.search(words):
        return ServerFailed(message, status=status)
    if 400 <= status < 500 and status not in (404, 408, 409, 425):
        return UpstreamRejected(message, status=status, body=body)
    if "exceed_context_size" in words:
        return ContextTooLong(message, status=400, body=body)  # llama.cpp says so with a 500
    return ServerFailed(message, status=status)


def _behind_200(message: str, words: str, codes: Sequence[str]) -> UpstreamError:
    """An error in a body or a stream that began with 200; its code may be the true status."""
    for code in codes:
        if len(code) == 3 and code.isdecimal() and 400 <= int(code) < 600:
            return _by_status(int(code), message, words, None)
    if any("rate_limit" in code or code == "insufficient_quota" for code in codes):
        return _by_status(429, message, words, None)
    if _TOO_LONG.search(words):
        return ContextTooLong(message, status=400)
    return ServerFailed(message, status=200)


def _named(text: str) -> tuple[str | None, str | None]:
    """The field that an error names, and its word for programs, where it has them."""
    error = _error_object(text)
    if not isinstance(error, dict):
        return None, None
    param, code = error.get("param"), error.get("code")
    if param is None:
        param = _violated(error.get("details"))
    is_word = isinstance(code, str) and not code.isdecimal()  # others have the status there
    return (param or None) if isinstance(param, str) else None, code if is_word else None


def _violated(details: object) -> object:
    """The first field that Google's details of an error name."""
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("fieldViolations") if isinstance(detail, dict) else None
        for one in violations if isinstance(violations, list) else ():
            if isinstance(one, dict) and one.get("field"):
                return one["field"]
    return None


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without these secrets and anything else that looks like a key or a password."""
    for secret in secrets:
        if not secret:
            continue
        in_json = msgspec.json.encode(secret)[1:-1].decode()
        for form in {secret, in_json, urllib.parse.quote(secret, safe="")}:
            if len(form) >= _WORD_LIKE:
                text = text.replace(form, "[redacted]")
            else:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "[redacted]", text)
    return _PARAMETER.sub(r"\1=[redacted]", _KEYS.sub("[redacted]", text))


def _plain(body: bytes) -> str:
    """The body as text; JSON is written anew, so that no escape can hide a key from `redact`."""
    try:
        return msgspec.json.encode(msgspec.json.decode(body)).decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return body.decode("utf-8", "replace")


def _error_object(text: str) -> object:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    # xAI has the words in `error` and the code beside it; vLLM and Mistral have no `error`.
    return value if isinstance(value.get("error", value), str) else value.get("error", value)


def _message(text: str) -> str:
    error = _error_object(text)
    if isinstance(error, dict):
        said = error.get("message") or error.get("detail") or error.get("error")
        error = said if isinstance(said, str) else text
    return " ".join((error if isinstance(error, str) else text).split())[:_MAX_MESSAGE]


def _codes(text: str) -> list[str]:
    """What an error says of its kind; Groq adds its status."""
    error = _error_object(text)
    if not isinstance(error, dict):
        return []
    names = ("code", "type", "status_code")
    return [str(error[name]) for name in names if error.get(name) is not None]
