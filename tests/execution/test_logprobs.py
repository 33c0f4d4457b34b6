"""Log-probabilities are asked for where a gate reads them, and shown only to who asked for them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from builders import DONE, a_chunk, a_plan, a_stream, a_task, an_answer
from laboratory import a_laboratory
from tierwise.errors import UpstreamRejected
from tierwise.types import Tier
from upstream import Reply, fails, says, streams

GATED = Tier(model="small", gates=("token_confidence",))
PLAN = a_plan(GATED, "large")
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def told(p: float, text: str = "Paris") -> dict[str, Any]:
    top = [{"token": text, "logprob": math.log(p)}, {"token": "Lyon", "logprob": -9.0}]
    return {"content": [{"token": text, "logprob": math.log(p), "top_logprobs": top}]}


def answers(p: float, stream: bool, model: str = "small") -> Reply:
    """An answer with log-probabilities, as a provider sends it that was asked for them."""
    if stream:
        delta = {"index": 0, "delta": {"content": "Paris"}, "logprobs": told(p)}
        events = [a_chunk(choices=[delta], model=model), *a_stream("", model=model)]
        return streams(events)
    answer = an_answer("Paris", model=model)
    answer["choices"][0]["logprobs"] = told(p)
    return says(answer)


@both
async def test_a_tier_whose_gate_reads_them_asks_and_the_client_does_not_see(stream: bool) -> None:
    async with a_laboratory({"small": [answers(0.9, stream)], "large": [fails(500)]}) as lab:
        seen = await lab.ask(a_task(stream=stream), PLAN)
        asked = lab.upstreams["small"][0].asked[0].json()
        assert (asked["logprobs"], asked["top_logprobs"]) == (True, 2)
        assert b"Paris" in seen
        assert b"top_logprobs" not in seen
        assert b"Lyon" not in seen
        (verdict,) = lab.run.attempts[0].verdicts
        assert (verdict.gate, verdict.p) == ("token_confidence", pytest.approx(0.9))
        assert "margin" in verdict.reason


@both
async def test_an_answer_that_its_model_was_not_sure_of_escalates(stream: bool) -> None:
    better = answers(0.9, stream, "large")
    async with a_laboratory({"small": [answers(0.2, stream)], "large": [better]}) as lab:
        await lab.ask(a_task(stream=stream), PLAN)
        assert [a.outcome for a in lab.run.attempts] == ["rejected", "accepted"]
        assert "logprobs" not in lab.upstreams["large"][0].asked[0].json()


@both
async def test_a_caller_who_asked_gets_what_it_asked_for(stream: bool) -> None:
    async with a_laboratory({"small": [answers(0.9, stream)], "large": [fails(500)]}) as lab:
        seen = await lab.ask(a_task(stream=stream, logprobs=True, top_logprobs=1), PLAN)
        assert lab.upstreams["small"][0].asked[0].json()["top_logprobs"] == 1
        assert b"Lyon" in seen
        assert lab.run.attempts[0].verdicts[0].p == pytest.approx(0.9)


@both
@pytest.mark.parametrize("tier", [Tier(model="small", gates=("picky",)), Tier(model="small")])
async def test_where_no_gate_reads_them_nobody_asks(stream: bool, tier: Tier) -> None:
    async with a_laboratory({"small": [answers(0.9, stream)], "large": [fails(500)]}) as lab:
        await lab.ask(a_task(stream=stream), a_plan(tier, "large"))
        assert "logprobs" not in lab.upstreams["small"][0].asked[0].json()


async def test_a_model_that_cannot_tell_is_not_asked() -> None:
    plan = a_plan(Tier(model="large", gates=("token_confidence",)), "small")
    async with a_laboratory({"large": [says(an_answer(model="large"))], "small": [None]}) as lab:
        await lab.ask(a_task(), plan)
        assert "logprobs" not in lab.upstreams["large"][0].asked[0].json()
        assert lab.run.attempts[0].verdicts == ()


@both
@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_deployment_that_refuses_to_tell_is_asked_without_from_then_on(
    stream: bool, status: int
) -> None:
    plain = streams(a_stream("Paris")) if stream else says(an_answer("Paris"))
    script = [fails(status, "you are not allowed to request logprobs"), plain]
    async with a_laboratory({"small": [script], "large": [fails(500)]}) as lab:
        for _ in range(2):
            assert b"Paris" in await lab.ask(a_task(stream=stream), PLAN)
        asked = [json.loads(one.body).get("logprobs") for one in lab.upstreams["small"][0].asked]
        assert asked == [True, None, None]
        assert lab.run.attempts[-1].outcome == "accepted"


async def test_a_request_that_is_at_fault_itself_does_not_end_the_asking() -> None:
    script = [fails(400, "bad field"), fails(400, "bad field"), answers(0.9, stream=False)]
    async with a_laboratory({"small": [script], "large": [fails(500)]}) as lab:
        with pytest.raises(UpstreamRejected, match="bad field"):
            await lab.ask(a_task(), PLAN)
        await lab.ask(a_task(), PLAN)
        assert lab.upstreams["small"][0].asked[-1].json()["logprobs"] is True


async def test_a_stream_without_a_last_blank_line_hides_them_too() -> None:
    last = {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": told(0.9)}
    events = [a_chunk("Paris"), a_chunk(choices=[last]).rstrip(b"\n")]
    async with a_laboratory({"small": [streams(events)], "large": [fails(500)]}) as lab:
        seen = await lab.ask(a_task(stream=True), PLAN)
        assert b"Lyon" not in seen
        assert seen.endswith(DONE)
