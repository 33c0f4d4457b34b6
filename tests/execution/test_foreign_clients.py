"""Stations behind the server work for clients and providers of any dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import DONE, a_candidate, a_chunk, a_plan, a_stream, a_task, an_answer
from laboratory import Laboratory, a_laboratory
from plain import a_plain_answer, a_plain_task, install, plain_events, read_plain
from tierwise.errors import UpstreamError
from tierwise.types import Tier
from tierwise.wire.openai_chat import read_completion
from upstream import Reply, says, streams

PLAN = a_plan("small", fallbacks=("large",))
GATED = Tier(model="small", gates=("picky",))
FOREIGN = {"large": "plain"}
WORDS = ["The ", "quick ", "brown ", "fox ", "jumps."]
ROLE = a_chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""},
                         "finish_reason": None}])  # fmt: skip
GARBAGE = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"conte\n\n'


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def breaks(words: list[str]) -> Reply:
    return streams([ROLE, *(a_chunk(word) for word in words), None], cut=True)


def goes_on(words: list[str]) -> Reply:
    return streams([ROLE, *(a_chunk(word) for word in words), a_chunk(finish_reason="stop"), DONE])


async def seen_by(lab: Laboratory, task: Any, plan: Any = PLAN) -> bytes:
    seen = b""
    async for block in await lab.open(task, plan):
        seen += block
        for group in lab.upstreams.values():
            for upstream in group:
                upstream.go_on.set()
    return seen


def asked(lab: Laboratory, model: str, number: int = 0) -> Any:
    return lab.upstreams[model][number].asked[-1].json()


def one_stream(events: list[dict[str, Any]], text: str) -> None:
    """Asserts that events are one whole stream that says a text."""
    assert [one["n"] for one in events] == list(range(1, len(events) + 1))
    assert ["begin" in one for one in events] == [True] + [False] * (len(events) - 1)
    assert ["end" in one for one in events] == [False] * (len(events) - 1) + [True]
    assert "".join(one.get("piece", "") for one in events) == text


async def test_a_client_reads_its_own_dialect_whoever_answers() -> None:
    async with a_laboratory(
        {"small": [says(an_answer("Paris"))], "large": [says(json.loads(a_plain_answer("Rome")))]},
        dialects=FOREIGN,
    ) as lab:
        body = await lab.ask(a_plain_task("Where?", heat=0.5), a_plan("small"))
        assert b'"said": "Paris"' in body
        assert asked(lab, "small")["messages"] == [{"role": "user", "content": "Where?"}]
        assert asked(lab, "small")["temperature"] == 0.5
        body = await lab.ask(a_task("Where?"), a_plan("large"))
        assert read_completion(body).text == "Rome"
        assert asked(lab, "large")["say"] == [{"who": "user", "what": "Where?"}]


async def test_gates_judge_answers_to_clients_of_any_dialect() -> None:
    tools = [GATED, "large"]
    async with a_laboratory(
        {
            "small": [says(an_answer("doubtful"))],
            "large": [says(json.loads(a_plain_answer("sure")))],
        },
        dialects=FOREIGN,
    ) as lab:
        body = await lab.ask(a_plain_task("Where?", gear=["look"]), a_plan(*tools))
        assert b'"said": "sure"' in body
        assert lab.run.judged.dialect == "openai-chat"
        assert lab.run.judged is lab.run.judged


async def test_a_rejected_draft_is_handed_over_in_the_clients_own_dialect() -> None:
    async with a_laboratory(
        {
            "small": [says(an_answer("doubtful"))],
            "large": [says(json.loads(a_plain_answer("sure")))],
        },
        dialects=FOREIGN,
    ) as lab:
        await lab.ask(a_plain_task("Where?", rare=1), a_plan(GATED, "large", hand_over=True))
        question, note = asked(lab, "large")["say"]
        assert question == {"who": "user", "what": "Where?"}
        assert "\ndoubtful\n</draft" in note["what"]
        assert asked(lab, "large")["rare"] == 1  # what only this dialect knows is still asked


@pytest.mark.parametrize("said", [1, 3])
async def test_a_broken_stream_goes_on_as_the_same_stream(said: int) -> None:
    async with a_laboratory(
        {"small": [breaks(WORDS[:said]), goes_on(WORDS[said:])], "large": []}
    ) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        assert b": tierwise continued by p1/small after" in seen
        assert asked(lab, "small", 1)["messages"][1]["content"] == "".join(WORDS[:said]).rstrip()
        assert [one.outcome for one in lab.run.attempts] == ["stream_broken", "accepted"]


async def test_it_goes_on_at_a_provider_of_any_dialect_and_from_one() -> None:
    large = [streams([*plain_events(*WORDS[:2], ends=False), None], cut=True)]
    async with a_laboratory(
        {"large": large, "small": [goes_on(WORDS[2:])]}, dialects=FOREIGN
    ) as lab:
        plan = a_plan("large", fallbacks=("small",))
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True), plan)
        one_stream(read_plain(seen), "".join(WORDS))
    async with a_laboratory(
        {"small": [breaks(WORDS[:2])], "large": [streams(plain_events(*WORDS[2:]))]},
        dialects=FOREIGN,
    ) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        assert asked(lab, "large")["say"][1] == {"who": "assistant", "what": "The quick"}


async def test_a_chat_client_goes_on_at_a_provider_of_another_dialect() -> None:
    async with a_laboratory(
        {"small": [breaks(WORDS[:2])], "large": [streams(plain_events(*WORDS[2:]))]},
        dialects=FOREIGN,
    ) as lab:
        seen = await seen_by(lab, a_task("Tell me.", stream=True))
        assert seen.count(b"[DONE]") == 1
        assert b"jumps." in seen
        assert b'"finish_reason":"stop"' in seen


async def test_a_stream_that_has_said_nothing_is_begun_anew() -> None:
    async with a_laboratory({"small": [breaks([]), goes_on(WORDS)]}) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        assert len(asked(lab, "small", 1)["messages"]) == 1


async def test_usage_is_that_of_the_whole_answer() -> None:
    counted = {"prompt_tokens": 500, "completion_tokens": 2, "total_tokens": 502}
    rest = streams([ROLE, *a_stream("fox jumps.", usage=counted)])
    async with a_laboratory({"small": [breaks(WORDS[:3]), rest]}) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        end = read_plain(seen)[-1]
        assert (
            end["wrote"] == 2 + len("The quick brown ") // 4
        )  # what the other had said by then is counted with it
        assert 0 < end["read"] < 500  # and not what was asked only because of the break


async def test_a_usage_that_nobody_told_is_counted_here() -> None:
    async with a_laboratory({"small": [breaks(WORDS[:2]), goes_on(WORDS[2:])]}) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        assert read_plain(seen)[-1]["wrote"] > 0


async def test_a_call_of_a_tool_that_broke_off_is_gone_on_with_if_it_is_the_same() -> None:
    def call(**function: str) -> bytes:
        one = {"index": 0, "id": "call_1", "type": "function", "function": function}
        delta = {"role": "assistant", "tool_calls": [one]}
        return a_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])

    begun = [call(name="look", arguments='{"at":'), None]
    whole = [call(name="look", arguments='{"at": 1}'), a_chunk(finish_reason="tool_calls"), DONE]
    async with a_laboratory({"small": [streams(begun, cut=True), streams(whole)]}) as lab:
        seen = await seen_by(lab, a_plain_task("Look.", stream=True, gear=["look"]))
        events = read_plain(seen)
        assert [one["n"] for one in events] == list(range(1, len(events) + 1))
        assert [one["id"] for one in events if "id" in one] == ["call_1"]
        assert "".join(one.get("more", "") for one in events) == '{"at": 1}'
        assert events[-1]["end"] == "tool_calls"


async def test_a_provider_that_knows_prefill_is_given_the_beginning_of_the_answer() -> None:
    async with a_laboratory(
        {"small": [breaks(WORDS[:3]), goes_on([" ", *WORDS[3:]])]},
        quirks=frozenset({"prefill-prefix"}),
    ) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        said = {"role": "assistant", "content": "The quick brown", "prefix": True}
        assert asked(lab, "small", 1)["messages"][1:] == [said]


async def test_what_only_its_own_dialect_knows_is_asked_again_of_its_own_provider() -> None:
    first = [streams([*plain_events(*WORDS[:2], ends=False), None], cut=True)]
    second = [streams(plain_events(*WORDS[2:]))]
    async with a_laboratory({"large": [*first, *second]}, dialects=FOREIGN) as lab:
        task = a_plain_task("Tell me.", stream=True, rare=1, most=100)
        one_stream(read_plain(await seen_by(lab, task, a_plan("large"))), "".join(WORDS))
        assert asked(lab, "large", 1)["rare"] == 1
        assert asked(lab, "large", 1)["most"] < 100


async def test_probes_ask_for_a_second_sample_in_any_dialect() -> None:
    tier = Tier(model="small", gates=("agreement",), second="middle")
    sample = says(json.loads(a_plain_answer("70", model="middle")))
    async with a_laboratory(
        {"small": [says(an_answer("70"))], "middle": [sample], "large": []},
        dialects={"middle": "plain"},
    ) as lab:
        lab.candidates = a_candidate("small", 0.7, 0.0003), a_candidate("large", 0.9, 0.03)
        body = await lab.ask(a_plain_task("What is 15% of 470?", heat=0.1), a_plan(tier, "large"))
        assert b'"said": "70"' in body
        assert [one.outcome for one in lab.run.attempts] == ["accepted", "probe"]
        assert asked(lab, "middle")["say"] == [{"who": "user", "what": "What is 15% of 470?"}]
        assert asked(lab, "middle")["stream"] is False


async def test_what_no_other_dialect_knows_is_not_gone_on_from() -> None:
    strange = b'data: {"n": 3, "strange": 1}\n\n'
    first = [*plain_events("The ", ends=False), strange, None]
    async with a_laboratory(
        {"large": [streams(first, cut=True)], "small": [goes_on(WORDS)]}, dialects=FOREIGN
    ) as lab:
        plan = a_plan("large", fallbacks=("small",))
        with pytest.raises(UpstreamError, match="it has a `strange`"):
            await seen_by(lab, a_plain_task("Tell me.", stream=True), plan)


async def test_a_whole_answer_that_breaks_before_its_goodbye_gets_one() -> None:
    first = [ROLE, *(a_chunk(word) for word in WORDS), a_chunk(finish_reason="stop"), None, GARBAGE]
    async with a_laboratory({"small": [streams(first), goes_on(WORDS)]}) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        assert lab.calls("small") == [1, 0]


async def test_an_answer_whose_end_was_lost_with_garbage_is_not_whole() -> None:
    lost = a_chunk(WORDS[-1]) + a_chunk(finish_reason="stop") + GARBAGE
    first = [ROLE, *(a_chunk(word) for word in WORDS[:-1]), None, lost]
    async with a_laboratory({"small": [streams(first), goes_on(WORDS[-1:])]}) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True))
        one_stream(read_plain(seen), "".join(WORDS))
        assert lab.calls("small") == [1, 1]


async def test_nor_is_one_whose_own_provider_lost_it() -> None:
    *first, end = plain_events(*WORDS)
    lost = [*first, None, end + b"data: {half\n\n"]
    async with a_laboratory(
        {"large": [streams(lost), streams(plain_events(*WORDS[-1:]))]}, dialects=FOREIGN
    ) as lab:
        seen = await seen_by(lab, a_plain_task("Tell me.", stream=True), a_plan("large"))
        assert read_plain(seen)[-1]["end"] == "stop"
        assert lab.calls("large") == [1, 1]
