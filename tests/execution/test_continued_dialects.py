"""A stream that breaks is one stream for clients of the dialects that people speak."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from builders import DONE, a_chunk, a_plan
from laboratory import Laboratory, a_laboratory
from tierwise.types import Task, Usage
from tierwise.wire import sse
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Began, Counted, Ended, Event, TextPiece, ToolBegan, ToolPiece
from tierwise.wire.translate import task_of
from upstream import Reply, streams

WORDS = ["The ", "quick ", "brown ", "fox ", "jumps."]
ROLE = a_chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""},
                         "finish_reason": None}])  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "model": "auto", "max_tokens": 100, "stream": True,
        "messages": [{"role": "user", "content": "Tell me."}],
    },
    "openai-responses": {"model": "auto", "stream": True, "input": "Tell me."},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Tell me."}]}]},
}  # fmt: skip
ADAPTERS = {"anthropic": "anthropic", "openai-responses": "openai_responses", "gemini": "gemini"}
every = pytest.mark.parametrize("name", [*BODIES])


def a_foreign_task(name: str) -> Task:
    body = json.dumps(BODIES[name]).encode()
    task = task_of(dialect_named(name).read_request(body), body)
    return replace(task, model="auto", stream=True, wants_stream_usage=True)


def breaks(*events: bytes) -> Reply:
    return streams([*events, None], cut=True)


def goes_on(words: list[str]) -> Reply:
    return streams([ROLE, *(a_chunk(word) for word in words), a_chunk(finish_reason="stop"), DONE])


def in_its_words(name: str, events: list[Event]) -> list[bytes]:
    """The beginning of a stream as a provider of that dialect sends it."""
    task = a_foreign_task(name)
    asked = dialect_named(name).read_request(task.body)
    writer = dialect_named(name).event_writer(asked)
    return [block for event in events if (block := writer.write([event]))]


async def seen_by(lab: Laboratory, task: Task, *models: str) -> bytes:
    seen = b""
    first, *others = models
    async for block in await lab.open(task, a_plan(first, fallbacks=tuple(others))):
        seen += block
        for group in lab.upstreams.values():
            for upstream in group:
                upstream.go_on.set()
    return seen


def one_stream(name: str, seen: bytes, text: str) -> list[Event]:
    """Asserts that it is one whole stream that says this text; gives its events."""
    events = dialect_named(name).event_reader().read(seen)
    assert sum(isinstance(one, Began) for one in events) == 1
    assert [one.finish for one in events if isinstance(one, Ended)] in (["stop"], ["tool_calls"])
    assert "".join(one.text for one in events if isinstance(one, TextPiece)) == text
    payloads = [data for one in sse.events(seen) if (data := sse.payload(one)) is not None]
    told = [json.loads(data) for data in payloads if data != b"[DONE]"]
    if name == "openai-responses":
        assert [one["sequence_number"] for one in told] == [*range(len(told))]
        assert len({one["response"]["id"] for one in told if "response" in one}) == 1
        whole = told[-1]["response"]
        said = [part for item in whole["output"] for part in item.get("content", ())]
        assert "".join(part["text"] for part in said) == text
    elif name == "anthropic":
        kinds = [one["type"] for one in told]
        assert (kinds.count("message_start"), kinds.count("message_stop")) == (1, 1)
        assert kinds[-1] == "message_stop"
        begun = [one["index"] for one in told if one["type"] == "content_block_start"]
        assert begun == [*range(len(begun))]
    else:
        assert len({one["responseId"] for one in told}) == 1
    return events


@every
@pytest.mark.parametrize("said", [0, 1, 3])
async def test_it_goes_on_as_it_began(name: str, said: int) -> None:
    first = breaks(ROLE, *(a_chunk(word) for word in WORDS[:said]))
    async with a_laboratory({"small": [first, goes_on(WORDS[said:])]}) as lab:
        seen = await seen_by(lab, a_foreign_task(name), "small")
        events = one_stream(name, seen, "".join(WORDS))
        counted = [one.usage for one in events if isinstance(one, Counted)]
        assert counted[-1].output_tokens > 0


@every
async def test_it_goes_on_elsewhere_when_its_own_provider_broke_it(name: str) -> None:
    spoken: list[Event] = [Began(id="r1", model="large", usage=Usage(input_tokens=7))]
    spoken += [TextPiece(text=word) for word in WORDS[:2]]
    first = breaks(*in_its_words(name, spoken))
    async with a_laboratory(
        {"large": [first], "small": [goes_on(WORDS[2:])]}, dialects={"large": ADAPTERS[name]}
    ) as lab:
        seen = await seen_by(lab, a_foreign_task(name), "large", "small")
        one_stream(name, seen, "".join(WORDS))


@every
async def test_a_call_of_a_tool_is_begun_once(name: str) -> None:
    def call(arguments: str) -> bytes:
        one = {"index": 0, "id": "call_1", "type": "function",
               "function": {"name": "look", "arguments": arguments}}  # fmt: skip
        delta = {"role": "assistant", "tool_calls": [one]}
        return a_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])

    again = streams([call('{"at": 1}'), a_chunk(finish_reason="tool_calls"), DONE])
    async with a_laboratory({"small": [breaks(call('{"at":')), again]}) as lab:
        seen = await seen_by(lab, a_foreign_task(name), "small")
        events = one_stream(name, seen, "")
        assert [one.name for one in events if isinstance(one, ToolBegan)] == ["look"]
        told = "".join(one.arguments for one in events if isinstance(one, ToolPiece))
        assert json.loads(told) == {"at": 1}
