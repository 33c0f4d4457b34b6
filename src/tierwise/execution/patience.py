"""Waiting for a path to come back, where nobody else is left to ask and the wait is worth it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tierwise.errors import OutOfService
from tierwise.execution.paths import everywhere
from tierwise.execution.run import Run
from tierwise.state.health import Health

MOST_WAITING = 1000
"""Requests that may wait at a time: in a long outage the others had better hear of it at once."""
FIRST_S = 0.1
"""The first wait for a path of which nobody knows when it comes back; doubles with each further
one (exponential backoff with full jitter, AWS Architecture Blog, 2015)."""


class Patience:
    """Decides whether a request waits, and for how long.

    Args:
        random: gives numbers in [0, 1), so that those who wait do not all come back at once.
    """

    def __init__(self, health: Health, random: Callable[[], float]) -> None:
        self._health = health
        self._random = random
        self._waiting = 0

    async def wait(self, run: Run, turn: int) -> bool:
        """Waits until a path may be open again; False if that takes longer than the plan allows.

        Args:
            turn: how often this request has waited before.
        """
        wait = self._wait_s(run, turn)
        if wait is None or self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(wait)
        finally:
            self._waiting -= 1
        return True

    def _wait_s(self, run: Run, turn: int) -> float | None:
        patience = run.decision.plan.wait_s
        places = everywhere(run)
        if not places or patience <= 0 or run.out_of_time:
            return None
        failed = {deployment.id: error for deployment, error in run.failures}
        hopeful = [d for d in places if not isinstance(failed.get(d.id), OutOfService)]
        if not hopeful:
            return None  # an operator must act first
        back = self._health.next_return_s(hopeful)
        wait: float = max(back, FIRST_S * 2**turn * (0.5 + self._random() / 2))
        wait += 0.1 * back * self._random()
        now = run.clock()
        until = min(run.started + patience, run.task.deadline)
        return wait if now + wait < until else None
