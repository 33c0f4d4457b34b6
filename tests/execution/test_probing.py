"""Probes: bought where they are worth it, billed whatever comes of them, never in the way."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

import pytest

from builders import a_candidate, a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory, text_of
from tierwise.execution.asking import Addressed, Inquiry
from tierwise.gates.judge import JudgeProbe
from tierwise.gates.probe import Question
from tierwise.state.limits import Limiter
from tierwise.types import Attempt, Candidate, Deployment, Limits, Plan, Tier, Timeouts
from upstream import HANGS, Reply, fails, says, streams

SUM = "Ada has 70 shells and finds 2 more. How many shells has she now?"
QUICK = Timeouts(connect=2.0, first_token=0.3, between_tokens=0.3, total=0.3)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def undecided(next_cost_usd: float = 0.03) -> tuple[Candidate, ...]:
    return a_candidate("small", 0.7, 0.0003), a_candidate("large", 0.9, next_cost_usd)


def gated(
    *gates: str, second: str | None = "middle", expected: float | None = None, **plan: Any
) -> Plan:
    tier = Tier(model="small", gates=gates, second=second, expected=expected)
    return a_plan(tier, "large", **plan)


def answers(text: str, stream: bool, model: str = "small") -> Reply:
    return streams(a_stream(text, model=model)) if stream else says(an_answer(text, model=model))


def probes(lab: Laboratory) -> list[Attempt]:
    return [attempt for attempt in lab.run.attempts if attempt.outcome == "probe"]


def sent(lab: Laboratory, model: str, call: int = 0) -> Any:
    return lab.upstreams[model][0].asked[call].json()


@both
async def test_a_second_model_that_differs_sends_the_answer_on(stream: bool) -> None:
    scripts = {
        "small": [answers("72", stream)],
        "middle": [says(an_answer("71", model="middle"))],
        "large": [answers("70", stream, "large")],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        task = a_task(SUM, stream=stream, max_tokens=9)
        assert text_of(await lab.ask(task, gated("picky", "agreement")), stream) == "70"
        assert [(a.model, a.outcome) for a in lab.run.attempts] == [
            ("small", "rejected"), ("middle", "probe"), ("large", "accepted"),
        ]  # fmt: skip
        assert [v.gate for v in lab.run.attempts[0].verdicts] == ["picky", "agreement"]
        asked = sent(lab, "middle")
        assert "stream" not in asked
        assert (asked["max_tokens"], asked["messages"][-1]["content"]) == (9, SUM)


@both
async def test_a_second_model_that_agrees_keeps_the_answer_and_is_billed(stream: bool) -> None:
    scripts = {
        "small": [answers("72", stream)],
        "middle": [says(an_answer("72", model="middle"))],
        "large": [HANGS],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM, stream=stream), gated("agreement"))
        draft, probe = lab.run.attempts
        assert (draft.outcome, probe.outcome) == ("accepted", "probe")
        assert (probe.gate, probe.tier, probe.deployment) == ("agreement", 1, "p0/middle")
        assert probe.cost_usd == pytest.approx((100 * 5 + 50 * 10) / 1e6)
        assert lab.run.cost_usd == pytest.approx(draft.cost_usd + probe.cost_usd)
        assert (lab.run.model, lab.run.usage) == ("small", draft.usage)


@both
async def test_who_stands_in_for_a_tier_is_looked_at_as_the_tier_would_be(stream: bool) -> None:
    scripts = {
        "small": [fails(500)],
        "middle": [[answers("71", stream, "middle"), says(an_answer("71", model="middle"))]],
        "large": [HANGS],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = (*undecided(), a_candidate("middle", 0.75, 0.001))
        plan = gated("agreement", fallbacks=("middle",), listed=1)
        assert text_of(await lab.ask(a_task(SUM, stream=stream), plan), stream) == "71"
        assert [(a.model, a.outcome) for a in lab.run.attempts] == [
            ("small", "server_failed"), ("middle", "accepted"), ("middle", "probe"),
        ]  # fmt: skip


async def test_without_another_model_a_second_sample_is_asked_for_warmly() -> None:
    replies = [says(an_answer("72")), says(an_answer("72"))]
    async with a_laboratory({"small": [replies], "large": [HANGS]}) as lab:
        lab.candidates = undecided()
        task = a_task(SUM, temperature=0, seed=7)
        await lab.ask(task, gated("agreement", second="small"))
        assert [attempt.model for attempt in probes(lab)] == ["small"]
        assert sent(lab, "small", 1)["temperature"] == 0.8
        assert "seed" not in sent(lab, "small", 1)


@pytest.mark.parametrize(
    ("expected", "next_cost_usd", "share"),
    [(0.99, 0.03, 0.1), (None, 0.0005, 0.1), (None, 0.03, 0.0)],
    ids=["sure", "too dear", "over budget"],
)
async def test_a_probe_is_not_bought_where_it_is_not_worth_it(
    expected: float | None, next_cost_usd: float, share: float
) -> None:
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": [HANGS], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided(next_cost_usd)
        await lab.ask(a_task(SUM), gated("agreement", expected=expected, probe_share=share))
        assert lab.calls("middle") == [0]
        assert [attempt.outcome for attempt in lab.run.attempts] == ["accepted"]


async def test_a_probe_that_cannot_change_the_outcome_is_not_bought() -> None:
    async with a_laboratory(
        {"small": [says(an_answer("doubtful"))], "middle": [HANGS], "large": [answers("72", False)]}
    ) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("picky", "agreement"))
        assert lab.calls("middle") == [0]


async def test_the_probe_that_gains_most_is_bought_first() -> None:
    # As good as the judge, and a third of its price.
    scripts = {
        "small": [says(an_answer("72"))],
        "middle": [says(an_answer('{"fault": "none", "grade": 5}', model="middle"))],
        "large": [HANGS],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        plan = gated("judge", "agreement", second="small", judge="middle")
        await lab.ask(a_task(SUM), plan)
        assert [attempt.gate for attempt in probes(lab)][:1] == ["agreement"]


async def test_the_judge_sees_the_answer_and_the_policy_s_rubric() -> None:
    grade = says(an_answer('{"fault": "wrong sum", "grade": 1}', model="middle"))
    async with a_laboratory(
        {"small": [says(an_answer("71"))], "middle": [grade], "large": [answers("72", False)]}
    ) as lab:
        lab.candidates = undecided()
        assert text_of(await lab.ask(a_task(SUM), gated("judge", judge="middle")), False) == "72"
        (verdict,) = lab.run.attempts[0].verdicts
        assert verdict.reason == "the judge gives 1 of 5: wrong sum"
        system, user = sent(lab, "middle")["messages"]
        assert "Also: Be kind." in system["content"]
        assert "71" in user["content"]
        assert (sent(lab, "middle")["temperature"], sent(lab, "middle")["max_tokens"]) == (0.0, 60)


async def test_a_reply_that_says_nothing_is_billed_and_told_of() -> None:
    idle = says(an_answer("I would rather not say.", model="middle"))
    async with a_laboratory(
        {"small": [says(an_answer("71"))], "middle": [idle], "large": [answers("72", False)]}
    ) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("judge", judge="middle"))
        (probe,) = probes(lab)
        assert probe.error == "its reply says nothing of the answer"
        assert probe.cost_usd > 0
        assert lab.run.attempts[0].verdicts == ()


def graded(*grades: int) -> list[Reply]:
    """What the judge says, one grade after the other."""
    return [says(an_answer(f'{{"fault": "none", "grade": {n}}}', model="middle")) for n in grades]


@both
@pytest.mark.parametrize(("second", "kept"), [(4, True), (2, False)])
async def test_a_grade_that_leaves_it_open_is_asked_for_again_in_reverse(
    stream: bool, second: int, kept: bool
) -> None:
    scripts = {
        "small": [answers("72", stream)],
        "middle": [graded(3, second)],
        "large": [answers("70", stream, "large")],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        body = await lab.ask(a_task(SUM, stream=stream), gated("judge", judge="middle"))
        assert text_of(body, stream) == ("72" if kept else "70")
        one, other = (sent(lab, "middle", call)["messages"][0]["content"] for call in (0, 1))
        assert one.index("1 wrong") < one.index("5 right")
        assert other.index("5 right") < other.index("1 wrong")
        (verdict,) = lab.run.attempts[0].verdicts
        assert verdict.p == pytest.approx(0.5 + (0.1125 if kept else -0.1125))
        assert [attempt.gate for attempt in probes(lab)] == ["judge", "judge"]
        paid = sum(attempt.cost_usd for attempt in lab.run.attempts)
        assert lab.run.cost_usd == pytest.approx(paid)
        assert all(attempt.cost_usd > 0 for attempt in probes(lab))


@pytest.mark.parametrize("grade", [1, 5])
async def test_a_clear_grade_is_not_asked_for_again(grade: int) -> None:
    scripts = {
        "small": [says(an_answer("72"))],
        "middle": [graded(grade)],
        "large": [answers("70", False, "large")],
    }
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("judge", judge="middle"))
        assert lab.calls("middle") == [1]


async def test_what_probes_may_spend_holds_for_the_second_grade_too() -> None:
    # 0.05 USD count as spent before the first request, so 0.002 for probes: a grade and a half.
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": [graded(3)], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("judge", judge="middle", probe_share=0.04))
        assert lab.calls("middle") == [1]
        assert [v.p for v in lab.run.attempts[0].verdicts] == [0.5]


async def test_a_second_grade_that_fails_leaves_the_first_as_it_was() -> None:
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": [[*graded(3), fails(500)]], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("judge", judge="middle"))
        assert [v.p for v in lab.run.attempts[0].verdicts] == [0.5]
        assert [bool(attempt.error) for attempt in probes(lab)] == [False, True]


async def test_a_judge_that_reasons_gets_room_and_no_temperature() -> None:
    grade = says(an_answer('{"fault": "none", "grade": 5}', model="large"))
    async with a_laboratory({"small": [says(an_answer("72"))], "large": [grade]}) as lab:
        lab.candidates = undecided(next_cost_usd=0.1)
        await lab.ask(a_task(SUM), gated("judge", judge="large"))
        assert sent(lab, "large")["max_tokens"] > 1000
        assert "temperature" not in sent(lab, "large")


@pytest.mark.parametrize("tells", [True, False])
async def test_a_self_check_reads_how_sure_the_first_token_was(tells: bool) -> None:
    doubt = an_answer("N")
    entry = {"token": "N", "logprob": -0.01, "top_logprobs": []}
    doubt["choices"][0]["logprobs"] = {"content": [entry]}
    replies = [says(an_answer("71")), says(doubt)]
    if not tells:
        replies = [replies[0], fails(400, "logprobs are not supported"), says(an_answer("N"))]
    async with a_laboratory({"small": [replies], "large": [answers("72", False)]}) as lab:
        lab.candidates = undecided(next_cost_usd=0.3)
        await lab.ask(a_task(SUM), gated("self_check"))
        assert sent(lab, "small", 1)["logprobs"] is True
        (verdict,) = lab.run.attempts[0].verdicts
        assert verdict.p == pytest.approx(0.01, abs=0.005) if tells else verdict.p == 0.25
        assert len(probes(lab)) == (1 if tells else 2)
        assert ("p0/small" in lab.calling.telling) == tells


@both
@pytest.mark.parametrize("reply", [fails(500), fails(400), None, HANGS, says({"no": "answer"})])
async def test_a_probe_that_fails_is_no_verdict(reply: Reply | None, stream: bool) -> None:
    scripts = {"small": [answers("72", stream)], "middle": [reply], "large": [HANGS]}
    async with a_laboratory(scripts, timeouts=QUICK) as lab:
        lab.candidates = undecided()
        body = await lab.ask(a_task(SUM, stream=stream), gated("agreement"))
        assert text_of(body, stream) == "72"
        (probe,) = probes(lab)
        assert probe.error
        assert (probe.cost_usd, probe.gate) == (0.0, "agreement")
        assert lab.run.attempts[0].verdicts == ()
        assert lab.run.failures == []
        assert lab.health.states["p0/middle"].in_flight == 0


async def test_a_probe_goes_on_to_the_next_place_of_its_model() -> None:
    places = [fails(500), says(an_answer("72", model="middle"))]
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": places, "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("agreement"))
        assert [(a.deployment, bool(a.error)) for a in probes(lab)] == [
            ("p0/middle", True), ("p1/middle", False),
        ]  # fmt: skip
        assert lab.health.states["p0/middle"].failures_in_row == 1


async def test_a_model_that_nobody_serves_is_not_asked() -> None:
    async with a_laboratory({"small": [says(an_answer("72"))], "large": [HANGS]}) as lab:
        lab.candidates = undecided()
        await lab.ask(a_task(SUM), gated("agreement"))
        assert [attempt.outcome for attempt in lab.run.attempts] == ["accepted"]


async def test_a_probe_leaves_time_for_the_next_tier() -> None:
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": [HANGS], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        task = a_task(SUM, deadline=lab.clock() + 1.0)
        assert text_of(await lab.ask(task, gated("agreement")), False) == "72"
        # It had too little time, which is not its fault.
        assert lab.health.states["p0/middle"].last_error is None


async def test_a_probe_does_not_hold_a_stream_longer_than_the_policy_wants() -> None:
    scripts = {"small": [answers("72", stream=True)], "middle": [HANGS], "large": [HANGS]}
    async with a_laboratory(scripts) as lab:
        lab.candidates = undecided()
        body = await lab.ask(a_task(SUM, stream=True), gated("agreement", hold_s=0.5))
        assert text_of(body, stream=True) == "72"
        # Left before its own patience was at an end.
        assert lab.health.states["p0/middle"].last_error is None


@both
async def test_a_request_that_is_cancelled_ends_its_probes(stream: bool) -> None:
    async with a_laboratory(
        {"small": [answers("72", stream)], "middle": [HANGS], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        asking = asyncio.create_task(lab.ask(a_task(SUM, stream=stream), gated("agreement")))
        middle = lab.upstreams["middle"][0]
        await middle.arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(middle.left.wait(), 5)
        assert [(a.outcome, a.error) for a in lab.run.attempts] == [
            ("cancelled", None), ("probe", "cancelled"),
        ]  # fmt: skip


async def test_the_questions_of_a_probe_are_asked_at_the_same_time() -> None:
    async with a_laboratory({"middle": [HANGS], "large": [HANGS]}) as lab:
        questions = [
            Addressed(Question(who="other"), model, tuple(lab.paths[model]))
            for model in ("middle", "large")
        ]
        inquiry = Inquiry("agreement", 1, lab.begin(a_task(SUM), gated()), inf, [])
        asking = asyncio.create_task(lab.asker.ask(questions, inquiry))
        for model in ("middle", "large"):
            await asyncio.wait_for(lab.upstreams[model][0].arrived.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert len(inquiry.calls) == 2


async def test_the_questions_of_a_probe_keep_to_the_limit_of_their_place() -> None:
    at_once: list[float] = []
    async with a_laboratory({"middle": [says(an_answer("72", model="middle"))]}) as lab:
        place = lab.deployment("middle")
        state = lab.health.states[place.id]
        state.limiter, state.clear = Limiter(Limits(concurrency=1)), False
        started = lab.health.started

        def starts(deployment: Deployment) -> None:
            started(deployment)
            at_once.append(state.in_flight)

        lab.health.started = starts  # type: ignore[assignment, method-assign]
        questions = [Addressed(Question(who="other"), "middle", (place,)) for _ in range(3)]
        inquiry = Inquiry("agreement", 1, lab.begin(a_task(SUM), gated()), inf, [])
        said = [getattr(one, "text", one) for one in await lab.asker.ask(questions, inquiry)]
        assert (said, at_once) == (["72", "72", "72"], [1, 1, 1])
        lab.health.reserve(place)  # somebody else has the only place
        assert await lab.asker.ask(questions, inquiry) == [None, None, None]
        assert len(inquiry.calls) == 3


@pytest.mark.parametrize("part", ["ask", "conclude"])
async def test_a_probe_that_breaks_is_left_out_and_counted(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(JudgeProbe, part, breaks)
    grade = says(an_answer('{"grade": 1}', model="middle"))
    async with a_laboratory(
        {"small": [says(an_answer("72"))], "middle": [grade], "large": [HANGS]}
    ) as lab:
        lab.candidates = undecided()
        body = await lab.ask(a_task(SUM), gated("judge", judge="middle"))
        assert text_of(body, False) == "72"
        assert lab.checker.broken == {"judge": 1}
        assert len(probes(lab)) == (part == "conclude")
