"""Who may come in: so many requests at a time, a bounded fair queue behind them, and an end to it.

Whoever finds the queue full, or waits in vain, is turned away with 429 and the time after which it
may be worth another try.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

from tierwise.errors import Overloaded
from tierwise.state.queue import FairQueue
from tierwise.types import Priority

_SMOOTHING = 0.05
_LONGEST_S = 60.0
_BETWEEN_S = 0.1
"""From one free place to the next, in seconds, until that was seen."""


class Admission:
    """The door of one process.

    Args:
        most: requests at a time.
        most_waiting: requests that may wait for their turn.
        longest_s: how long one may wait, in seconds.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        most: int,
        most_waiting: int,
        longest_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._longest_s = longest_s
        self._clock = clock
        self._queue: FairQueue[asyncio.Future[bool]] = FairQueue(most_waiting)
        self._left_at: float | None = None
        self._between_s: float | None = None
        self._place = Place(self)
        self.inside = 0
        self.turned_away = 0

    @property
    def most(self) -> int:
        """Requests at a time."""
        return self._most

    def change(self, most: int, most_waiting: int, longest_s: float) -> None:
        """Other bounds from now on; who is inside stays, and who waits has the new room."""
        self._most, self._queue.most, self._longest_s = most, most_waiting, longest_s
        while self._queue and self.inside < most:
            turn = self._queue.pop()
            if not turn.done():
                self.inside += 1
                turn.set_result(True)

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    async def enter(self, priority: Priority, tenant: str, deadline: float) -> Place:
        """A place inside, which must be left again; waits for one where all are taken.

        Args:
            deadline: a point of the clock, in seconds, after which no answer is wanted.

        Raises:
            Overloaded: there is no room, or none became free in time.
        """
        if self.inside < self._most:
            self.inside += 1
        else:
            await self._wait(priority, tenant, deadline)
        return self._place

    def leave(self) -> None:
        """A place is free, and whoever is next has it."""
        now = self._clock()
        if self._left_at is not None and self._queue:
            gap = now - self._left_at
            usual = gap if self._between_s is None else self._between_s
            self._between_s = usual + _SMOOTHING * (gap - usual)
        self._left_at = now
        while self._queue and self.inside <= self._most:
            turn = self._queue.pop()
            if not turn.done():
                turn.set_result(True)
                return
        self.inside -= 1

    async def _wait(self, priority: Priority, tenant: str, deadline: float) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        gone = self._queue.push(turn, priority, tenant)
        if gone is not None and not gone.done():
            gone.set_result(False)
        left = min(self._longest_s, deadline - self._clock())
        try:
            async with asyncio.timeout(left):
                admitted = await turn
        except TimeoutError:
            admitted = turn.done() and not turn.cancelled() and turn.result()
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()  # its turn had come at the very moment
            raise
        finally:
            self._queue.remove(turn, priority, tenant)
        if not admitted:
            self.turned_away += 1
            raise self._overloaded(priority)

    def _overloaded(self, priority: Priority) -> Overloaded:
        wait = (self._queue.ahead_of(priority) + 1) * (self._between_s or _BETWEEN_S)
        return Overloaded(
            f"The gateway is busy: {self.inside} requests are being answered and {self.waiting} "
            "wait. Try again later, or with a higher priority.",
            retry_after=min(_LONGEST_S, max(1.0, wait)),
        )


class Place:
    """A place inside; it is left at the end of the block."""

    __slots__ = ("_admission",)

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._admission.leave()
