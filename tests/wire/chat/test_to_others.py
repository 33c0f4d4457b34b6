"""What providers of Chat Completions answered in recordings, clients of every dialect read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat_recordings import recorded
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import Text, ToolCall
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Event, Spoken, TextPiece, ToolBegan, ToolPiece

CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")


def said(spoken: Spoken) -> tuple[str, list[tuple[str, Any]]]:
    parts = spoken.choices[0].parts
    text = "".join(part.text for part in parts if isinstance(part, Text))
    calls = [(one.name, json.loads(one.arguments)) for one in parts if isinstance(one, ToolCall)]
    return text, calls


@pytest.mark.parametrize("dialect", CLIENTS)
@pytest.mark.parametrize(("provider", "request_body", "response"), recorded("whole"))
def test_a_recorded_answer_is_read_by_clients_of_every_dialect(
    provider: str, request_body: dict[str, Any], response: dict[str, Any], dialect: str
) -> None:
    client = dialect_named(dialect)
    asked = CHAT.read_request(json.dumps(request_body).encode())
    spoken = CHAT.read_reply(json.dumps(response["parsed_body"]).encode())
    assert said(client.read_reply(client.write_reply(spoken, asked))) == said(spoken)


def told(events: list[Event]) -> tuple[str, list[str], dict[int, Any]]:
    text = "".join(event.text for event in events if isinstance(event, TextPiece))
    names = [event.name for event in events if isinstance(event, ToolBegan)]
    arguments: dict[int, str] = {}
    for event in events:
        if isinstance(event, ToolPiece):
            arguments[event.call] = arguments.get(event.call, "") + event.arguments
    return text, names, {call: json.loads(one) for call, one in arguments.items()}


@pytest.mark.parametrize("dialect", CLIENTS)
@pytest.mark.parametrize(("provider", "request_body", "response"), recorded("stream"))
def test_a_recorded_stream_is_read_by_clients_of_every_dialect(
    provider: str, request_body: dict[str, Any], response: dict[str, Any], dialect: str
) -> None:
    raw = response["body"]["string"].encode()
    if b'"error":' in raw:
        pytest.skip("the provider reported an error in it")
    client = dialect_named(dialect)
    writer = client.event_writer(CHAT.read_request(json.dumps(request_body).encode()))
    events = CHAT.event_reader().read(raw)
    again = client.event_reader().read(writer.write(events) + writer.close())
    assert told(again) == told(events)


@pytest.mark.parametrize("dialect", [*CLIENTS, "cohere"])
@pytest.mark.parametrize(
    ("provider", "request_body", "response"), recorded("whole", "stream", "error")
)
def test_a_recorded_request_can_be_asked_of_every_provider(
    provider: str, request_body: dict[str, Any], response: dict[str, Any], dialect: str
) -> None:
    asked = CHAT.read_request(json.dumps(request_body).encode())
    body = dialect_named(dialect).write_request(asked)
    last = next(
        (
            part.text
            for turn in reversed(asked.turns)
            for part in reversed(turn.parts)
            if isinstance(part, Text)
        ),
        "",
    )
    assert json.dumps(last, ensure_ascii=False).encode() in body
