"""What each kind of upstream error leads to, against real servers that misbehave."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from builders import a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory
from tierwise.errors import (
    AllPathsFailed,
    ContextTooLong,
    DeadlineExceeded,
    UpstreamRejected,
)
from tierwise.types import Task, Tier, Timeouts
from upstream import HANGS, Reply, fails, says, streams

GOOD = says(an_answer())
GOOD_STREAM = streams(a_stream())
QUICK = Timeouts(connect=0.2, first_token=0.05, between_tokens=0.05, total=0.1)
ERROR_EVENT = b'data: {"error":{"message":"x"}}\n\n'
WINDOW = fails(400, "This model's maximum context length is 8192 tokens.")

DEPLOYMENT_ERRORS: dict[str, tuple[Reply | None, str]] = {
    "dead port": (None, "connect_failed"),
    "hangs": (HANGS, "timeout"),
    "500": (fails(500), "server_failed"),
    "503": (fails(503), "server_failed"),
    "529": (fails(529), "server_failed"),
    "408": (fails(408), "server_failed"),
    "garbage": (Reply(200, b"<html>"), "server_failed"),
    "empty": (Reply(200, b""), "server_failed"),
    "no choices": (Reply(200, b'{"choices":[]}'), "server_failed"),
    "429": (fails(429, retry_after="30"), "rate_limited"),
    "429 out of quota": (fails(429, "You exceeded your current quota"), "out_of_service"),
    "401": (fails(401), "out_of_service"),
    "402": (fails(402), "out_of_service"),
    "403": (fails(403), "out_of_service"),
    "404": (fails(404, "The model `x` does not exist"), "out_of_service"),
    "error behind a 200": (Reply(200, b'{"error":{"message":"x","code":429}}'), "rate_limited"),
}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
each_error = pytest.mark.parametrize(
    ("reply", "kind"), DEPLOYMENT_ERRORS.values(), ids=DEPLOYMENT_ERRORS
)


async def ask(lab: Laboratory, *, stream: bool, **fields: Any) -> bytes:
    """The client's bytes of a request with a plan of one tier, `large` standing in."""
    task = a_task(stream=stream, **fields)
    return await lab.ask(task, a_plan("small", fallbacks=("large",)))


def healthy(stream: bool, model: str = "small") -> Reply:
    return streams(a_stream(model=model)) if stream else says(an_answer(model=model))


def outcomes(lab: Laboratory) -> list[tuple[str, str]]:
    return [(attempt.deployment, attempt.outcome) for attempt in lab.run.attempts]


@both
@each_error
async def test_a_failing_deployment_is_followed_by_the_next_of_the_same_model(
    reply: Reply | None, kind: str, stream: bool
) -> None:
    async with a_laboratory(
        {"small": [reply, healthy(stream)], "large": [healthy(stream)]}, timeouts=QUICK
    ) as lab:
        answer = await ask(lab, stream=stream)
        assert b"Paris" in answer
        first = ("p0/small", expected(kind, stream, reply))
        assert outcomes(lab) == [first, ("p1/small", "accepted")]
        assert lab.calls("large") == [0]
        assert len(lab.run.failures) == 1


def expected(kind: str, stream: bool, reply: Reply | None) -> str:
    """What a failure is called; an empty stream is one that ended before its first event."""
    empty = reply is not None and reply.hang is None and not reply.body
    return "stream_broken" if stream and empty else kind


@both
@each_error
async def test_when_no_deployment_of_a_model_answers_the_next_model_does(
    reply: Reply | None, kind: str, stream: bool
) -> None:
    async with a_laboratory(
        {"small": [reply], "large": [healthy(stream, "large")]}, timeouts=QUICK
    ) as lab:
        assert b'"large"' in await ask(lab, stream=stream)
        assert [deployment for deployment, _ in outcomes(lab)] == ["p0/small", "p0/large"]
        assert lab.run.attempts[1].tier == 2


@both
async def test_a_request_at_fault_goes_back_to_the_caller_without_another_try(
    stream: bool,
) -> None:
    bad = fails(400, "Invalid 'temperature'")
    async with a_laboratory({"small": [bad, bad], "large": [healthy(stream)]}) as lab:
        with pytest.raises(UpstreamRejected, match="Invalid 'temperature'") as caught:
            await ask(lab, stream=stream)
        assert caught.value.status == 400
        assert lab.calls("small") == [1, 0]
        assert lab.calls("large") == [0]
        assert lab.health.states["p0/small"].failures_in_row == 0


@both
async def test_a_prompt_too_long_for_a_model_goes_to_the_next_model(stream: bool) -> None:
    async with a_laboratory(
        {"small": [WINDOW, healthy(stream)], "large": [healthy(stream, "large")]}
    ) as lab:
        assert b'"large"' in await ask(lab, stream=stream)
        assert lab.calls("small") == [1, 0]
        assert lab.health.available(lab.deployment("small"))


@both
async def test_a_prompt_too_long_for_every_model_is_the_caller_s_matter(stream: bool) -> None:
    async with a_laboratory({"small": [WINDOW], "large": [WINDOW]}) as lab:
        with pytest.raises(ContextTooLong) as caught:
            await ask(lab, stream=stream)
        assert caught.value.status == 400


@both
async def test_when_all_fail_the_client_learns_the_reason_of_each(stream: bool) -> None:
    async with a_laboratory(
        {"small": [fails(500, "on fire"), fails(401, "bad key")], "large": [fails(503, "full")]}
    ) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await ask(lab, stream=stream)
    assert caught.value.failures == (
        "p0/small: server_failed: on fire",
        "p1/small: out_of_service: bad key",
        "p0/large: server_failed: full",
    )
    assert caught.value.status == 503


async def test_a_path_that_failed_is_not_tried_again_in_the_same_request() -> None:
    async with a_laboratory({"small": [fails(401)], "large": [fails(401)]}) as lab:
        with pytest.raises(AllPathsFailed):
            await ask(lab, stream=False)
        assert (lab.calls("small"), lab.calls("large")) == ([1], [1])


async def test_only_rate_limits_make_a_rate_limit_with_the_shortest_delay() -> None:
    async with a_laboratory(
        {"small": [fails(429, retry_after="30")], "large": [fails(429, retry_after="20")]}
    ) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await ask(lab, stream=False)
        assert caught.value.status == 429
        assert caught.value.rate_limited
        assert 0 < caught.value.retry_after <= 20


async def test_one_other_failure_makes_it_unavailable_instead() -> None:
    async with a_laboratory(
        {"small": [fails(429, retry_after="30")], "large": [fails(500)]}
    ) as lab:
        with pytest.raises(AllPathsFailed) as caught:
            await ask(lab, stream=False)
        assert caught.value.status == 503


async def test_a_rate_limited_deployment_is_left_alone_until_its_time() -> None:
    async with a_laboratory(
        {"small": [[fails(429, retry_after="30"), GOOD]], "large": [says(an_answer())]}
    ) as lab:
        await ask(lab, stream=False)
        await ask(lab, stream=False)
        assert lab.calls("small") == [1]
        lab.health.states["p0/small"].resting_until = 0.0
        await ask(lab, stream=False)
        assert lab.calls("small") == [2]


async def test_a_request_whose_paths_all_wait_for_a_limit_is_refused_without_a_call() -> None:
    async with a_laboratory({"small": [fails(429, retry_after="30")], "large": []}) as lab:
        for _ in range(2):
            with pytest.raises(AllPathsFailed) as caught:
                await ask(lab, stream=False)
        assert lab.calls("small") == [1]
        assert caught.value.status == 429
        assert "resting for" in caught.value.failures[0]


async def test_a_resting_deployment_is_the_last_resort() -> None:
    async with a_laboratory({"small": [[fails(401), GOOD]], "large": [fails(500)]}) as lab:
        with pytest.raises(AllPathsFailed):
            await ask(lab, stream=False)
        assert b"Paris" in await ask(lab, stream=False)
        assert [name for name, _ in outcomes(lab)] == ["p0/large", "p0/small"]
        assert lab.health.available(lab.deployment("small"))


async def test_no_path_at_all_is_said_plainly() -> None:
    async with a_laboratory({"small": [], "large": []}) as lab:
        with pytest.raises(AllPathsFailed, match="no deployment is permitted"):
            await ask(lab, stream=False)


# --- time


@both
async def test_the_deadline_ends_a_request_that_hangs(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS], "large": [healthy(stream)]}) as lab:
        with pytest.raises(DeadlineExceeded) as caught:
            await ask(lab, stream=stream, deadline=lab.clock() + 0.05)
        assert "the deadline passed: p0/small: timeout: " in str(caught.value)
        assert lab.calls("large") == [0]


@both
async def test_a_deadline_that_has_passed_calls_nobody(stream: bool) -> None:
    async with a_laboratory({"small": [healthy(stream)]}) as lab:
        with pytest.raises(DeadlineExceeded):
            await ask(lab, stream=stream, deadline=lab.clock() - 1)
        assert lab.calls("small") == [0]


@both
async def test_a_caller_s_short_deadline_is_not_held_against_the_deployment(
    stream: bool,
) -> None:
    async with a_laboratory({"small": [HANGS]}) as lab:
        for _ in range(4):
            with pytest.raises(DeadlineExceeded):
                await ask(lab, stream=stream, deadline=lab.clock() + 0.02)
        assert lab.health.states["p0/small"].failures_in_row == 0


async def test_a_deadline_within_a_stream_ends_it() -> None:
    part = streams(a_stream()[:1], hang=True)
    async with a_laboratory({"small": [part]}) as lab:
        seen = await lab.ask_broken(
            a_task(stream=True, deadline=lab.clock() + 0.5), a_plan("small")
        )
        assert b"Paris" in seen
        assert outcomes(lab) == [("p0/small", "timeout")]
        assert lab.health.states["p0/small"].failures_in_row == 0


# --- cancellation


@both
async def test_a_caller_who_leaves_ends_the_upstream_call(stream: bool) -> None:
    async with a_laboratory({"small": [HANGS], "large": [GOOD]}) as lab:
        asking = asyncio.create_task(ask(lab, stream=stream))
        upstream = lab.upstreams["small"][0]
        await upstream.arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(upstream.left.wait(), 5)
        assert outcomes(lab) == [("p0/small", "cancelled")]
        assert lab.calls("large") == [0]
        assert lab.health.states["p0/small"].in_flight == 0
        assert lab.health.states["p0/small"].failures_in_row == 0


async def test_a_caller_who_leaves_a_stream_ends_the_upstream_call() -> None:
    async with a_laboratory({"small": [streams(a_stream()[:2], hang=True)]}) as lab:
        chunks = await lab.open(a_task(stream=True), a_plan("small"))
        assert b"Paris" in await anext(chunks)
        await chunks.aclose()
        await asyncio.wait_for(lab.upstreams["small"][0].left.wait(), 5)
        assert outcomes(lab) == [("p0/small", "cancelled")]
        assert lab.run.status == "cancelled"
        assert lab.health.states["p0/small"].in_flight == 0


async def test_a_stream_that_nobody_reads_ends_the_upstream_call_too() -> None:
    async with a_laboratory({"small": [streams(a_stream()[:2], hang=True)]}) as lab:
        chunks = await lab.open(a_task(stream=True), a_plan("small"))
        await chunks.aclose()
        await asyncio.wait_for(lab.upstreams["small"][0].left.wait(), 5)
        assert (lab.finished, outcomes(lab)) == (1, [("p0/small", "cancelled")])


# --- streams


async def test_a_stream_without_gates_is_handed_on_as_it_comes() -> None:
    events = a_stream()
    async with a_laboratory({"small": [streams(events[:2], hang=True)]}) as lab:
        chunks = await lab.open(a_task(stream=True), a_plan("small"))
        seen = b""
        while len(seen) < len(events[0] + events[1]):
            seen += await anext(chunks)
        assert seen == events[0] + events[1]
        await chunks.aclose()


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (streams([*a_stream()[:2], None], cut=True), "stream_broken"),
        (streams([*a_stream()[:2], None]), "stream_broken"),
        (streams([*a_stream()[:2], None, ERROR_EVENT]), "server_failed"),
        (streams([*a_stream()[:2], None, b"<html>"]), "stream_broken"),
        (streams(a_stream()[:2], hang=True), "timeout"),
    ],
    ids=["connection cut", "ended early", "error event", "garbage", "stands still"],
)
async def test_a_stream_that_breaks_after_its_first_word_ends_with_an_error_if_that_is_wanted(
    broken: Reply, kind: str
) -> None:
    patient = Timeouts(connect=0.2, first_token=5, between_tokens=0.05, total=5)
    async with a_laboratory({"small": [broken], "large": [GOOD_STREAM]}, timeouts=patient) as lab:
        plan = a_plan("small", fallbacks=("large",), on_stream_break="fail")
        seen = await lab.ask_broken(a_task(stream=True), plan)
        assert seen == b"".join(a_stream()[:2])
        assert lab.calls("large") == [0]
        assert lab.run.status == "error"
        assert outcomes(lab) == [("p0/small", kind)]
        assert lab.health.states["p0/small"].failures_in_row == 1


async def test_a_stream_that_stands_still_is_given_the_time_between_two_tokens() -> None:
    patient = Timeouts(connect=0.2, first_token=5, between_tokens=0.05, total=5)
    reply = streams(a_stream()[:2], hang=True)
    async with a_laboratory({"small": [reply]}, timeouts=patient) as lab:
        await lab.ask_broken(a_task(stream=True), a_plan("small"))
        assert lab.run.attempts[0].error == "nothing for 0.05 s in mid-stream"


async def test_a_stream_that_stands_still_is_given_no_more_than_its_whole_time() -> None:
    short = Timeouts(connect=0.2, first_token=5, between_tokens=5, total=0.5)
    reply = streams(a_stream()[:2], hang=True)
    async with a_laboratory({"small": [reply]}, timeouts=short) as lab:
        await lab.ask_broken(a_task(stream=True), a_plan("small"))
        error = lab.run.attempts[0].error
        assert error is not None
        assert error.startswith("nothing for 0.")


@pytest.mark.parametrize("cut", [False, True])
async def test_a_stream_that_loses_its_connection_after_its_answer_is_whole(cut: bool) -> None:
    events = a_stream()[:-1]
    patient = Timeouts(connect=0.2, first_token=5, between_tokens=0.05, total=5)
    reply = streams(events, cut=True) if cut else streams(events, hang=True)
    async with a_laboratory({"small": [reply]}, timeouts=patient) as lab:
        seen = await lab.ask(
            a_task(stream=True, stream_options={"include_usage": True}), a_plan("small")
        )
        assert seen == b"".join(events) + b"data: [DONE]\n\n"
        assert outcomes(lab) == [("p0/small", "accepted")]


async def test_an_error_before_the_first_event_fails_over_unseen() -> None:
    failing = streams([b": hello\n\n", b'data: {"error":{"message":"x","code":502}}\n\n'])
    async with a_laboratory(
        {"small": [failing], "large": [streams(a_stream(model="large"))]}
    ) as lab:
        seen = await ask(lab, stream=True)
        assert b"error" not in seen
        assert b"hello" not in seen
        assert [outcome for _, outcome in outcomes(lab)] == ["server_failed", "accepted"]


async def test_an_event_without_end_fails_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierwise.wire.sse.MOST_BYTES", 100_000)
    endless = streams([b'data: {"choices":[{"delta":{"content":"', *[b"A" * 50_000] * 5], hang=True)
    async with a_laboratory(
        {"small": [endless], "large": [streams(a_stream(model="large"))]}
    ) as lab:
        seen = await ask(lab, stream=True)
        assert b"AAAA" not in seen
        assert [outcome for _, outcome in outcomes(lab)] == ["server_failed", "accepted"]
        assert "more than 100,000 bytes" in (lab.run.attempts[0].error or "")


async def test_load_goes_where_there_is_room() -> None:
    async with a_laboratory({"small": [GOOD, GOOD]}) as lab:
        lab.health.started(lab.deployment("small"))
        answer = json.loads(await ask(lab, stream=False))
        assert answer["model"] == "small"
        assert lab.calls("small") == [0, 1]


class Faulty:
    """Somebody else's adapter, reply or reader, with a mistake in one of its methods."""

    def __init__(self, good: Any, method: str) -> None:
        self._good = good
        self._method = method

    def __getattr__(self, name: str) -> Any:
        return self._fails if name == self._method else getattr(self._good, name)

    def _fails(self, *_: object, **__: object) -> None:
        raise KeyError("sk-secret")


class FaultyAnswers(Faulty):
    """An adapter whose replies and readers have it."""

    def reply(self, body: bytes, task: Task) -> Any:
        return Faulty(self._good.reply(body, task), self._method)

    def stream_reader(self, task: Task, *, keep: bool = False) -> Any:
        return Faulty(self._good.stream_reader(task, keep=keep), self._method)


@pytest.mark.parametrize(
    ("stream", "kind", "method"),
    [
        (False, Faulty, "request"),
        (False, Faulty, "reply"),
        (False, FaultyAnswers, "completion"),
        (True, Faulty, "request"),
        (True, Faulty, "stream_reader"),
        (True, FaultyAnswers, "feed"),
        (True, FaultyAnswers, "completion"),
    ],
)
async def test_what_an_adapter_may_not_raise_is_its_deployments_failure(
    stream: bool, kind: type[Faulty], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = healthy(stream)
    async with a_laboratory({"small": [answer, answer], "large": [answer]}) as lab:
        adapters: dict[str, Any] = lab.calling._adapters  # type: ignore[assignment]
        adapters["p0/small"] = kind(adapters["p0/small"], method)
        plan = a_plan(Tier(model="small", gates=("complete",), accept=0.5), "large")
        assert b"Paris" in await lab.ask(a_task(stream=stream), plan)
        first, second = lab.run.attempts
    assert (first.deployment, first.outcome) == ("p0/small", "server_failed")
    assert first.error == "its adapter 'openai_compatible' raised KeyError"
    assert (second.deployment, second.outcome) == ("p1/small", "accepted")
    assert "the adapter of p0/small raised KeyError" in caplog.text
