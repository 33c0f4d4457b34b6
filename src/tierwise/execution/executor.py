"""Runs a plan: tiers in order, gates between them, the next path when one fails.

If no later path answers, the client gets the draft that its gates did not like: a doubtful answer
is worth more than none. Only when there is none either, and no path comes back in time, does it
get an error.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic

from msgspec.structs import replace

from tierwise.errors import ContextTooLong, DeadlineExceeded, UpstreamError, UpstreamRejected
from tierwise.execution.calls import Ask, Calls, Given, Streamed, Whole
from tierwise.execution.check import Checker
from tierwise.execution.hedge import Hedge
from tierwise.execution.paths import Step, all_failed, everywhere, in_order
from tierwise.execution.patience import Patience
from tierwise.execution.rooms import Rooms
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Deployment

if TYPE_CHECKING:
    from tierwise.execution.course import Courses


@dataclass(slots=True)
class _Walked(Generic[Given]):
    """How far a request has come.

    `done` are models that need no further try, `answered` those of them that gave an answer.
    `drafts` are answers that gates rejected, by model; `left` is the last one that was left
    half-way.
    """

    done: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    drafts: dict[str, Given] = field(default_factory=dict)
    left: tuple[Step, Deployment] | None = None


class Executor:
    """Executes decisions. `courses` judge answers, where that was learned."""

    def __init__(
        self, calls: Calls, health: Health, checker: Checker, patience: Patience, rooms: Rooms
    ) -> None:
        self._calls = calls
        self._health = health
        self._checker = checker
        self._patience = patience
        self._rooms = rooms
        self._hedge = Hedge(calls, health)
        self.courses: Courses | None = None

    def whole(self, run: Run) -> Awaitable[Whole]:
        """A complete answer.

        Raises:
            AllPathsFailed: nobody answered.
            DeadlineExceeded: the task's time is over.
            UpstreamRejected, ContextTooLong, RequestError: the request itself is at fault.
        """
        return self._walk(self._calls.whole, run)

    def stream(self, run: Run) -> Awaitable[Streamed]:
        """A stream that is ready to be relayed; raises as `whole` does."""
        return self._walk(self._calls.stream, run)

    async def _walk(self, ask: Ask[Given], run: Run) -> Given:
        if self.courses is not None:
            run.course = self.courses.start(run.task, run.decision, self._checker, run.reading)
        if run.decision.plan.hedge:
            ask = partial(self._hedge.ask, ask)
        walked: _Walked[Given] = _Walked()
        turn = 0
        while (answer := await self._round(ask, run, walked)) is None:
            if walked.left is not None and not run.out_of_time:
                # Nobody better is there, so the one that was left half-way is heard to its end.
                step, deployment = walked.left
                with suppress(UpstreamError):
                    return await ask(deployment, replace(step, gated=False), run)
            if not await self._patience.wait(run, turn):
                if run.out_of_time:
                    back = self._health.next_return_s(everywhere(run))
                    raise DeadlineExceeded("the deadline passed", run.reasons(), retry_after=back)
                raise all_failed(run, self._health)
            turn += 1
            run.next_round()
        return answer

    async def _round(self, ask: Ask[Given], run: Run, walked: _Walked[Given]) -> Given | None:
        """Tries the paths one after the other; the answer that is given out, or None."""
        rooms, done = self._rooms, walked.done
        for step, free in in_order(run, self._health, rooms.queued, done, walked.answered):
            deployment = free or await rooms.place(step, run)
            if run.out_of_time:
                break
            if deployment is None:
                continue
            try:
                answer = await ask(deployment, step, run)
            except UpstreamRejected:
                if not walked.drafts:
                    raise
                continue  # somebody could answer, so it is this provider's peculiarity
            except ContextTooLong:
                walked.done.add(step.tier.model)  # its window is the same everywhere
                continue
            except UpstreamError:
                continue
            if answer.attempt is None or answer.attempt.outcome == "accepted":
                return answer
            walked.done.add(step.tier.model)
            walked.answered.add(step.tier.model)
            if answer.attempt.outcome == "abandoned":
                walked.left = step, deployment
            else:
                walked.drafts[step.tier.model] = answer
        if not walked.drafts:
            return None
        draft = walked.drafts[[*walked.drafts][-1] if run.course is None else run.course.best]
        if draft.attempt is not None:
            draft.attempt = run.settled(draft.attempt)
        return draft
