"""How many calls at a time a deployment takes, found out where nobody says.

Additive increase, multiplicative decrease as in TCP (D.-M. Chiu, R. Jain, Analysis of the increase
and decrease algorithms, 1989), with latency as a second sign as in TCP Vegas and Netflix's
concurrency-limits (Performance Under Load, 2018): there is no limit until the first sign of one.
"""

from __future__ import annotations

FLOOR = 2.0
"""One call to serve and one to find out: a limit never falls below, so nobody is starved."""
CUT = 0.7
"""What a 429 or a timeout leaves of the limit."""
MOST = 10_000.0
GOOD = 0.5
"""The limit is raised while calls are less than so late, where 1 is slow (`Pace.saw`)."""


class AdaptiveLimit:
    """The limit of one deployment; infinite until something says that there is one."""

    __slots__ = ("_cut_at", "limit")

    def __init__(self) -> None:
        self.limit = float("inf")
        self._cut_at = float("-inf")

    def overloaded(self, now: float, in_flight: int, usual_s: float) -> float:
        """A call was turned away or timed out; the limit now.

        Args:
            in_flight: calls that were running, this one too.
            usual_s: how long a call takes. One cut in that time: those that were on their way
                together fail together, and say one thing.
        """
        if now - self._cut_at >= usual_s:
            self._cut_at = now
            self.limit = max(FLOOR, CUT * min(self.limit, float(in_flight)))
        return self.limit

    def answered(self, in_flight: int, late: float) -> float:
        """A call was answered while so many were running, itself too; the limit now.

        Args:
            late: as in `Pace.saw`.
        """
        # What is not used up says nothing about what there is room for.
        if self.limit < MOST and 2 * in_flight >= self.limit and late <= GOOD:
            self.limit = min(MOST, self.limit + 1.0 / self.limit)
        return self.limit
