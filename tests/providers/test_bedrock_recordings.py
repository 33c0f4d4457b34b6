"""Recorded Converse traffic: answers and streams are read."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import unquote

import pytest

from builders import a_deployment
from recordings.calls import calls
from recordings.recorded import Interaction
from tierwise.providers.bedrock import Bedrock
from tierwise.types import Task
from tierwise.wire.bedrock import BEDROCK
from tierwise.wire.conversation import Reasoning, Text, ToolCall
from tierwise.wire.eventstream import FrameBuffer
from tierwise.wire.spoken import (
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)


def model_of(call: Interaction) -> str:
    return unquote(call.path.partition("/model/")[2].rpartition("/")[0])


def an_adapter(model: str) -> Bedrock:
    return Bedrock(
        a_deployment(
            "m", "bedrock", dialect="bedrock", upstream_model=model, region="us-east-1", api_key="k"
        )
    )


@pytest.mark.parametrize("call", calls("bedrock", kinds=("whole", "error")))
def test_a_recorded_answer_is_read(call: Interaction) -> None:
    task = Task(body=b"{}", model="m", messages=[], dialect="bedrock")
    recorded, raw, model = json.loads(call.answered), call.answered, model_of(call)
    if call.status != 200:
        error = an_adapter(model).error(call.status, {}, raw)
        assert error.message == recorded["message"]
        assert error.kind == "out_of_service"
        return
    reply = an_adapter(model).reply(raw, task)
    (choice,) = BEDROCK.read_reply(reply.body).choices
    content = recorded["output"]["message"]["content"]
    assert len(choice.parts) == len(content)
    for part, block in zip(choice.parts, content, strict=True):
        match part:
            case Text():
                assert part.text == block["text"]
            case ToolCall():
                call = block["toolUse"]
                assert (part.id, part.name) == (call["toolUseId"], call["name"])
                assert json.loads(part.arguments) == call["input"]
            case Reasoning():
                said = block["reasoningContent"]["reasoningText"]
                assert (part.text, part.signature) == (said["text"], said.get("signature"))
            case _:
                pytest.fail(f"{block} was read as {part}")
    finishes = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}
    assert choice.finish == finishes[recorded["stopReason"]]
    counts = recorded["usage"]
    usage = reply.usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == counts["totalTokens"]
    assert usage.cached_input_tokens == counts.get("cacheReadInputTokens", 0)
    assert usage.cache_write_tokens == counts.get("cacheWriteInputTokens", 0)


@pytest.mark.parametrize("call", calls("bedrock", kinds=("stream",)))
def test_a_recorded_stream_is_read_however_it_is_cut(call: Interaction) -> None:
    stream = call.answered
    expected = said_by(stream)
    chance = random.Random(stream[:100])
    for cuts in (0, 1, 5, 40):
        assert summary(replayed(model_of(call), stream, cuts, chance)) == expected


def replayed(model: str, stream: bytes, cuts: int, chance: random.Random) -> list[Event]:
    places = sorted(chance.randrange(len(stream)) for _ in range(cuts))
    task = Task(body=b"{}", model="m", messages=[], dialect="bedrock", stream=True)
    reader = an_adapter(model).stream_reader(task)
    events = BEDROCK.event_reader()
    found: list[Event] = []
    for begin, end in zip([0, *places], [*places, len(stream)], strict=True):
        found += events.read(reader.feed(stream[begin:end]))
    found += events.read(reader.close())
    assert reader.finished
    counted = next(event.usage for event in found if isinstance(event, Counted))
    assert reader.usage == counted
    return found


def summary(events: list[Event]) -> dict[str, Any]:
    calls = [(one.id, one.name) for one in events if isinstance(one, ToolBegan)]
    arguments = ["" for _ in calls]
    for one in events:
        if isinstance(one, ToolPiece):
            arguments[one.call] += one.arguments
    return {
        "text": "".join(one.text for one in events if isinstance(one, TextPiece)),
        "thought": "".join(one.text for one in events if isinstance(one, ReasoningPiece)),
        "sealed": sum(1 for one in events if isinstance(one, ReasoningPiece) and one.redacted),
        "calls": calls,
        "arguments": arguments,
        "own": sum(1 for one in events if isinstance(one, ForeignPiece)),
        "finish": next(one.reported for one in events if isinstance(one, Ended)),
        "tokens": next(
            one.usage.input_tokens + one.usage.output_tokens
            for one in events
            if isinstance(one, Counted)
        ),
    }


def said_by(stream: bytes) -> dict[str, Any]:
    """The same, worked out from the frames by themselves."""
    found: dict[str, Any] = {"text": "", "thought": "", "calls": [], "arguments": []}
    sealed: set[int] = set()
    own: set[int] = set()
    for headers, payload in FrameBuffer().feed(stream):
        said, kind = json.loads(payload), headers[":event-type"]
        index = said.get("contentBlockIndex", -1)
        begun, delta = said.get("start", {}), said.get("delta", {})
        if begun.get("toolUse", {}).get("type") == "server_tool_use" or "toolResult" in begun:
            own.add(index)
        elif "toolUse" in begun:
            call = begun["toolUse"]
            found["calls"].append((call["toolUseId"], call["name"]))
            found["arguments"].append("")
        found["text"] += delta.get("text", "")
        thought = delta.get("reasoningContent", {})
        found["thought"] += thought.get("text", "")
        if "redactedContent" in thought:
            sealed.add(index)
        if "toolUse" in delta and index not in own:
            found["arguments"][-1] += delta["toolUse"]["input"]
        if kind == "messageStop":
            found["finish"] = said["stopReason"]
        if kind == "metadata":
            found["tokens"] = said["usage"]["totalTokens"]
    return {**found, "sealed": len(sealed), "own": len(own)}
