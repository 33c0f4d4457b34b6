"""How long a provider wants to be left alone, in all the ways that they say it.

Sources: RFC 9110, section 10.2.3 (`retry-after`: seconds or a date);
platform.openai.com/docs/guides/rate-limits (`x-ratelimit-*`, durations such as `6m0s`);
docs.anthropic.com/en/api/rate-limits (`anthropic-ratelimit-*`, times of RFC 3339);
google.rpc.RetryInfo in the details of an error (github.com/googleapis/python-genai/issues/1875).
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

_SECONDS = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$")
_CLOCK = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_WAIT_S = 86_400.0
LONGEST_REST_S = 60.0
"""A limit that an answer says is used up is tried again after so long, whatever it says."""
_TOKENS_SHARE = 0.05
"""Of the tokens that must be back before another call is worth a try."""

_LIMITS = (
    ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"),
    *(
        (f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}", f"x-ratelimit-limit-{what}")
        for what in ("requests", "tokens")
    ),
    *(
        (
            f"anthropic-ratelimit-{what}-remaining",
            f"anthropic-ratelimit-{what}-reset",
            f"anthropic-ratelimit-{what}-limit",
        )
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
)
"""The headers of each limit: what is left, when all of it is back, how much that is."""
_REMAINING = frozenset(remaining for remaining, _, _ in _LIMITS)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after` or the limits that are used up.

    Args:
        now: Unix time that dates are counted from; the present unless given.
    """
    now = time.time() if now is None else now
    wait = _asked_for(headers, now)
    if wait is None:
        wait = max((reset for reset, _, _ in _used_up(headers, now)), default=None)
    return None if wait is None else min(max(0.0, wait), LONGEST_WAIT_S)


def rest_after_answer(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until a next call is worth a try, by an answer that says a limit is used up.

    Allowances come back continuously, and what is given is when all of one is back: so the wait is
    until one request, or a twentieth of the tokens, is there again. A `retry-after` beside an
    answer does not count: Anthropic sends one with answers of 200, to callers that may go on.

    Args:
        now: as in `retry_after`.
    """
    if _REMAINING.isdisjoint(headers):
        return None
    now = time.time() if now is None else now
    waits = [
        reset * (_TOKENS_SHARE if "tokens" in name else 1.0 / most if most else 1.0)
        for reset, most, name in _used_up(headers, now)
    ]
    wait = max(waits, default=0.0)
    return min(wait, LONGEST_REST_S) if wait > 0 else None


def retry_info(error: object) -> float | None:
    """Seconds that Google's error object asks to wait, None if it does not.

    None as well if the day's allowance is used up: then seconds are not what is waited for.
    """
    if not isinstance(error, dict) or not isinstance(error.get("details"), list):
        return None
    wait: float | None = None
    for detail in error["details"]:
        if not isinstance(detail, dict):
            continue
        kind = str(detail.get("@type", ""))
        if kind.endswith("google.rpc.QuotaFailure") and "PerDay" in str(detail):
            return None
        if kind.endswith("google.rpc.RetryInfo"):
            wait = _duration(str(detail.get("retryDelay", "")))
    return None if wait is None else min(wait, LONGEST_WAIT_S)


def _asked_for(headers: Mapping[str, str], now: float) -> float | None:
    value = headers.get("retry-after-ms")
    if value and (seconds := _duration(f"{value}ms")) is not None:
        return seconds
    value = headers.get("retry-after")
    if not value:
        return None
    if (seconds := _duration(value)) is not None:
        return seconds
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _used_up(headers: Mapping[str, str], now: float) -> Iterator[tuple[float, float, str]]:
    """Of the limits that are used up: seconds until all is back, how much that is, the name."""
    for remaining, reset, limit in _LIMITS:
        if headers.get(remaining, "").strip() != "0":
            continue
        seconds = _until(headers.get(reset, ""), now)
        if seconds is not None:
            most = headers.get(limit, "").strip()
            yield max(0.0, seconds), float(most) if most.isdecimal() else 0.0, reset


def _until(text: str, now: float) -> float | None:
    """Seconds until a reset: a duration, a Unix time, or a time of RFC 3339."""
    seconds = _duration(text)
    if seconds is not None:
        # OpenRouter gives the time of the reset in Unix milliseconds, others a number of seconds.
        if seconds > 1e11:
            return seconds / 1000 - now
        return seconds - now if seconds > 1e9 else seconds
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # A time without its zone could be anybody's.
    return None if moment.tzinfo is None else moment.timestamp() - now


def _duration(text: str) -> float | None:
    """`2`, `1.5s`, `250ms` or `1m30.5s` in seconds."""
    plain = _SECONDS.match(text)
    if plain:
        return float(plain[1]) * _UNITS[plain[2] or "s"]
    pieces = _CLOCK.findall(text)
    if pieces and "".join(number + unit for number, unit in pieces) == text.strip():
        return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return None
