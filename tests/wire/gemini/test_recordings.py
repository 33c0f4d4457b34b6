"""Recorded requests and answers of Gemini are read as they were meant, and written so."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from recordings.calls import calls, objects_of
from recordings.recorded import Interaction
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.conversation import Part, Reasoning, Refusal, Text, ToolCall
from tierwise.wire.gemini import GEMINI
from tierwise.wire.spoken import (
    Counted,
    Ended,
    Event,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

GOOGLE = ("gemini", "vertex")


def said(parts: list[Any], *, thought: bool = False) -> str:
    return "".join(part.get("text", "") for part in parts if bool(part.get("thought")) is thought)


def called(parts: list[Any]) -> list[tuple[str, Any]]:
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    return [(call["name"], call.get("args", {})) for call in calls]


def counted(usage: dict[str, int]) -> tuple[int, int, int]:
    read = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    thoughts = usage.get("thoughtsTokenCount", 0)
    return read, usage.get("candidatesTokenCount", 0) + thoughts, thoughts


def check(parts: list[Part], finish: str | None, usage: Usage | None, answers: list[Any]) -> None:
    """That this is what the recorded answers say."""
    feedback = answers[-1].get("promptFeedback")
    if feedback:
        assert [part for part in parts if isinstance(part, Refusal)]
        assert finish == "filter"
        return
    candidates = [one for answer in answers for one in answer["candidates"]]
    raw = [part for one in candidates for part in one["content"].get("parts", ())]
    assert "".join(part.text for part in parts if isinstance(part, Text)) == said(raw)
    thoughts = "".join(part.text for part in parts if isinstance(part, Reasoning))
    assert thoughts == said(raw, thought=True)
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == called(raw)
    assert len({call.id for call in calls}) == len(calls)
    reason = candidates[-1]["finishReason"]
    expected = {"STOP": "tool_calls" if calls else "stop", "SAFETY": "filter"}[reason]
    assert finish == expected
    signatures = [part["thoughtSignature"] for part in raw if "thoughtSignature" in part]
    assert [one for part in parts if (one := getattr(part, "signature", None))] == signatures
    assert usage is not None
    got = usage.input_tokens, usage.output_tokens, usage.reasoning_tokens
    assert got == counted(answers[-1]["usageMetadata"])
    cached = answers[-1]["usageMetadata"].get("cachedContentTokenCount", 0)
    assert usage.cached_input_tokens == cached


@pytest.mark.parametrize("call", calls(*GOOGLE, kinds=("whole",)))
def test_a_recorded_answer_is_read_as_it_was_meant(call: Interaction) -> None:
    spoken = GEMINI.read_reply(call.answered)
    (answer,) = objects_of(call)
    assert (spoken.id, spoken.model) == (answer["responseId"], answer["modelVersion"])
    (choice,) = spoken.choices
    check(list(choice.parts), choice.finish, spoken.usage, [answer])
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    for part in choice.parts:
        for citation in getattr(part, "citations", ()):
            assert citation.url
            assert citation.quoted == text[citation.start : citation.end]


def joined(events: list[Event]) -> tuple[list[Part], str | None, Usage | None]:
    """The answer that events say."""
    parts: list[Part] = []
    finish: str | None = None
    usage: Usage | None = None
    for event in events:
        match event:
            case TextPiece():
                parts.append(Text(text=event.text, signature=event.signature))
            case ReasoningPiece():
                parts.append(Reasoning(text=event.text, signature=event.signature))
            case RefusalPiece():
                parts.append(Refusal(text=event.text))
            case ToolBegan():
                call = ToolCall(
                    id=event.id, name=event.name, arguments="", signature=event.signature
                )
                parts.append(call)
            case ToolPiece():
                last = parts.pop()
                assert isinstance(last, ToolCall)
                parts.append(
                    ToolCall(
                        id=last.id,
                        name=last.name,
                        arguments=last.arguments + event.arguments,
                        signature=last.signature,
                    )
                )
            case Ended():
                finish = event.finish
            case Counted():
                usage = event.usage
    return parts, finish, usage


def blocks(stream: bytes, seed: int) -> list[bytes]:
    """A stream as it may come from a network, in blocks of complete events."""
    drawn = random.Random(seed)
    buffer = sse.EventBuffer()
    out = []
    while stream:
        size = drawn.randint(1, 700)
        if block := buffer.feed(stream[:size]):
            out.append(block)
        stream = stream[size:]
    assert buffer.rest == b""
    return out


@pytest.mark.parametrize("call", calls(*GOOGLE, kinds=("stream",)))
@pytest.mark.parametrize("seed", range(3))
def test_a_recorded_stream_is_read_as_it_was_meant_however_it_is_cut(
    call: Interaction, seed: int
) -> None:
    reader = GEMINI.event_reader()
    events = [event for block in blocks(call.answered, seed) for event in reader.read(block)]
    parts, finish, usage = joined(events)
    check(parts, finish, usage, objects_of(call))


@pytest.mark.parametrize("call", calls(*GOOGLE, kinds=("stream",)))
def test_a_recorded_stream_is_written_as_it_was_meant(call: Interaction) -> None:
    thinking = b'{"thinkingConfig":{"includeThoughts":true}}'
    body = b'{"contents":{"parts":{"text":"x"}},"generationConfig":' + thinking + b"}"
    writer = GEMINI.event_writer(GEMINI.read_request(body))
    out = writer.write(GEMINI.event_reader().read(call.answered)) + writer.close()
    parts, finish, usage = joined(GEMINI.event_reader().read(out))
    check(parts, finish, usage, objects_of(call))
