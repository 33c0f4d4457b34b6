"""The bookkeeping of a rate limit, and the headers that tell a client about it."""

from __future__ import annotations

import email.utils
import math
import time
from collections import deque

from tierwise.fleet.faults import RateLimit

_NO_HONEST_WAIT_S = 1.0
"""What is asked for where waiting will not help: a limit of nothing."""


class Window:
    """Requests of the last `window_s` seconds."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, limit: RateLimit, now: float) -> float | None:
        """Takes one request; None if it is within the limit, else seconds until one is free.

        Args:
            now: a point of the monotonic clock, in seconds.
        """
        while self._taken and self._taken[0] <= now - limit.window_s:
            self._taken.popleft()
        if len(self._taken) < limit.requests:
            self._taken.append(now)
            return None
        if not self._taken:
            return _NO_HONEST_WAIT_S
        return max(0.0, self._taken[0] + limit.window_s - now)

    def headers(self, limit: RateLimit, now: float) -> dict[str, str]:
        """`x-ratelimit-*` as OpenAI sends them with every answer."""
        if not limit.headers:
            return {}
        left = max(0, limit.requests - len(self._taken))
        if self._taken:
            reset = self._taken[0] + limit.window_s - now
        else:
            reset = _wait_asked(limit, _NO_HONEST_WAIT_S)
        return {
            "x-ratelimit-limit-requests": str(limit.requests),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{max(0.0, reset):.3f}s",
        }


def come_back(limit: RateLimit, wait_s: float) -> dict[str, str]:
    """The header that says when to come back, in the form that the limit wants."""
    wait = _wait_asked(limit, wait_s)
    if limit.retry_after == "seconds":
        return {"retry-after": str(math.ceil(wait))}
    if limit.retry_after == "ms":
        return {"retry-after-ms": str(math.ceil(wait * 1000))}
    if limit.retry_after == "date":
        # HTTP dates have whole seconds; rounding up keeps the promise.
        at = math.ceil(time.time() + wait)
        return {"retry-after": email.utils.formatdate(at, usegmt=True)}
    return {}


def _wait_asked(limit: RateLimit, honest_s: float) -> float:
    return honest_s if limit.wait_s is None else limit.wait_s
