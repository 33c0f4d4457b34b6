"""Recorded traffic of Anthropic is sent and read as it was meant, by clients of any dialect."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from messages_api import an_adapter
from recordings.calls import ABSENT, calls, every, found, kind_of, params
from recordings.meaning import normal
from recordings.recorded import Interaction
from tierwise.errors import OutOfService, UpstreamRejected
from tierwise.types import Usage
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.anthropic.request_reader import read_request
from tierwise.wire.conversation import Citation, Foreign, Reasoning, Text, ToolCall
from tierwise.wire.spoken import (
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)
from tierwise.wire.translate import task_of

COUNTS = params((name, one) for name, one in every() if one.path.endswith("/messages/count_tokens"))


@pytest.mark.parametrize("call", COUNTS)
def test_what_was_to_be_counted_means_the_same_when_it_was_read_and_written(
    call: Interaction,
) -> None:
    asked = read_request(call.asked, counting=True)
    again = json.loads(ANTHROPIC.write_request(asked))
    assert normal("anthropic", again) == normal("anthropic", call.question())


def expected_usage(usage: dict[str, Any]) -> Usage:
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    return Usage(
        input_tokens=usage["input_tokens"] + cached + written,
        output_tokens=usage["output_tokens"],
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=(usage.get("output_tokens_details") or {}).get("thinking_tokens", 0),
    )


@pytest.mark.parametrize("call", calls("anthropic", kinds=("whole",)))
def test_a_recorded_answer_is_read_as_it_was_meant(call: Interaction) -> None:
    said = json.loads(call.answered)
    asked = read_request(call.asked, counting=True)
    body = call.answered
    reply = an_adapter().reply(body, task_of(asked, call.asked))
    assert reply.body is body
    assert reply.reported_model == said["model"]
    assert reply.usage == expected_usage(said["usage"])
    completion = reply.completion()
    assert completion.text == "".join(b["text"] for b in said["content"] if b["type"] == "text")
    calls = [block for block in said["content"] if block["type"] == "tool_use"]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in completion.tool_calls] == [
        (call["id"], call["name"], call["input"]) for call in calls
    ]
    spoken = ANTHROPIC.read_reply(body)
    for call in calls:
        call.pop("caller", None)  # that the model itself calls goes without saying
    written = json.loads(ANTHROPIC.write_reply(spoken, asked))
    assert {**written, "usage": None} == {
        **{name: value for name, value in said.items() if value is not None},
        "usage": None,
        "stop_sequence": said["stop_sequence"],
    }


def spoken_by(stream: str) -> tuple[list[Any], dict[str, Any], str | None]:
    """Content, usage and the reason to stop of a stream, joined without the adapter's help."""
    content: list[Any] = []
    usage: dict[str, Any] = {}
    reason = None
    for line in stream.splitlines():
        if not line.startswith("data:"):
            continue
        event = json.loads(line[5:])
        match event["type"]:
            case "message_start":
                usage = event["message"]["usage"]
            case "content_block_start":
                content.append(event["content_block"])
            case "content_block_delta":
                extend(content[event["index"]], event["delta"])
            case "message_delta":
                usage = {**usage, **event["usage"]}
                reason = event["delta"]["stop_reason"]
    for block in content:
        if "json" in block:
            block["input"] = json.loads(block.pop("json") or "{}")
    return content, usage, reason


def extend(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["json"] = block.get("json", "") + delta["partial_json"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])


def cut(stream: bytes, seed: int) -> Iterator[bytes]:
    """The stream in pieces of any size."""
    sizes = random.Random(seed)
    at = 0
    while at < len(stream):
        size = sizes.choice((1, 5, 50, 500, 5000))
        yield stream[at : at + size]
        at += size


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("call", calls("anthropic", kinds=("stream",)))
def test_a_recorded_stream_is_read_as_it_was_meant_wherever_it_is_cut(
    call: Interaction, seed: int
) -> None:
    raw = call.answered
    content, usage, reason = spoken_by(raw.decode())
    asked = read_request(call.asked, counting=True)
    reader = an_adapter().stream_reader(task_of(asked, call.asked), keep=True)
    events, writer = ANTHROPIC.event_reader(), ANTHROPIC.event_writer(asked)
    passed, written = b"", b""
    read: list[Event] = []
    for piece in cut(raw, seed):
        block = reader.feed(piece)
        passed += block
        read += (found := events.read(block))
        written += writer.write(found)
    passed += reader.close()
    written += writer.close()
    assert passed == raw
    assert reader.finished
    assert reader.usage == expected_usage(usage)
    text = "".join(block["text"] for block in content if block["type"] == "text")
    assert reader.completion().text == text
    assert told(read) == told_by(content)
    again, counted, why = spoken_by(written.decode())
    assert without_places(told_by(again)) == without_places(told_by(content))
    assert (expected_usage(counted), why) == (expected_usage(usage), reason)


def without_places(what: dict[str, Any]) -> dict[str, Any]:
    """Events do not say where blocks of text begin, so that a citation may be about more."""
    return {**what, "cited": [citation for citation, *_ in what["cited"]]}


def told(events: list[Event]) -> dict[str, Any]:
    ended = [event for event in events if isinstance(event, Ended)]
    counted = [event for event in events if isinstance(event, Counted)]
    assert len(ended) == len(counted) == 1
    thoughts = [event for event in events if isinstance(event, ReasoningPiece)]
    begun = [event for event in events if isinstance(event, ToolBegan)]
    calls = {event.call: [event.id, event.name, ""] for event in begun}
    for event in events:
        if isinstance(event, ToolPiece):
            calls[event.call][2] += event.arguments
    return {
        "text": "".join(event.text for event in events if isinstance(event, TextPiece)),
        "thought": "".join(event.text for event in thoughts),
        "signed": "".join(event.signature or "" for event in thoughts),
        "redacted": [event.redacted for event in thoughts if event.redacted],
        "calls": [[*call[:2], json.loads(call[2])] for call in calls.values()],
        "foreign": [json.loads(bytes(e.raw)) for e in events if isinstance(e, ForeignPiece)],
        "cited": [place_of(event.citation) for event in events if isinstance(event, Cited)],
    }


def place_of(citation: Citation) -> Any:
    return json.loads(bytes(citation.raw)), citation.start, citation.end


def told_by(content: list[Any]) -> dict[str, Any]:
    def of(kind: str) -> list[Any]:
        return [block for block in content if block["type"] == kind]

    cited, place = [], 0
    for block in of("text"):
        begin, place = place, place + len(block["text"])
        cited += [(citation, begin, place) for citation in block.get("citations", ())]
    known = ("text", "thinking", "redacted_thinking", "tool_use")
    return {
        "text": "".join(block["text"] for block in of("text")),
        "thought": "".join(block["thinking"] for block in of("thinking")),
        "signed": "".join(block["signature"] for block in of("thinking")),
        "redacted": [block["data"] for block in of("redacted_thinking")],
        "calls": [[block["id"], block["name"], block["input"]] for block in of("tool_use")],
        "foreign": [block for block in content if block["type"] not in known],
        "cited": cited,
    }


@pytest.mark.parametrize("call", calls("anthropic", kinds=("error",)))
def test_a_recorded_error_is_what_it_says(
    call: Interaction,
) -> None:
    said, status = json.loads(call.answered), call.status
    error = an_adapter().error(status, {}, call.answered)
    expected = OutOfService if said["error"]["type"] == "not_found_error" else UpstreamRejected
    assert type(error) is expected
    assert (error.status, error.message) == (status, said["error"]["message"])


def test_every_kind_of_part_is_covered() -> None:
    whole = [call for _, call in found("anthropic") if kind_of(call) == "whole"]
    if not whole:
        pytest.skip(ABSENT)
    parts = [
        type(part)
        for call in whole
        for part in ANTHROPIC.read_reply(call.answered).choices[0].parts
    ]
    assert set(parts) == {Text, Reasoning, ToolCall, Foreign}
