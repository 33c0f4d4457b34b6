"""When a deployment that is out is looked at: soon at first, then less and less often."""

from __future__ import annotations

FIRST_S = 0.5
MAX_S = 10.0
JITTER = 0.5


class ProbeTimes:
    """The times of one deployment's probes. `jitter` is in [0, 1)."""

    __slots__ = ("_pause_s", "at")

    def __init__(self) -> None:
        self.at = 0.0
        self._pause_s = 0.0

    def out(self, now: float, jitter: float) -> None:
        """It has gone out; nothing changes if it was out already."""
        if self._pause_s == 0.0:
            self._next(now, jitter)

    def probed(self, now: float, jitter: float) -> None:
        """One was sent; the next one is later, whatever comes of it: that a server lists its models
        does not mean that they answer."""
        self._next(now, jitter)

    def answered(self) -> None:
        """It has answered a request, so it is well."""
        self._pause_s = 0.0

    def _next(self, now: float, jitter: float) -> None:
        self._pause_s = min(MAX_S, 2 * self._pause_s) or FIRST_S
        self.at = now + self._pause_s * (1.0 - JITTER * jitter)
