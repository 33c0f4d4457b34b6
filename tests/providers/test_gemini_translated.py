"""Clients of every dialect read what Gemini answered in recorded traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_deployment
from gemini_recordings import Recorded, recorded
from tierwise.providers.gemini import Gemini
from tierwise.providers.translating import speaking
from tierwise.types import Task, Usage
from tierwise.wire import sse
from tierwise.wire.conversation import Text, ToolCall
from tierwise.wire.dialect import Dialect, dialect_named
from tierwise.wire.features import unsupported
from tierwise.wire.gemini import GEMINI
from tierwise.wire.spoken import Counted, Ended, Event, Spoken, TextPiece, ToolBegan, ToolPiece

CLIENTS = ("openai-chat", "openai-responses", "anthropic")
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
Told = tuple[str, list[tuple[str, Any]], str | None]


def asked_in(client: Dialect, exchange: Recorded) -> Task:
    """The recorded request as a client of another dialect asks it.

    Of one that it has no words for, only the answer is of interest, and something else is asked.
    """
    asked = GEMINI.read_request(json.dumps(exchange.request or HELLO).encode())
    if unsupported(asked, client.name):
        asked = GEMINI.read_request(json.dumps(HELLO).encode())
    asked = replace(asked, model="auto", stream=exchange.streams, stream_usage=exchange.streams)
    asked = replace(asked, max_tokens=asked.max_tokens or 4096)
    return Task(
        body=client.write_request(asked),
        model="auto",
        messages=[],
        dialect=client.name,
        stream=exchange.streams,
        wants_stream_usage=exchange.streams,
    )


def told(spoken: Spoken) -> Told:
    (choice,) = spoken.choices
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    # Anthropic has one word for both.
    finish = "filter" if choice.finish == "refusal" else choice.finish
    return text, [(call.name, json.loads(call.arguments)) for call in calls], finish


def told_by(events: list[Event]) -> tuple[Told, Usage | None]:
    text, finish, usage = "", None, None
    calls: dict[int, list[str]] = {}
    for event in events:
        match event:
            case TextPiece():
                text += event.text
            case ToolBegan():
                calls[event.call] = [event.name, ""]
            case ToolPiece():
                calls[event.call][1] += event.arguments
            case Ended():
                finish = event.finish
            case Counted():
                usage = event.usage
    made = [(name, json.loads(arguments)) for name, arguments in calls.values()]
    return (text, made, finish), usage


def alike(ours: Usage | None, theirs: Usage | None) -> None:
    assert ours is not None
    assert theirs is not None
    assert ours.input_tokens == theirs.input_tokens
    assert ours.output_tokens == theirs.output_tokens
    assert ours.cached_input_tokens == theirs.cached_input_tokens


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("exchange", recorded())
def test_a_client_of_another_dialect_reads_the_same(exchange: Recorded, name: str) -> None:
    client = dialect_named(name)
    task = asked_in(client, exchange)
    place = a_deployment(exchange.model, upstream_model=exchange.model, base_url="http://g")
    adapter = speaking(Gemini(place), task)
    sent = adapter.request(task).body
    assert sent is not None
    assert GEMINI.read_request(sent).turns
    if "error" in exchange.answers()[0] or "promptFeedback" in exchange.answers()[0]:
        return
    if not exchange.streams:
        native = GEMINI.read_reply(exchange.body)
        got = client.read_reply(adapter.reply(exchange.body, task).body)
        if native.usage is not None:
            alike(got.usage, native.usage)
        assert told(got) == told(native)
        return
    reader = adapter.stream_reader(task)
    out = b"".join(reader.feed(exchange.body[i : i + 97]) for i in range(0, len(exchange.body), 97))
    out += reader.close()
    assert all(sse.is_event(event) for event in sse.events(out))
    expected, usage = told_by(GEMINI.event_reader().read(exchange.body))
    got_, got_usage = told_by(client.event_reader().read(out))
    assert got_ == expected
    alike(got_usage, usage)
