"""Keeps requests away from a deployment that fails or has become slow, and lets it back carefully.

Closed, calls pass. Open, none do. Half-open, one call tries whether it is well again, then a few
at a time. (M. Nygard, Release It!, 2007, section 5.2.)
"""

from __future__ import annotations

from typing import Literal

from tierwise.state.window import WINDOW_S, Window

BreakerState = Literal["closed", "open", "half_open"]

FAILURES_IN_ROW = 3
"""So many failures without an answer between them open a breaker at once."""
MIN_CALLS = 10
"""Below so many calls in the window, shares of them mean nothing."""
FAILED_SHARE = 0.5
SLOW_SHARE = 0.5
OPEN_S = 1.0
"""The first time open, in seconds; it doubles each time up to `MAX_OPEN_S`."""
MAX_OPEN_S = 30.0
JITTER = 0.5
"""Share of the time open that is drawn, so that many gateways do not come back at once."""
RELAPSE_S = 10.0
"""Who fails again so soon after it was let back has not been well."""
TRIALS = 3
"""Good answers in a row that close a half-open breaker."""
TRIAL_S = 2.0
"""A trial that has not come back for so long makes room for another: some calls take minutes,
and some are never heard of again."""

_CALLS, _FAILED, _SLOW = range(3)


class Breaker:
    """The breaker of one deployment. `now` is a time of the monotonic clock, `jitter` in [0, 1).

    An open breaker only says who is to be asked first: those who have nobody else ask all the same
    (`Health.last_resorts`), so that recovery never waits for `until`.
    """

    __slots__ = (
        "_closed_at",
        "_good",
        "_lease",
        "_openings",
        "_room",
        "_trials",
        "_window",
        "closed",
        "failures_in_row",
        "until",
        "why",
    )

    def __init__(self) -> None:
        self.closed = True
        self.failures_in_row = 0
        self.until = 0.0
        self.why = ""
        self._window = Window(3)
        self._closed_at = float("-inf")
        self._openings = 0
        self._good = 0
        self._trials = 0
        self._room = 0
        self._lease = 0.0

    def state(self, now: float) -> BreakerState:
        """What it is now."""
        if self.closed:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether a call may pass now."""
        if self.closed:
            return True
        return now >= self.until and (self._room > 0 or now >= self._lease)

    def began(self, now: float) -> None:
        """A call begins, allowed or as a last resort."""
        if self.closed:
            return
        self._trials += 1
        if now < self.until:
            return
        if now >= self._lease:
            self._lease = now + TRIAL_S
            self._room = TRIALS if self._good else 1
        self._room -= 1

    def succeeded(self, now: float, *, slow: bool = False, jitter: float = 0.0) -> None:
        """A call gave an answer, be it later than usual."""
        if not self.closed:
            self._passed(now, slow=slow, jitter=jitter)
            return
        self.failures_in_row = 0
        self._window.add(_CALLS, now)
        if not slow:
            return
        self._window.add(_SLOW, now)
        calls, _, slow_calls = self._window.totals(now)
        if calls >= MIN_CALLS and slow_calls >= SLOW_SHARE * calls:
            self.open(now, jitter, f"{slow_calls} of {calls} calls in {WINDOW_S:.0f} s were slow")

    def failed(self, now: float, jitter: float = 0.0) -> None:
        """A call failed for a reason that is the deployment's."""
        self.failures_in_row += 1
        if not self.closed:
            # Calls that began before it opened come to their end too, and say nothing new.
            if self._trials > 0:
                self.open(now, jitter, self.why)
            return
        self._window.add(_CALLS, now)
        self._window.add(_FAILED, now)
        calls, failed, _ = self._window.totals(now)
        if self.failures_in_row >= FAILURES_IN_ROW:
            self.open(now, jitter, f"{self.failures_in_row} failures in a row")
        elif calls >= MIN_CALLS and failed >= FAILED_SHARE * calls:
            self.open(now, jitter, f"{failed} of {calls} calls in {WINDOW_S:.0f} s failed")

    def open(self, now: float, jitter: float, why: str) -> None:
        """Keeps calls away for a while; for longer each time that it was let back too early."""
        if self.closed and now - self._closed_at > RELAPSE_S:
            self._openings = 0
        self._openings = min(self._openings + 1, 30)
        longest = min(MAX_OPEN_S, OPEN_S * 2.0 ** (self._openings - 1))
        self.closed = False
        self.until = now + longest * (1.0 - JITTER * jitter)
        self.why = why
        self._good = self._trials = self._room = 0
        self._lease = 0.0

    def try_now(self, now: float) -> None:
        """Something else says that it may be well again: the next call may try at once."""
        if not self.closed:
            self.until = min(self.until, now)

    def seen(self, now: float) -> tuple[int, int]:
        """Calls in the window, and how many of them failed."""
        calls, failed, _ = self._window.totals(now)
        return calls, failed

    def _passed(self, now: float, *, slow: bool, jitter: float) -> None:
        """An answer while it is not closed, of a trial, of a last resort or of an older call."""
        self._trials = max(0, self._trials - 1)
        if slow:
            self.open(now, jitter, self.why)
            return
        self.failures_in_row = 0
        self._good += 1
        if self._good >= TRIALS:
            self.closed = True
            self._closed_at = now
            self._window.clear()
        else:
            self.until = min(self.until, now)
            self._lease, self._room = now + TRIAL_S, TRIALS
