"""Limits are asked before a call and settled after it; what an answer says of them is heeded."""

from __future__ import annotations

import asyncio

import pytest

from builders import a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory
from tierwise.errors import AllPathsFailed, ServerFailed
from tierwise.state.limits import Limiter
from tierwise.types import Limits
from upstream import Reply, fails, says, streams

both = pytest.mark.parametrize("stream", [False, True])
USED_UP = {
    "x-ratelimit-limit-requests": "10",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "1m0s",
}


def healthy(stream: bool, model: str = "small", **headers: str) -> Reply:
    reply = streams(a_stream(model=model)) if stream else says(an_answer(model=model))
    reply.headers.update(headers)
    return reply


async def ask(lab: Laboratory, stream: bool) -> bytes:
    return await lab.ask(a_task(stream=stream), a_plan("small", fallbacks=("large",)))


def limit(lab: Laboratory, name: str, **limits: float) -> Limiter:
    """Gives a deployment limits."""
    state = lab.health.states[name]
    state.limiter, state.clear = Limiter(Limits(**limits)), False  # type: ignore[arg-type]
    return state.limiter


@both
async def test_a_deployment_at_its_limit_is_passed_over_without_a_call(stream: bool) -> None:
    async with a_laboratory(
        {"small": [healthy(stream)], "large": [healthy(stream, "large")]}
    ) as lab:
        limit(lab, "p0/small", rpm=1)
        for _ in range(2):
            await ask(lab, stream)
        assert (lab.calls("small"), lab.calls("large")) == ([1], [1])


@pytest.mark.parametrize("hedge", [False, True])
async def test_a_stream_keeps_its_place_until_its_end_though_others_wait_for_it(
    hedge: bool,
) -> None:
    first, *rest = a_stream()
    async with a_laboratory({"small": [streams([first, None, *rest])]}) as lab:
        limiter = limit(lab, "p0/small", concurrency=1, rpm=100)
        upstream = lab.upstreams["small"][0]
        for _ in range(40):
            lab.health.succeeded(lab.deployment("small"), 5.0, 5.0)  # so that there is a p95

        async def read() -> bytes:
            plan = a_plan("small", wait_s=60.0, hedge=hedge)
            run = lab.begin(a_task(stream=True), plan)
            chunks = lab.relay.relay(await lab.executor.stream(run), run, lambda: None)
            return b"".join([block async for block in chunks])

        readers = [asyncio.create_task(read())]
        async with asyncio.timeout(10):
            while not limiter.running:  # noqa: ASYNC110 - what is waited for is no event
                await asyncio.sleep(0)
        readers += [asyncio.create_task(read()) for _ in range(2)]
        await asyncio.sleep(0.2)
        assert (upstream.calls, limiter.running) == (1, 1)
        upstream.go_on.set()
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*readers)
        assert all(b"[DONE]" in one for one in answers)
        left = limiter.left(lab.clock())
        assert (upstream.calls, limiter.running) == (3, 0)
        assert left.requests == pytest.approx(97.0, abs=0.9)


async def test_when_all_are_at_their_limits_the_client_is_told_when_there_is_room() -> None:
    async with a_laboratory({"small": [healthy(False)], "large": [healthy(False)]}) as lab:
        for name in ("p0/small", "p0/large"):
            limit(lab, name, rpm=1)
        for _ in range(2):
            await ask(lab, False)
        with pytest.raises(AllPathsFailed) as caught:
            await ask(lab, False)
        assert caught.value.status == 429
        assert 50 < caught.value.retry_after <= 60
        assert "p0/small: at its limit for" in caught.value.failures[0]


@both
async def test_the_tokens_that_an_answer_took_are_what_counts(stream: bool) -> None:
    async with a_laboratory({"small": [healthy(stream)], "large": []}) as lab:
        limiter = limit(lab, "p0/small", tpm=10_000)
        await ask(lab, stream)
        left = limiter.left(lab.clock()).tokens
        assert left is not None
        assert 9_850 <= left < 9_900, "100 of the prompt and 50 of the answer"


@both
async def test_a_call_that_came_to_nothing_took_no_tokens(stream: bool) -> None:
    async with a_laboratory({"small": [fails(500)], "large": [healthy(stream, "large")]}) as lab:
        limiter = limit(lab, "p0/small", tpm=10_000)
        await ask(lab, stream)
        assert limiter.left(lab.clock()).tokens == pytest.approx(10_000)


@both
async def test_an_answer_that_says_a_limit_is_used_up_keeps_the_next_call_away(
    stream: bool,
) -> None:
    async with a_laboratory(
        {"small": [healthy(stream, **USED_UP)], "large": [healthy(stream, "large")]}
    ) as lab:
        assert b'"small"' in await ask(lab, stream)
        assert b'"large"' in await ask(lab, stream)
        assert lab.health.next_return_s([lab.deployment("small")]) == pytest.approx(6.0, abs=1.0)


async def test_a_request_that_failed_elsewhere_does_not_multiply_an_outage() -> None:
    async with a_laboratory({"small": [fails(500)] * 3, "large": [fails(500)]}) as lab:
        for _ in range(40):
            with pytest.raises(AllPathsFailed):
                await ask(lab, False)
        calls = sum(lab.calls("small") + lab.calls("large"))
        assert calls < 40 * 4 * 0.7
        assert calls >= 40


@both
async def test_a_place_that_has_failed_of_late_takes_failovers_only_within_its_budget(
    stream: bool,
) -> None:
    async with a_laboratory({"small": [fails(500), healthy(stream)]}) as lab:
        second = lab.paths["small"][1]
        lab.health.failed(second, ServerFailed("x"))
        while lab.health.may_fail_over(second):
            pass
        with pytest.raises(AllPathsFailed):
            await lab.ask(a_task(stream=stream), a_plan("small"))
        assert lab.calls("small") == [1, 0]
