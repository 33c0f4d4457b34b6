"""A second call when the first is slower than usual, and what becomes of the one that is late."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from builders import a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory
from tierwise.errors import AllPathsFailed, ServerFailed
from tierwise.execution import Run
from tierwise.execution.hedge import Hedge
from tierwise.execution.paths import Step
from tierwise.state.limits import Limiter
from tierwise.types import Deployment, Limits, Tier, Timeouts
from upstream import HANGS, Reply, Upstream, fails, says, streams

USUAL_S = 0.05
PATIENCE_S = 10.0
SLOW = Timeouts(connect=2.0, first_token=0.4, between_tokens=0.4, total=0.4)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answers(stream: bool, model: str = "small") -> Reply:
    return streams(a_stream(model=model)) if stream else says(an_answer(model=model))


def usual(lab: Laboratory) -> None:
    """Both places of the small model have answered within `USUAL_S` so far; the first is first."""
    for number, deployment in enumerate(lab.paths["small"]):
        for _ in range(40):
            lab.health.succeeded(deployment, USUAL_S + number / 1000, USUAL_S + number / 1000)


async def gone(upstream: Upstream) -> None:
    """Waits until the call to an upstream has been ended."""
    async with asyncio.timeout(PATIENCE_S):
        await upstream.left.wait()


async def ask(lab: Laboratory, stream: bool, *, hedge: bool = True) -> bytes:
    usual(lab)
    return await lab.ask(a_task(stream=stream), a_plan("small", hedge=hedge))


def outcomes(lab: Laboratory) -> list[tuple[str, str]]:
    return sorted((attempt.deployment, attempt.outcome) for attempt in lab.run.attempts)


@both
async def test_whoever_is_heard_first_answers_and_the_other_is_ended(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}) as lab:
        assert b"Paris" in await ask(lab, stream)
        assert outcomes(lab) == [("p0/small", "cancelled"), ("p1/small", "accepted")]
        assert lab.run.failures == []
        await gone(lab.upstreams["small"][0])


@both
async def test_the_one_that_is_late_is_billed_for_what_it_was_asked(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}) as lab:
        await ask(lab, stream)
        late = next(a for a in lab.run.attempts if a.outcome == "cancelled")
        assert late.estimated
        assert late.usage is not None
        assert late.usage.input_tokens == lab.run.decision.profile.input_tokens
        assert late.cost_usd == pytest.approx(late.usage.input_tokens * 1e-6)
        assert lab.run.cost_usd > late.cost_usd


@both
async def test_a_quick_answer_is_asked_for_once(stream: bool) -> None:
    async with a_laboratory({"small": [answers(stream), answers(stream)]}) as lab:
        for _ in range(3):
            await ask(lab, stream)
        assert sum(lab.calls("small")) == 3


@both
async def test_a_second_call_is_a_failover_and_within_the_budget_of_those(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}, timeouts=SLOW) as lab:
        usual(lab)
        second = lab.paths["small"][1]
        lab.health.failed(second, ServerFailed("x"))
        while lab.health.may_fail_over(second):
            pass
        with pytest.raises(AllPathsFailed):
            await ask(lab, stream)
        assert lab.calls("small") == [1, 0]


@both
async def test_a_policy_that_allows_no_second_call_waits(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}, timeouts=SLOW) as lab:
        assert b"Paris" in await ask(lab, stream, hedge=False)
        assert outcomes(lab) == [("p0/small", "timeout"), ("p1/small", "accepted")]


@both
async def test_before_anything_is_usual_nobody_is_hedged(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}, timeouts=SLOW) as lab:
        await lab.ask(a_task(stream=stream), a_plan("small", hedge=True))
        assert "cancelled" not in [outcome for _, outcome in outcomes(lab)]


@both
async def test_a_first_call_that_fails_leaves_the_answer_to_the_second(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, answers(stream)]}, timeouts=SLOW) as lab:
        lab.health.drain(lab.paths["small"][1])
        asking = asyncio.create_task(ask(lab, stream))
        await asyncio.sleep(2 * USUAL_S)
        lab.health.restore(lab.paths["small"][1])
        assert b"Paris" in await asking
        assert outcomes(lab) == [("p0/small", "timeout"), ("p1/small", "accepted")]


@both
async def test_where_both_fail_the_client_learns_both_reasons(stream: bool) -> None:
    scripts = {"small": [HANGS, fails(500, "on fire")]}
    async with a_laboratory(scripts, timeouts=SLOW) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await ask(lab, stream)
        assert {reason.split(":")[0] for reason in caught.value.failures} == {
            "p0/small", "p1/small",
        }  # fmt: skip


@both
async def test_a_caller_who_leaves_ends_both(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(6 * USUAL_S):
                await ask(lab, stream)
        for upstream in lab.upstreams["small"]:
            await gone(upstream)


async def test_requests_that_come_at_the_same_moment_do_not_get_one_place_twice() -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        usual(lab)
        for state in lab.health.states.values():
            state.limiter, state.clear = Limiter(Limits(concurrency=1)), False
        runs = [lab.begin(a_task(), a_plan("small", hedge=True)) for _ in range(3)]
        asking = [asyncio.create_task(lab.executor.whole(run)) for run in runs]
        await asyncio.sleep(2 * USUAL_S)
        assert lab.calls("small") == [1, 1]
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        assert [state.in_flight for state in lab.health.states.values()] == [0, 0]


async def test_a_call_that_is_ended_before_it_begins_gives_its_place_back() -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        usual(lab)
        lab.health.states["p0/small"].limiter = Limiter(Limits(concurrency=1))
        freed: list[str] = []
        lab.health.freed = freed.append
        run = lab.begin(a_task(), a_plan("small", hedge=True))
        asking = asyncio.ensure_future(lab.executor.whole(run))
        asyncio.get_running_loop().call_soon(asking.cancel)  # as its call is about to begin
        await asyncio.wait([asking])
        await asyncio.sleep(0)
        assert sum(lab.calls("small")) == 0
        assert freed == ["small"]
        assert lab.health.admits(lab.deployment("small"))


class Together:
    """Answers all calls at the same moment; keeps what is let go of."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[str] = []
        self.discarded: list[object] = []
        self._all = asyncio.Event()

    async def ask(self, deployment: Deployment, _: Step, __: Run) -> Any:
        self.asked.append(deployment.id)
        if len(self.asked) == self.most:
            self._all.set()
        await self._all.wait()
        return deployment.id

    def discard(self, answer: object, _: Run) -> None:
        self.discarded.append(answer)


async def hedged(lab: Laboratory, calls: Together, course: object = None) -> object:
    usual(lab)
    run = lab.begin(a_task(), a_plan("small", hedge=True))
    run.course = course  # type: ignore[assignment]
    step = Step(Tier(model="small"), 1, gated=False)
    hedge = Hedge(calls, lab.health)  # type: ignore[arg-type]
    return await hedge.ask(calls.ask, lab.paths["small"][0], step, run)


async def test_of_two_that_answer_at_the_same_moment_one_is_let_go_of() -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        calls = Together(2)
        answer = await hedged(lab, calls)
        assert [*calls.discarded, answer] in (calls.asked, calls.asked[::-1])


async def test_where_answers_are_weighed_one_after_the_other_there_is_no_second_call() -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        calls = Together(2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(6 * USUAL_S):
                await hedged(lab, calls, course=object())
        assert calls.asked == ["p0/small"]


async def test_a_caller_who_leaves_as_a_stream_begins_gives_its_place_back() -> None:
    async with a_laboratory({"small": [streams([*a_stream()[:1], None, *a_stream()[1:]])]}) as lab:
        usual(lab)
        run = lab.begin(a_task(stream=True), a_plan("small", hedge=True))
        step = Step(Tier(model="small"), 1, gated=False)
        asking: asyncio.Task[Any]

        async def ask(*given: Any) -> Any:
            answer = await lab.calling.stream(*given)
            asking.cancel()  # it leaves when the answer is there and nobody has taken it yet
            return answer

        hedge = Hedge(lab.calling, lab.health)
        asking = asyncio.create_task(hedge.ask(ask, lab.deployment("small"), step, run))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([asking])
        assert asking.cancelled()
        assert lab.health.states["p0/small"].in_flight == 0
        assert [one.outcome for one in run.attempts] == ["cancelled"]
        await gone(lab.upstreams["small"][0])


class Stubborn(Together):
    """Answers the second call at once; the first takes its time to end."""

    def __init__(self) -> None:
        super().__init__(2)
        self.ending, self.ends = asyncio.Event(), asyncio.Event()

    async def ask(self, deployment: Deployment, _: Step, __: Run) -> Any:
        self.asked.append(deployment.id)
        if len(self.asked) == 2:
            return deployment.id
        try:
            await asyncio.Event().wait()
        finally:
            self.ending.set()
            while not self.ends.is_set():  # however often it is told
                with suppress(asyncio.CancelledError):
                    await self.ends.wait()


async def test_a_caller_who_leaves_twice_leaves_no_answer_behind() -> None:
    async with a_laboratory({"small": [HANGS, HANGS]}) as lab:
        calls = Stubborn()
        asking = asyncio.create_task(hedged(lab, calls))
        await asyncio.wait_for(calls.ending.wait(), PATIENCE_S)
        for _ in range(2):
            asking.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.wait([asking], timeout=PATIENCE_S)
        left, let_go = asking.cancelled(), [*calls.discarded]
        calls.ends.set()  # so that nothing waits for it if this fails
        assert left
        assert let_go == [calls.asked[1]]
