"""Small models first: drafts are checked, rejected ones escalate, and none is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from builders import DONE, a_chunk, a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory, text_of
from tierwise.errors import InvalidRequest, UpstreamRejected
from tierwise.execution import hold
from tierwise.types import Tier, Timeouts, Usage
from upstream import HANGS, Reply, fails, says, streams

GATED = Tier(model="small", gates=("picky",))
PLAN = a_plan(GATED, "large")
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answers(text: str, stream: bool, model: str) -> Reply:
    return streams(a_stream(text, model=model)) if stream else says(an_answer(text, model=model))


def outcomes(lab: Laboratory) -> list[tuple[str, str, int]]:
    return [(a.deployment, a.outcome, a.tier) for a in lab.run.attempts]


@both
async def test_an_answer_that_passes_its_gates_is_the_answer(stream: bool) -> None:
    async with a_laboratory({"small": [answers("fine", stream, "small")], "large": [HANGS]}) as lab:
        assert text_of(await lab.ask(a_task(stream=stream), PLAN), stream) == "fine"
        assert outcomes(lab) == [("p0/small", "accepted", 1)]
        (verdict,) = lab.run.attempts[0].verdicts
        assert (verdict.gate, verdict.p) == ("picky", 1.0)
        assert (lab.run.status, lab.run.model, lab.run.tier) == ("ok", "small", 1)
        assert lab.calls("large") == [0]


@both
async def test_a_rejected_answer_escalates_to_the_next_tier(stream: bool) -> None:
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")],
            "large": [answers("better", stream, "large")],
        }
    ) as lab:
        assert text_of(await lab.ask(a_task(stream=stream), PLAN), stream) == "better"
        assert outcomes(lab) == [("p0/small", "rejected", 1), ("p0/large", "accepted", 2)]
        assert (lab.run.model, lab.run.tier) == ("large", 2)
        assert lab.run.failures == []


@both
async def test_a_rejected_answer_is_not_asked_for_again_elsewhere(stream: bool) -> None:
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")] * 2,
            "large": [answers("better", stream, "large")],
        }
    ) as lab:
        await lab.ask(a_task(stream=stream), PLAN)
        assert lab.calls("small") == [1, 0]


@both
async def test_the_last_tier_is_not_judged(stream: bool) -> None:
    plan = a_plan(GATED, Tier(model="large", gates=("picky",)))
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")],
            "large": [answers("doubtful-too", stream, "large")],
        }
    ) as lab:
        answer = text_of(await lab.ask(a_task(stream=stream), plan), stream)
        assert answer == "doubtful-too"
        assert outcomes(lab)[1] == ("p0/large", "accepted", 2)


@both
@pytest.mark.parametrize("reply", [fails(500), fails(429, retry_after="9"), None])
async def test_a_rejected_draft_is_better_than_no_answer(stream: bool, reply: Reply | None) -> None:
    async with a_laboratory(
        {"small": [answers("doubtful", stream, "small")], "large": [reply]}
    ) as lab:
        assert text_of(await lab.ask(a_task(stream=stream), PLAN), stream) == "doubtful"
        first, second = outcomes(lab)
        assert first == ("p0/small", "rejected", 1)
        assert second[0] == "p0/large"
        assert (lab.run.status, lab.run.model, lab.run.tier) == ("ok", "small", 1)


@both
async def test_a_draft_gives_way_to_a_fallback_that_answers(stream: bool) -> None:
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")],
            "middle": [fails(500)],
            "large": [answers("better", stream, "large")],
        }
    ) as lab:
        plan = a_plan(GATED, "middle", fallbacks=("large",))
        assert text_of(await lab.ask(a_task(stream=stream), plan), stream) == "better"
        assert [name for name, _, _ in outcomes(lab)] == ["p0/small", "p0/middle", "p0/large"]


@both
async def test_the_later_of_two_drafts_is_returned(stream: bool) -> None:
    plan = a_plan(GATED, Tier(model="middle", gates=("picky",)), "large")
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")],
            "middle": [answers("doubtful-but-larger", stream, "middle")],
            "large": [fails(500)],
        }
    ) as lab:
        answer = text_of(await lab.ask(a_task(stream=stream), plan), stream)
        assert answer == "doubtful-but-larger"
        assert lab.run.model == "middle"


@both
async def test_with_a_draft_in_hand_resting_deployments_are_left_in_peace(stream: bool) -> None:
    async with a_laboratory(
        {"small": [answers("doubtful", stream, "small")], "large": [fails(401)]}
    ) as lab:
        for _ in range(2):
            assert text_of(await lab.ask(a_task(stream=stream), PLAN), stream) == "doubtful"
        assert lab.calls("large") == [1]


@both
async def test_a_draft_is_returned_when_the_deadline_stops_the_escalation(stream: bool) -> None:
    async with a_laboratory(
        {"small": [answers("doubtful", stream, "small")], "large": [HANGS]}
    ) as lab:
        task = a_task(stream=stream, deadline=lab.clock() + 0.5)
        assert text_of(await lab.ask(task, PLAN), stream) == "doubtful"
        assert [outcome for _, outcome, _ in outcomes(lab)] == ["rejected", "timeout"]


@both
async def test_a_draft_outlives_the_peculiarity_of_a_later_provider(stream: bool) -> None:
    async with a_laboratory(
        {"small": [answers("doubtful", stream, "small")], "large": [fails(422, "bad field")]}
    ) as lab:
        assert text_of(await lab.ask(a_task(stream=stream), PLAN), stream) == "doubtful"
        assert [outcome for _, outcome, _ in outcomes(lab)] == ["rejected", "refused"]


@both
async def test_a_request_that_the_first_tier_rejects_is_not_escalated(stream: bool) -> None:
    async with a_laboratory({"small": [fails(422, "bad field")], "large": [HANGS]}) as lab:
        with pytest.raises(UpstreamRejected, match="bad field"):
            await lab.ask(a_task(stream=stream), PLAN)


@both
async def test_a_broken_gate_is_left_out_and_counted(stream: bool) -> None:
    plan = a_plan(Tier(model="small", gates=("broken", "missing", "picky")), "large")
    async with a_laboratory(
        {
            "small": [answers("doubtful", stream, "small")],
            "large": [answers("better", stream, "large")],
        }
    ) as lab:
        assert text_of(await lab.ask(a_task(stream=stream), plan), stream) == "better"
        assert lab.checker.broken == {"broken": 1, "missing": 1}
        assert [verdict.gate for verdict in lab.run.attempts[0].verdicts] == ["picky"]


async def test_if_every_gate_breaks_the_answer_is_accepted() -> None:
    plan = a_plan(Tier(model="small", gates=("broken",)), "large")
    async with a_laboratory({"small": [says(an_answer("fine"))], "large": [HANGS]}) as lab:
        assert text_of(await lab.ask(a_task(), plan), stream=False) == "fine"


@pytest.mark.parametrize(("accept", "expected"), [(0.0, "accepted"), (0.5, "rejected")])
async def test_a_tier_sets_how_sure_its_gates_must_be(accept: float, expected: str) -> None:
    plan = a_plan(Tier(model="small", gates=("picky",), accept=accept), "large")
    async with a_laboratory(
        {"small": [says(an_answer("doubtful"))], "large": [says(an_answer(model="large"))]}
    ) as lab:
        await lab.ask(a_task(), plan)
        assert lab.run.attempts[0].outcome == expected


def a_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


JSON_PLAN = a_plan(Tier(model="small", gates=("complete", "json_schema")), "large")


@both
async def test_an_invalid_schema_is_refused_before_anybody_is_paid(stream: bool) -> None:
    wrong = a_schema({"type": "no such type"})
    async with a_laboratory({"small": [HANGS], "large": [HANGS]}) as lab:
        with pytest.raises(InvalidRequest) as caught:
            await lab.ask(a_task(stream=stream, response_format=wrong), JSON_PLAN)
        assert caught.value.param == "response_format.json_schema.schema"
        assert lab.calls("small") == [0]
        assert lab.health.states["p0/small"].in_flight == 0


@both
async def test_an_answer_that_breaks_its_schema_escalates(stream: bool) -> None:
    wanted = a_schema({"type": "object", "required": ["city"]})
    async with a_laboratory(
        {
            "small": [answers("{}", stream, "small")],
            "large": [answers('{"city":"Paris"}', stream, "large")],
        }
    ) as lab:
        answer = await lab.ask(a_task(stream=stream, response_format=wanted), JSON_PLAN)
        assert json.loads(text_of(answer, stream)) == {"city": "Paris"}
        assert "city" in lab.run.attempts[0].verdicts[1].reason


async def test_an_answer_whose_words_cannot_be_read_escalates_and_is_billed() -> None:
    odd = an_answer()
    odd["choices"][0]["message"]["content"] = 5
    async with a_laboratory(
        {"small": [says(odd)], "large": [says(an_answer(model="large"))]}
    ) as lab:
        await lab.ask(a_task(), PLAN)
        assert [outcome for _, outcome, _ in outcomes(lab)] == ["server_failed", "accepted"]
        assert lab.run.attempts[0].cost_usd > 0
        assert len(lab.run.failures) == 1


async def test_what_gates_say_moves_what_was_expected_up_or_down() -> None:
    both = Tier(model="small", gates=("wary",), accept=0.6, expected=0.9)
    doubted = Tier(model="small", gates=("wary",), accept=0.6, expected=0.5)
    for tier, outcome in ((both, "accepted"), (doubted, "rejected")):
        async with a_laboratory(
            {"small": [says(an_answer("fine"))], "large": [says(an_answer(model="large"))]}
        ) as lab:
            await lab.ask(a_task(), a_plan(tier, "large"))
            first = lab.run.attempts[0]
            assert first.outcome == outcome
            assert first.verdicts[0].p == 0.5
            assert first.p is not None
            assert first.p < tier.expected


# --- holding streams back


async def test_a_judged_stream_is_released_byte_by_byte_as_it_came() -> None:
    events = a_stream("größer und besser")
    task = a_task(stream=True, stream_options={"include_usage": True})
    async with a_laboratory({"small": [streams(events)], "large": [HANGS]}) as lab:
        assert await lab.ask(task, PLAN) == b"".join(events)
        assert lab.run.attempts[0].usage == Usage(input_tokens=100, output_tokens=50)


async def test_nothing_of_a_rejected_stream_is_seen() -> None:
    async with a_laboratory(
        {
            "small": [streams(a_stream("doubtful words"))],
            "large": [streams(a_stream("better", model="large"))],
        }
    ) as lab:
        seen = await lab.ask(a_task(stream=True), PLAN)
        assert b"doubtful" not in seen
        assert b'"small"' not in seen
        assert seen.count(b"[DONE]") == 1


async def test_a_stream_too_long_to_be_held_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "HOLD_BYTES", 1000)
    words = [a_chunk("doubtful ") for _ in range(50)]
    events = [*words, None, a_chunk(finish_reason="stop"), DONE]
    async with a_laboratory({"small": [streams(events)], "large": [HANGS]}) as lab:
        chunks = await lab.open(a_task(stream=True), PLAN)
        assert lab.run.attempts == []
        lab.upstreams["small"][0].go_on.set()
        seen = b"".join([block async for block in chunks])
        assert seen == b"".join(event for event in events if event)
        assert outcomes(lab) == [("p0/small", "accepted", 1)]
        assert lab.health.states["p0/small"].in_flight == 0


IN_TWO = [a_chunk("doubtful "), None, *a_stream("words")]


async def test_a_stream_is_held_until_all_of_it_is_here() -> None:
    better = streams(a_stream("better", model="large"))
    async with a_laboratory({"small": [streams(IN_TWO)], "large": [better]}) as lab:
        lab.on_hold = lab.upstreams["small"][0].go_on.set
        assert text_of(await lab.ask(a_task(stream=True), PLAN), stream=True) == "better"
        assert outcomes(lab)[0] == ("p0/small", "rejected", 1)


async def test_a_stream_that_takes_longer_than_the_policy_waits_is_released() -> None:
    plan = a_plan(GATED, "large", hold_s=0.0)
    task = a_task(stream=True, stream_options={"include_usage": True})
    async with a_laboratory({"small": [streams(IN_TWO)], "large": [HANGS]}) as lab:
        lab.on_hold = lab.upstreams["small"][0].go_on.set
        chunks = await lab.open(task, plan)
        assert lab.run.attempts == []
        seen = b"".join([block async for block in chunks])
        assert seen == b"".join(event for event in IN_TWO if event)
        assert outcomes(lab) == [("p0/small", "accepted", 1)]
        assert lab.health.states["p0/small"].in_flight == 0


async def test_a_stream_that_breaks_while_held_fails_over_unseen() -> None:
    async with a_laboratory(
        {
            "small": [streams(a_stream()[:2], cut=True)],
            "large": [streams(a_stream("better", model="large"))],
        }
    ) as lab:
        seen = await lab.ask(a_task(stream=True), PLAN)
        assert text_of(seen, stream=True) == "better"
        assert outcomes(lab)[0] == ("p0/small", "stream_broken", 1)
        broken = lab.run.attempts[0]
        assert broken.cost_usd > 0
        assert broken.estimated


async def test_a_stream_that_stands_still_while_held_fails_over() -> None:
    quick = Timeouts(first_token=5, between_tokens=0.05, total=5)
    async with a_laboratory(
        {
            "small": [streams(a_stream()[:2], hang=True)],
            "large": [streams(a_stream("better", model="large"))],
        },
        timeouts=quick,
    ) as lab:
        assert text_of(await lab.ask(a_task(stream=True), PLAN), stream=True) == "better"
        assert outcomes(lab)[0] == ("p0/small", "timeout", 1)
        assert lab.run.attempts[0].error == "nothing for 0.05 s in mid-stream"


async def test_a_caller_who_leaves_a_held_stream_is_billed_for_what_it_had_said() -> None:
    holding = asyncio.Event()
    async with a_laboratory(
        {"small": [streams(a_stream()[:2], hang=True)], "large": [HANGS]}
    ) as lab:
        lab.on_hold = holding.set
        asking = asyncio.create_task(lab.ask(a_task(stream=True), PLAN))
        state = lab.health.states["p0/small"]
        await asyncio.wait_for(holding.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(lab.upstreams["small"][0].left.wait(), 5)
        (attempt,) = lab.run.attempts
        assert (attempt.outcome, attempt.estimated) == ("cancelled", True)
        assert attempt.cost_usd > 0
        assert lab.run.cost_usd == attempt.cost_usd
        assert state.in_flight == 0


# --- the first look at a stream

LONG = "word " * 60
START = [a_chunk("doubtful "), *(a_chunk(LONG) for _ in range(40))]
"""More than gates need for a first look, of a stream that stands still after it."""


async def test_a_stream_whose_beginning_is_refused_is_left_there_and_billed() -> None:
    better = streams(a_stream("better", model="large"))
    async with a_laboratory({"small": [streams([*START, None, DONE])], "large": [better]}) as lab:
        plan = a_plan(Tier(model="small", gates=("hasty",)), "large")
        assert text_of(await lab.ask(a_task(stream=True), plan), stream=True) == "better"
        assert outcomes(lab) == [("p0/small", "abandoned", 1), ("p0/large", "accepted", 2)]
        left = lab.run.attempts[0]
        assert (left.estimated, left.verdicts[0].gate) == (True, "hasty")
        assert left.cost_usd > 0
        await asyncio.wait_for(lab.upstreams["small"][0].left.wait(), 5)


async def test_a_stream_left_at_its_beginning_is_heard_to_its_end_if_nobody_else_answers() -> None:
    events = [*START, a_chunk(finish_reason="stop"), DONE]
    async with a_laboratory({"small": [streams(events)], "large": [fails(500)]}) as lab:
        plan = a_plan(Tier(model="small", gates=("hasty",)), "large")
        assert await lab.ask(a_task(stream=True), plan) == b"".join(events)
        assert [outcome for _, outcome, _ in outcomes(lab)] == [
            "abandoned", "server_failed", "accepted",
        ]  # fmt: skip
        assert lab.run.cost_usd == sum(attempt.cost_usd for attempt in lab.run.attempts)


async def test_where_the_beginning_is_enough_a_stream_runs_on_once_it_passes() -> None:
    events = [*(a_chunk(LONG) for _ in range(41)), None, a_chunk(finish_reason="stop"), DONE]
    async with a_laboratory({"small": [streams(events)], "large": [HANGS]}) as lab:
        plan = a_plan(Tier(model="small", gates=("hasty",)), "large", streams="prefix")
        chunks = await lab.open(a_task(stream=True), plan)
        assert lab.run.attempts == []
        lab.upstreams["small"][0].go_on.set()
        assert b"".join([c async for c in chunks]) == b"".join(e for e in events if e)
