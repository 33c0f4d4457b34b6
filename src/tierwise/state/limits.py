"""Requests and tokens a minute and calls at a time: taken before a call, settled after it.

The same for a deployment and for a client's key. The rates are those of a bucket that holds one
minute's allowance and refills continuously, which is how providers count, kept as one number each:
the time at which the bucket would be full again (the generic cell rate algorithm, ITU-T I.371,
2004, annex A).
"""

from __future__ import annotations

from msgspec import Struct

from tierwise.types import Limits

MINUTE_S = 60.0
_ROUNDING_S = 1e-6


class Left(Struct, frozen=True):
    """What may still be asked for now; None where there is no limit."""

    requests: float | None
    tokens: float | None
    calls: int | None


class Limiter:
    """Counts what was asked for against limits. `now` is a time of the monotonic clock.

    Nothing is refused here: ask `wait_s` before a call. What is taken beyond a limit is a debt, and
    the next calls wait for it.
    """

    __slots__ = ("_concurrency", "_requests", "_tokens", "running")

    def __init__(self, limits: Limits) -> None:
        self._requests = None if limits.rpm is None else _Rate(limits.rpm)
        self._tokens = None if limits.tpm is None else _Rate(limits.tpm)
        self._concurrency = limits.concurrency
        self.running = 0

    def wait_s(self, now: float, tokens: int = 0, usual_s: float = 1.0) -> float:
        """Seconds until a call may begin, if no other does before; 0 if it may now.

        Args:
            tokens: that it is expected to take; more than a minute's allowance counts as that.
            usual_s: how long a call takes. With n running, one of them is over after about an
                n-th of it.
        """
        wait = 0.0
        if self._requests is not None:
            wait = self._requests.wait_s(now, 1)
        if self._tokens is not None:
            wait = max(wait, self._tokens.wait_s(now, tokens))
        if self._concurrency is not None and self.running >= self._concurrency:
            wait = max(wait, usual_s / self.running, _ROUNDING_S)
        return wait

    def take(self, now: float, tokens: int = 0) -> None:
        """A call begins that is expected to take so many tokens."""
        self.running += 1
        if self._requests is not None:
            self._requests.take(now, 1)
        if self._tokens is not None:
            self._tokens.take(now, tokens)

    def settle(self, taken_at: float, expected: int, used: int) -> None:
        """The tokens of a call are known now; the difference is given back, or owed.

        Args:
            taken_at: the time at which they were taken.
        """
        if self._tokens is not None:
            self._tokens.settle(taken_at, expected, used)

    def release(self) -> None:
        """A call is over."""
        if self.running > 0:
            self.running -= 1

    def change(self, limits: Limits, now: float) -> None:
        """Other limits from now on; what was taken stays taken, and what runs is counted."""
        self._requests = _changed(self._requests, limits.rpm, now)
        self._tokens = _changed(self._tokens, limits.tpm, now)
        self._concurrency = limits.concurrency

    def taken(self) -> tuple[float, float]:
        """Requests and tokens that were taken since this was asked last, what was given back left
        out."""
        return (
            0.0 if self._requests is None else self._requests.report(),
            0.0 if self._tokens is None else self._tokens.report(),
        )

    def not_told(self, requests: float, tokens: float) -> None:
        """What `taken` gave has not reached who counts for all; it is given again."""
        if self._requests is not None:
            self._requests.not_told(requests)
        if self._tokens is not None:
            self._tokens.not_told(tokens)

    def full_in_s(self, now: float) -> tuple[float, float]:
        """Seconds until both buckets are full if nothing more is taken. Of a part of the limits it
        is as long as of the whole, if all parts are used alike."""
        return (
            0.0 if self._requests is None else self._requests.full_in_s(now),
            0.0 if self._tokens is None else self._tokens.full_in_s(now),
        )

    def adopt(self, limits: Limits, full_in_s: tuple[float, float], now: float) -> None:
        """Others take of the same limits too, and somebody counts for all.

        Args:
            limits: the part of them that may be taken here from now on.
            full_in_s: seconds until both buckets are full by that count, which has all that was
                taken here until `taken` was asked last.
        """
        self.change(limits, now)
        if self._requests is not None:
            self._requests.owe(full_in_s[0], now)
        if self._tokens is not None:
            self._tokens.owe(full_in_s[1], now)

    def left(self, now: float) -> Left:
        """What may still be asked for, never below 0."""
        calls = self._concurrency
        return Left(
            None if self._requests is None else self._requests.left(now),
            None if self._tokens is None else self._tokens.left(now),
            None if calls is None else max(0, calls - self.running),
        )


class _Rate:
    """Units a minute.

    `_full_at` is when the bucket is full again if nothing more is taken, `_was_full_at` when it
    last became full. `_taken` units were taken since that was last reported.
    """

    __slots__ = ("_full_at", "_most", "_step_s", "_taken", "_was_full_at")

    def __init__(self, per_minute: float) -> None:
        self._most = per_minute
        self._step_s = MINUTE_S / per_minute
        self._full_at = float("-inf")
        self._was_full_at = float("-inf")
        self._taken = 0.0

    def wait_s(self, now: float, units: float) -> float:
        cost = min(units, self._most) * self._step_s
        wait = max(self._full_at, now) + cost - now - MINUTE_S
        return wait if wait > _ROUNDING_S else 0.0

    def take(self, now: float, units: float) -> None:
        if self._full_at <= now:
            self._was_full_at = self._full_at
            self._full_at = now
        self._full_at += units * self._step_s
        self._taken += units

    def settle(self, taken_at: float, expected: float, used: float) -> None:
        # Once the bucket has been full again, whatever was taken before is made good already, and
        # to give it back would be to give it twice.
        if used > expected or taken_at >= self._was_full_at:
            self._full_at += (used - expected) * self._step_s
            self._taken += used - expected

    def report(self) -> float:
        taken, self._taken = self._taken, 0.0
        return taken

    def not_told(self, units: float) -> None:
        self._taken += units

    def full_in_s(self, now: float) -> float:
        return max(0.0, self._full_at - now)

    def owe(self, full_in_s: float, now: float) -> None:
        self._full_at = now + full_in_s + self._taken * self._step_s

    def left(self, now: float) -> float:
        return max(0.0, self._most - self._owed(now))

    def changed(self, per_minute: float, now: float) -> _Rate:
        """Another rate that owes as many units."""
        new = _Rate(per_minute)
        new._was_full_at = self._was_full_at
        new._taken = self._taken
        if self._full_at > now:
            new._full_at = now + self._owed(now) * new._step_s
        return new

    def _owed(self, now: float) -> float:
        return max(0.0, self._full_at - now) / self._step_s


def _changed(rate: _Rate | None, per_minute: float | None, now: float) -> _Rate | None:
    if per_minute is None:
        return None
    return _Rate(per_minute) if rate is None else rate.changed(per_minute, now)
