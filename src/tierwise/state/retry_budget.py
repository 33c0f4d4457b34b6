"""How many failovers a deployment may take from others, as a share of its own traffic.

Without a budget an outage multiplies the load: every request is tried everywhere. The idea is
Finagle's RetryBudget (finagle.github.io/blog/2016/02/08/retry-budgets): each first call deposits a
share of a retry, a small rate is free, and what is not used expires.
"""

from __future__ import annotations

from tierwise.state.window import WINDOW_S, Window

SHARE = 0.2
"""Retries per first call."""
FREE_PER_S = 1.0
"""Retries per second that need no traffic, so that little traffic can fail over too."""

_FIRST, _RETRIES = range(2)


class RetryBudget:
    """The budget of one deployment."""

    __slots__ = ("_window",)

    def __init__(self) -> None:
        self._window = Window(2)

    def deposit(self, now: float) -> None:
        """A request asks here first."""
        self._window.add(_FIRST, now)

    def withdraw(self, now: float) -> bool:
        """Whether a request that has failed elsewhere may ask here too; if so, it is counted."""
        if self.left(now) < 1.0:
            return False
        self._window.add(_RETRIES, now)
        return True

    def count(self, now: float) -> None:
        """A request that has failed elsewhere asks here, whatever is left."""
        self._window.add(_RETRIES, now)

    def left(self, now: float) -> float:
        """Retries that may still be made, never below 0."""
        first, retries = self._window.totals(now)
        return max(0.0, SHARE * first + FREE_PER_S * WINDOW_S - retries)
