"""Who goes on with a stream that broke, what is asked, and how it is booked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from builders import DONE, a_chunk, a_plan, a_stream, a_task
from laboratory import Laboratory, a_laboratory
from tierwise.errors import ServerFailed, UpstreamError
from tierwise.types import Plan, Task, Timeouts
from tierwise.wire import sse
from tierwise.wire.openai_chat import join_chunks, read_chunk
from upstream import Reply, fails, streams

ROLE = a_chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""},
                         "finish_reason": None}])  # fmt: skip
PLAN = a_plan("small", fallbacks=("large",))
WORDS = ["The ", "quick ", "brown ", "fox ", "jumps."]
WHOLE = "".join(WORDS)
ERROR_EVENT = b'data: {"error":{"message":"x"}}\n\n'
HALF_EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"conte\n\n'
PATIENT = Timeouts(connect=1, first_token=5, between_tokens=0.1, total=5)


def says(words: Sequence[str], model: str = "small") -> list[bytes]:
    return [ROLE, *(a_chunk(word, model=model) for word in words)]


def ends(words: Sequence[str], model: str = "small") -> Reply:
    """A whole stream."""
    return streams([*says(words, model), a_chunk(finish_reason="stop", model=model), DONE])


def breaks(words: Sequence[str]) -> Reply:
    return streams([*says(words), None], cut=True)


async def read(lab: Laboratory, task: Task, plan: Plan = PLAN) -> tuple[str, bytes]:
    """The text that a client reads, and its bytes; upstreams go on at the first byte."""
    seen = b""
    async for block in await lab.open(task, plan):
        seen += block
        for group in lab.upstreams.values():
            for upstream in group:
                upstream.go_on.set()
    return text_of(seen), seen


def text_of(seen: bytes) -> str:
    payloads = [sse.payload(event) for event in sse.events(seen)]
    return join_chunks(read_chunk(one) for one in payloads if one and one != b"[DONE]").text


def outcomes(lab: Laboratory) -> list[tuple[str, str]]:
    return [(attempt.deployment, attempt.outcome) for attempt in lab.run.attempts]


def asked(lab: Laboratory, model: str = "small", number: int = 1) -> Any:
    return lab.upstreams[model][number].asked[-1].json()


def task(**fields: Any) -> Task:
    return a_task("Tell me about the fox.", stream=True, **fields)


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (streams([ROLE, None], cut=True), "stream_broken"),
        (streams([ROLE, None]), "stream_broken"),
        (streams([ROLE, None, ERROR_EVENT]), "server_failed"),
        (streams([ROLE, None, HALF_EVENT]), "server_failed"),
        (streams([ROLE], hang=True), "timeout"),
    ],
    ids=["connection cut", "ended early", "error event", "garbage", "stands still"],
)
@pytest.mark.parametrize("wish", ["continue", "fail"])
async def test_a_stream_that_has_said_no_word_is_begun_anew_elsewhere(
    broken: Reply, kind: str, wish: Any
) -> None:
    async with a_laboratory({"small": [broken, ends(WORDS)], "large": []}, timeouts=PATIENT) as lab:
        plan = a_plan("small", on_stream_break=wish)
        text, _ = await read(lab, task(logprobs=True, n=1), plan)
        assert text == WHOLE
        assert outcomes(lab) == [("p0/small", kind), ("p1/small", "accepted")]
        assert asked(lab)["messages"] == [{"role": "user", "content": "Tell me about the fox."}]


class FailsLate:
    """Somebody else's adapter, which breaks over an event in the middle of a stream."""

    def __init__(self, good: Any) -> None:
        self._good = good

    def __getattr__(self, name: str) -> Any:
        return getattr(self._good, name)

    def stream_reader(self, task: Task, *, keep: bool = False) -> Any:
        return FailsLate(self._good.stream_reader(task, keep=keep))

    def feed(self, data: bytes) -> Any:
        if b"breaks it" in data:
            raise KeyError("it")
        return self._good.feed(data)


async def test_an_adapter_that_breaks_in_the_middle_is_gone_on_from() -> None:
    first = streams([*says(WORDS[:3]), None, a_chunk("breaks it"), DONE])
    async with a_laboratory({"small": [first, ends(WORDS[3:])]}) as lab:
        adapters: dict[str, Any] = lab.calling._adapters  # type: ignore[assignment]
        adapters["p0/small"] = FailsLate(adapters["p0/small"])
        text, _ = await read(lab, a_task(stream=True))
        assert text == WHOLE
        assert outcomes(lab) == [("p0/small", "server_failed"), ("p1/small", "accepted")]
        assert lab.run.attempts[0].error == "its adapter 'openai_compatible' raised KeyError"


async def test_half_an_event_never_reaches_the_client() -> None:
    broken = streams([*says(WORDS[:2]), None, HALF_EVENT])
    async with a_laboratory({"small": [broken, ends(WORDS[1:])]}) as lab:
        text, seen = await read(lab, task())
        assert text == WHOLE
        assert b'{"conte\n' not in seen
        assert outcomes(lab)[0] == ("p0/small", "server_failed")


async def test_another_is_shown_what_was_said_and_asked_to_go_on_from_it() -> None:
    async with a_laboratory({"small": [breaks(WORDS[:3]), ends(WORDS[3:])]}) as lab:
        text, _ = await read(lab, task())
        assert text == WHOLE
        *before, partial, note = asked(lab)["messages"]
        assert before == [{"role": "user", "content": "Tell me about the fox."}]
        assert partial == {"role": "assistant", "content": "The quick brown"}
        assert note["role"] == "user"
        assert "Continue it exactly where it stops" in note["content"]
        assert "\n\nThe quick brown\n\n" in note["content"]


@pytest.mark.parametrize(
    ("quirk", "message", "fields"),
    [
        ("prefill-prefix", {"prefix": True}, {}),
        ("prefill-continue", {},
         {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)  # fmt: skip
async def test_where_the_provider_knows_prefill_it_goes_on_as_if_it_had_said_it(
    quirk: str, message: Any, fields: Any
) -> None:
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), ends([" ", *WORDS[3:]])]}, quirks=frozenset({quirk})
    ) as lab:
        text, _ = await read(lab, task())
        assert text == WHOLE
        body = asked(lab)
        said = {"role": "assistant", "content": "The quick brown", **message}
        assert body["messages"][1:] == [said]
        assert {name: body.get(name) for name in fields} == fields
        assert lab.upstreams["small"][0].asked[0].json().keys() == {
            "model", "messages", "stream", "stream_options",
        }  # fmt: skip


async def test_a_provider_that_refuses_prefill_is_asked_by_a_note() -> None:
    refuses = [fails(400, "Assistant response prefill is not supported"), ends(WORDS[3:])]
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), refuses]}, quirks=frozenset({"prefill-continue"})
    ) as lab:
        text, _ = await read(lab, task())
        assert text == WHOLE
        assert [outcome for _, outcome in outcomes(lab)] == [
            "stream_broken", "refused", "accepted",
        ]  # fmt: skip
        assert asked(lab)["messages"][-1]["role"] == "user"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_what_was_said_counts_against_the_limit(name: str) -> None:
    async with a_laboratory({"small": [breaks(WORDS[:3]), ends(WORDS[3:])]}) as lab:
        await read(lab, task(**{name: 50}))
        assert asked(lab)[name] == 50 - 4  # of 16 characters
        await read(lab, task(**{name: 2}))
        assert asked(lab)[name] == 1


async def test_the_next_model_goes_on_where_no_other_home_can_and_is_told_to() -> None:
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), fails(500)], "large": [ends(WORDS[3:], "large")]}
    ) as lab:
        text, seen = await read(lab, task())
        assert text == WHOLE
        assert outcomes(lab) == [
            ("p0/small", "stream_broken"), ("p1/small", "server_failed"), ("p0/large", "accepted"),
        ]  # fmt: skip
        assert [a.continues for a in lab.run.attempts] == [None, None, 16]
        assert lab.run.attempts[-1].tier == 2
        assert (lab.run.status, lab.run.model, lab.run.error) == ("ok", "large", None)
        assert b": tierwise continued by p0/large after 16 characters\n\ndata: [DONE]" in seen
        assert b'"model":"large"' in seen.replace(b" ", b"")
        assert lab.finished == 1
        assert all(state.in_flight == 0 for state in lab.health.states.values())


async def test_a_model_whose_window_is_too_small_is_not_asked_at_its_other_home() -> None:
    window = fails(400, "This model's maximum context length is 8192 tokens.")
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), window, window], "large": [ends(WORDS[3:])]}
    ) as lab:
        assert (await read(lab, task()))[0] == WHOLE
        assert lab.calls("small") == [1, 1, 0]


async def test_a_sole_provider_that_broke_off_is_asked_once_more() -> None:
    async with a_laboratory({"small": [[breaks(WORDS[:2]), ends(WORDS[2:])]]}) as lab:
        text, _ = await read(lab, task(), a_plan("small"))
        assert text == WHOLE
        assert outcomes(lab) == [("p0/small", "stream_broken"), ("p0/small", "accepted")]


async def test_a_sole_provider_that_never_gets_on_is_left() -> None:
    async with a_laboratory({"small": [[breaks(WORDS[:2]), breaks([])]]}) as lab:
        with pytest.raises(UpstreamError, match="it was not continued: nobody else"):
            await read(lab, task(), a_plan("small"))
        assert lab.calls("small") == [2]
        assert lab.run.status == "error"


def calls(*arguments: str) -> list[bytes]:
    """The events of a call of a tool whose arguments come in these pieces."""
    begun = {"index": 0, "id": "call_1", "type": "function",
             "function": {"name": "look", "arguments": ""}}  # fmt: skip
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
    deltas = [{"role": "assistant", "tool_calls": [one]} for one in (begun, *pieces)]
    return [
        a_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas
    ]


async def test_a_sole_provider_that_gets_on_with_a_call_of_a_tool_is_asked_again() -> None:
    pieces = ['{"at"', ": ", "1", "}"]
    broken = [streams([*calls(*pieces[:n]), None], cut=True) for n in (1, 2, 3)]
    whole = streams([*calls(*pieces), a_chunk(finish_reason="tool_calls"), DONE])
    async with a_laboratory({"small": [[*broken, whole]]}) as lab:
        _, seen = await read(lab, task(), a_plan("small"))
        payloads = [sse.payload(event) for event in sse.events(seen)]
        told = join_chunks(read_chunk(one) for one in payloads if one and one != b"[DONE]")
        assert [call.arguments for call in told.tool_calls] == ['{"at": 1}']
        assert [one.continues for one in lab.run.attempts] == [None, 9, 11, 12]


async def test_a_sole_provider_that_does_not_get_on_with_a_call_of_a_tool_is_left() -> None:
    broken = [streams([*calls(*pieces), None], cut=True) for pieces in (["{", '"at"'], ["{"])]
    async with a_laboratory({"small": [broken]}) as lab:
        with pytest.raises(UpstreamError, match="it was not continued: nobody else"):
            await read(lab, task(), a_plan("small"))
        assert lab.calls("small") == [2]


async def test_an_answer_is_not_continued_for_ever() -> None:
    replies = [breaks([f"word{i} "]) for i in range(30)]
    async with a_laboratory({"small": [replies]}) as lab:
        with pytest.raises(UpstreamError, match="continued 8 times already"):
            await read(lab, task(), a_plan("small"))
        assert lab.calls("small") == [9]


async def test_nobody_goes_on_after_the_deadline() -> None:
    held = streams(says(WORDS[:2]), hang=True)
    async with a_laboratory({"small": [held, ends(WORDS)]}) as lab:
        with pytest.raises(UpstreamError, match="its deadline has passed"):
            await read(lab, task(deadline=lab.clock() + 0.3))
        assert lab.calls("small") == [1, 0]
        assert lab.health.states["p0/small"].failures_in_row == 0


async def test_a_stream_that_breaks_after_its_end_is_whole_and_nobody_is_asked() -> None:
    broken = streams([*says(WORDS), a_chunk(finish_reason="stop"), None, ERROR_EVENT])
    async with a_laboratory({"small": [broken, ends(WORDS)]}) as lab:
        text, seen = await read(lab, task())
        assert text == WHOLE
        assert seen.endswith(DONE)
        assert outcomes(lab) == [("p0/small", "accepted")]


async def test_a_form_that_is_plain_text_is_no_form() -> None:
    async with a_laboratory({"small": [breaks(WORDS[:3]), ends(WORDS[3:])]}) as lab:
        assert (await read(lab, task(response_format={"type": "text"})))[0] == WHOLE


async def test_a_form_of_vllm_s_own_is_begun_anew() -> None:
    async with a_laboratory({"small": [breaks(["yes", " or"]), ends(["yes or", " no"])]}) as lab:
        wanted = {"structured_outputs": {"choice": ["yes or no"]}}
        assert (await read(lab, task(**wanted)))[0] == "yes or no"
        assert len(asked(lab)["messages"]) == 1


async def test_json_that_another_try_says_otherwise_ends_with_an_error() -> None:
    wanted = {"response_format": {"type": "json_object"}}
    async with a_laboratory({"small": [breaks(['{"a": ', "1"]), ends(['{"a": ', "2}"])]}) as lab:
        seen = await lab.ask_broken(task(**wanted), a_plan("small"))
        assert text_of(seen) == '{"a": 1'
        assert outcomes(lab)[:2] == [("p0/small", "stream_broken"), ("p1/small", "diverged")]
        assert lab.health.states["p1/small"].failures_in_row == 0


async def test_a_limit_of_one_upstream_is_respected_and_the_others_go_on() -> None:
    limited = fails(429, retry_after="30")
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), limited], "large": [ends(WORDS[3:])]}
    ) as lab:
        assert (await read(lab, task()))[0] == WHOLE
        assert not lab.health.available(lab.paths["small"][1])


async def test_a_caller_who_leaves_while_another_is_asked_ends_that_call() -> None:
    waits = streams([None, *says(WORDS)])
    async with a_laboratory({"small": [breaks(WORDS[:2]), waits]}) as lab:
        chunks = await lab.open(task(), PLAN)
        seen = b""
        while b"quick" not in seen:
            seen += await anext(chunks)
        lab.upstreams["small"][0].go_on.set()
        going_on = asyncio.ensure_future(anext(chunks))
        await lab.upstreams["small"][1].arrived.wait()
        going_on.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going_on
        await asyncio.wait_for(lab.upstreams["small"][1].left.wait(), 5)
        assert outcomes(lab) == [("p0/small", "stream_broken"), ("p1/small", "cancelled")]
        assert (lab.run.status, lab.run.error, lab.finished) == ("cancelled", None, 1)
        assert all(state.in_flight == 0 for state in lab.health.states.values())


async def test_a_caller_who_leaves_while_another_goes_on_ends_that_call() -> None:
    waits = streams([*says(["brown "]), None])
    async with a_laboratory({"small": [breaks(WORDS[:2]), waits]}) as lab:
        chunks = await lab.open(task(), PLAN)
        seen = b""
        while b"brown" not in seen:
            seen += await anext(chunks)
            lab.upstreams["small"][0].go_on.set()
        await chunks.aclose()
        await asyncio.wait_for(lab.upstreams["small"][1].left.wait(), 5)
        assert outcomes(lab) == [("p0/small", "stream_broken"), ("p1/small", "cancelled")]
        assert (lab.run.status, lab.finished) == ("cancelled", 1)
        assert all(state.in_flight == 0 for state in lab.health.states.values())


async def test_a_stream_that_was_let_go_of_by_its_gates_is_continued_too() -> None:
    gated = a_plan("small", fallbacks=("large",), streams="prefix")
    async with a_laboratory({"small": [breaks(WORDS[:3]), ends(WORDS[3:])]}) as lab:
        assert (await read(lab, task(), gated))[0] == WHOLE


async def test_every_call_is_billed_and_the_answer_counted_once() -> None:
    usage = {"prompt_tokens": 160, "completion_tokens": 2, "total_tokens": 162}
    second = [*says(WORDS[3:]), a_chunk(finish_reason="stop"), a_chunk(choices=[], usage=usage)]
    async with a_laboratory({"small": [breaks(WORDS[:3]), streams([*second, DONE])]}) as lab:
        _, seen = await read(lab, task(stream_options={"include_usage": True}))
        told = [json.loads(e[6:])["usage"] for e in sse.events(seen) if b'"usage"' in e]
        assert len(told) == 1
        assert told[0]["completion_tokens"] == 4 + 2
        assert 0 < told[0]["prompt_tokens"] < 160
        first, last = lab.run.attempts
        assert first.estimated
        assert not last.estimated
        assert last.usage is not None
        assert (last.usage.input_tokens, last.usage.output_tokens) == (160, 2)
        assert lab.run.usage.output_tokens == 6
        assert lab.run.usage.input_tokens == told[0]["prompt_tokens"]
        assert lab.run.cost_usd == first.cost_usd + last.cost_usd


async def test_an_undisturbed_stream_keeps_its_bytes() -> None:
    events = a_stream("word " * 300)
    async with a_laboratory({"small": [streams(events)]}) as lab:
        _, seen = await read(lab, task(stream_options={"include_usage": True}))
        assert seen == b"".join(events)
        assert lab.run.said is None


async def test_who_goes_on_is_asked_within_its_budget_for_failovers() -> None:
    async with a_laboratory({"small": [breaks(WORDS[:3]), ends(WORDS[3:])]}) as lab:
        second = lab.paths["small"][1]
        lab.health.failed(second, ServerFailed("x"))
        while lab.health.may_fail_over(second):
            pass
        with pytest.raises(UpstreamError):
            await read(lab, task(), a_plan("small"))
        assert lab.calls("small")[1] == 0


async def test_who_stands_still_again_is_not_waited_for_a_third_time() -> None:
    still = [streams(says(words), hang=True) for words in (WORDS[:2], WORDS[2:4])]
    async with a_laboratory({"small": [[*still, ends(WORDS[4:])]]}, timeouts=PATIENT) as lab:
        with pytest.raises(UpstreamError, match="nobody else could continue it"):
            await read(lab, task(), a_plan("small"))
        assert outcomes(lab) == [("p0/small", "timeout"), ("p0/small", "timeout")]
        assert lab.calls("small") == [2]
