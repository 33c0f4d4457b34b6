"""Who takes the place of a model that does not answer, and when waiting for it is better."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from builders import a_decision, a_plan, a_stream, a_task, an_answer, an_attempt
from laboratory import Laboratory, a_laboratory
from tierwise.errors import AllPathsFailed
from tierwise.execution import Run
from tierwise.execution.paths import Step, at_stake, stand_in
from tierwise.types import Candidate, Estimate, Plan, Tier
from upstream import Reply, fails, says, streams

GATED = Tier(model="small", gates=("picky",))
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def candidate(
    model: str, quality: float, cost: float, value: float | None = None, latency: float = 1.0
) -> Candidate:
    estimate = Estimate(
        quality=quality, quality_low=quality, cost_usd=cost, cost_p90_usd=cost, ttft_s=0.1,
        latency_s=latency,
    )  # fmt: skip
    return Candidate(model=model, role="fallback", why="", estimate=estimate, value=value)


def a_run(plan: Plan, *candidates: Candidate, deadline: float = float("inf")) -> Run:
    return Run(a_task(deadline=deadline), a_decision(plan, candidates=candidates), {}, lambda: 0.0)


PLAN = a_plan("small", fallbacks=("cheap", "good", "best"), target=0.8)
CHEAP = candidate("cheap", 0.6, 0.001)
GOOD = candidate("good", 0.85, 0.01)
BEST = candidate("best", 0.95, 0.1)


def test_by_rules_the_cheapest_that_reaches_the_target_stands_in() -> None:
    assert stand_in(a_run(PLAN, CHEAP, GOOD, BEST), {"small"}) == "good"
    assert stand_in(a_run(PLAN, CHEAP, GOOD, BEST), {"small", "good"}) == "best"


def test_where_nobody_reaches_the_target_the_best_stands_in() -> None:
    plan = replace(PLAN, target=0.99)
    assert stand_in(a_run(plan, CHEAP, GOOD, BEST), {"small"}) == "best"


def test_where_values_were_learned_the_highest_stands_in() -> None:
    worth = [candidate("cheap", 0.6, 0.001, 0.59), candidate("best", 0.95, 0.1, 0.4)]
    assert stand_in(a_run(PLAN, *worth), {"small", "good"}) == "cheap"


def test_the_policy_s_own_list_comes_before_all_values() -> None:
    plan = replace(PLAN, listed=1)
    assert stand_in(a_run(plan, CHEAP, GOOD, BEST), {"small"}) == "cheap"
    assert stand_in(a_run(plan, CHEAP, GOOD, BEST), {"small", "cheap"}) == "good"


def test_who_would_be_late_gives_way_to_who_is_in_time() -> None:
    late = candidate("good", 0.85, 0.01, latency=30.0)
    run = a_run(PLAN, CHEAP, late, BEST, deadline=10.0)
    assert stand_in(run, {"small"}) == "best"
    assert stand_in(run, {"small", "cheap", "best"}) == "good"


def test_what_was_spent_counts_against_the_ceiling_of_the_request() -> None:
    run = a_run(replace(PLAN, max_cost_usd=0.05), CHEAP, GOOD, BEST)
    run.cost_usd = 0.045
    assert stand_in(run, {"small"}) == "cheap"
    assert stand_in(run, {"small", "cheap"}) is None


def stake(run: Run, model: str) -> float:
    return at_stake(run, Step(Tier(model=model), 1, False))


def test_at_stake_is_what_whoever_stands_in_is_expected_to_do_worse() -> None:
    assert stake(a_run(a_plan("best", fallbacks=("cheap",)), CHEAP, BEST), "best") == (
        pytest.approx(0.95 - 0.6)
    )


def test_at_stake_is_less_where_the_place_is_wanted_by_others() -> None:
    wanted = replace(BEST, scarcity=0.1)
    assert stake(a_run(a_plan("best", fallbacks=("cheap",)), CHEAP, wanted), "best") == (
        pytest.approx(0.95 - 0.1 - 0.6)
    )


def test_at_stake_is_everything_where_nobody_stands_in() -> None:
    assert stake(a_run(a_plan("best"), BEST), "best") == float("inf")


def test_at_stake_is_no_more_than_what_a_draft_falls_short_of() -> None:
    run = a_run(a_plan("cheap", "best"), CHEAP, BEST)
    run.add(an_attempt(model="cheap", outcome="rejected", p=0.4))
    assert stake(run, "best") == pytest.approx(0.95 - 0.4)


def test_who_has_failed_already_does_not_stand_in_for_what_is_at_stake() -> None:
    run = a_run(a_plan("best", fallbacks=("cheap", "good"), target=0.8), CHEAP, GOOD, BEST)
    assert stake(run, "best") == pytest.approx(0.95 - 0.85)
    run.add(an_attempt(model="good", outcome="failed"))
    assert stake(run, "best") == pytest.approx(0.95 - 0.6)


def answers(text: str, stream: bool, model: str) -> Reply:
    return streams(a_stream(text, model=model)) if stream else says(an_answer(text, model=model))


def called(lab: Laboratory) -> list[tuple[str, str, int]]:
    return [(a.model, a.outcome, a.tier) for a in lab.run.attempts]


@both
async def test_who_stands_in_for_a_gated_tier_is_gated_too(stream: bool) -> None:
    scripts = {
        "small": [fails(500)],
        "middle": [answers("doubtful", stream, "middle")],
        "large": [answers("Paris", stream, "large")],
    }
    plan = a_plan(GATED, "large", fallbacks=("middle",), listed=1)
    async with a_laboratory(scripts) as lab:
        assert b"Paris" in await lab.ask(a_task(stream=stream), plan)
        assert called(lab) == [
            ("small", "server_failed", 1),
            ("middle", "rejected", 3),
            ("large", "accepted", 2),
        ]


@both
async def test_the_next_tier_stands_in_where_it_is_worth_most(stream: bool) -> None:
    scripts = {
        "small": [fails(500)],
        "middle": [answers("doubtful", stream, "middle")],
        "large": [answers("Paris", stream, "large")],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = (
            candidate("middle", 0.6, 0.01, 0.5),
            candidate("large", 0.9, 0.02, 0.8),
        )
        plan = a_plan(GATED, "large", fallbacks=("middle",))
        assert b"Paris" in await lab.ask(a_task(stream=stream), plan)
        assert called(lab) == [("small", "server_failed", 1), ("large", "accepted", 2)]
        assert lab.calls("middle") == [0]


@both
async def test_a_short_limit_is_waited_for_where_nobody_else_is_left(stream: bool) -> None:
    limited = fails(429, retry_after_ms="150")
    async with a_laboratory({"small": [[limited, answers("Paris", stream, "small")]]}) as lab:
        plan = a_plan("small", wait_s=5.0)
        assert b"Paris" in await lab.ask(a_task(stream=stream), plan)
        assert called(lab) == [("small", "rate_limited", 1), ("small", "accepted", 1)]


async def test_moving_comes_before_waiting() -> None:
    scripts = {"small": [fails(429, retry_after="1")], "large": [says(an_answer())]}
    async with a_laboratory(scripts) as lab:
        plan = a_plan("small", fallbacks=("large",), wait_s=5.0)
        await lab.ask(a_task(), plan)
        assert lab.calls("small") == [1]


async def test_a_longer_limit_than_the_policy_s_patience_is_told_at_once() -> None:
    async with a_laboratory({"small": [fails(429, retry_after="30")]}) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await lab.ask(a_task(), a_plan("small", wait_s=5.0))
        assert caught.value.rate_limited
        assert lab.calls("small") == [1]


async def test_what_needs_an_operator_is_not_waited_for() -> None:
    async with a_laboratory({"small": [fails(401)]}) as lab:
        with pytest.raises(AllPathsFailed):
            await lab.ask(a_task(), a_plan("small", wait_s=5.0))
        assert lab.calls("small") == [1]


async def test_a_path_that_comes_back_within_the_patience_answers() -> None:
    async with a_laboratory({"small": [[fails(500), fails(503), says(an_answer())]]}) as lab:
        await lab.ask(a_task(), a_plan("small", wait_s=5.0))
        assert [outcome for _, outcome, _ in called(lab)] == [
            "server_failed", "server_failed", "accepted",
        ]  # fmt: skip


async def test_patience_ends_and_each_reason_is_told_once() -> None:
    async with a_laboratory({"small": [fails(500, "on fire")]}) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await lab.ask(a_task(), a_plan("small", wait_s=0.4))
        assert lab.calls("small")[0] > 1
        assert caught.value.failures == ("p0/small: server_failed: on fire",)


async def test_the_deadline_ends_the_waiting() -> None:
    async with a_laboratory({"small": [fails(500)]}) as lab:
        task = a_task(deadline=lab.clock() + 0.3)
        with pytest.raises(AllPathsFailed):
            await lab.ask(task, a_plan("small", wait_s=60.0))


async def test_a_caller_who_leaves_ends_the_waiting() -> None:
    async with a_laboratory({"small": [fails(500)]}) as lab:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await lab.ask(a_task(), a_plan("small", wait_s=60.0))
