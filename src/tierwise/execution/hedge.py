"""A second call when the first is slower than usual; whoever is heard first answers.

The second goes out when the first has taken longer than 19 of 20 calls to its deployment do, so
that it adds at most about one call in twenty (J. Dean, L. A. Barroso, The tail at scale, CACM
56(2), 2013). The one that comes too late is ended; what it was asked is billed all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from tierwise.execution.calls import Ask, Calls, Given
from tierwise.execution.paths import Step
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Deployment


class Hedge:
    """Asks for requests whose policy allows a second call."""

    def __init__(self, calls: Calls, health: Health) -> None:
        self._calls = calls
        self._health = health

    async def ask(self, ask: Ask[Given], deployment: Deployment, step: Step, run: Run) -> Given:
        """As `ask`, with a second deployment of the same model asked if the first is slow.

        Raises:
            UpstreamError: both failed, or the first did before a second was asked.
        """
        wait = self._health.p95_heard_s(deployment)
        # A planner that hears two answers of one model at a time would weigh both.
        if wait is None or run.course is not None:
            return await ask(deployment, step, run)
        calls = {self._begin(ask, deployment, step, run): deployment}
        try:
            done, _ = await asyncio.wait(calls, timeout=wait)
            other = None if done else self._other(deployment, step, run)
            if other is not None:
                calls[self._begin(ask, other, step, run)] = other
            answer = await self._first_of(calls)
            await _end(calls)
        except BaseException:
            for call in calls:  # by itself, as this may be cancelled once more while it waits
                call.add_done_callback(partial(self._let_go, run))
            await _end(calls)
            raise
        for call in calls:
            self._let_go(run, call, answer)
        return answer

    def _begin(
        self, ask: Ask[Given], deployment: Deployment, step: Step, run: Run
    ) -> asyncio.Task[Given]:
        """A call that runs by itself. It begins in the loop's next round; its place is taken now,
        as somebody else may look for one before that."""
        health = self._health
        begun = False
        health.reserve(deployment)

        async def call() -> Given:
            nonlocal begun
            begun = True
            health.unreserve(deployment)
            return await ask(deployment, step, run)

        def over(_: asyncio.Task[Given]) -> None:
            if not begun:  # it was ended before
                health.unreserve(deployment)
                health.freed(deployment.model)

        task = asyncio.create_task(call())
        task.add_done_callback(over)
        return task

    def _other(self, deployment: Deployment, step: Step, run: Run) -> Deployment | None:
        """Another place of the same model that may be asked now."""
        places = self._health.order(run.paths.get(step.tier.model, ()), run.expected_tokens)
        others = (d for d in places if d.id != deployment.id and not run.failed_at(d))
        return next((d for d in others if self._health.may_fail_over(d)), None)

    async def _first_of(self, calls: dict[asyncio.Task[Given], Deployment]) -> Given:
        """The first answer; the error of the last call if there is none."""
        pending = set(calls)
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            answered = [call for call in done if call.exception() is None]
            if answered:
                return answered[0].result()
            if not pending:
                return next(iter(done)).result()

    def _let_go(self, run: Run, call: asyncio.Task[Given], taken: Given | None = None) -> None:
        """Lets go of what a call has answered, if that is not `taken`."""
        if not call.cancelled() and call.exception() is None and call.result() is not taken:
            self._calls.discard(call.result(), run)


async def _end(calls: Iterable[asyncio.Task[Given]]) -> None:
    """Ends what still runs, and waits until it is booked."""
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
