"""Recorded chat completions of real providers mean the same in words of no dialect."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from recordings.calls import calls
from recordings.recorded import Interaction
from tierwise.errors import ServerFailed
from tierwise.wire import sse
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import Reasoning, Refusal, Text, ToolCall
from tierwise.wire.spoken import (
    Counted,
    Ended,
    Event,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

FAMILY = ("openai_compatible", "mistral")


def text_of(content: Any, kind: str) -> str:
    if isinstance(content, str):
        return content if kind == "text" else ""
    pieces = [one[kind] for one in content or () if one["type"] == kind]
    return "".join(one if isinstance(one, str) else text_of(one, "text") for one in pieces)


def thought_in(said: dict[str, Any]) -> str:
    details = said.get("reasoning_details") or ()
    detailed = "".join(one.get("text") or one.get("summary") or "" for one in details)
    plain = said.get("reasoning_content") or said.get("reasoning") or ""
    return detailed or plain or text_of(said.get("content"), "thinking")


@pytest.mark.parametrize("call", calls(*FAMILY, kinds=("whole",)))
def test_a_recorded_answer_says_the_same(call: Interaction) -> None:
    asked = CHAT.read_request(call.asked)
    body = json.loads(call.answered)
    message = body["choices"][0]["message"]
    spoken = CHAT.read_reply(json.dumps(body).encode())
    for one in (spoken, CHAT.read_reply(CHAT.write_reply(spoken, asked))):
        choice = one.choices[0]
        said = [part.text for part in choice.parts if isinstance(part, Text)]
        refused = [part.text for part in choice.parts if isinstance(part, Refusal)]
        thought = [part.text for part in choice.parts if isinstance(part, Reasoning)]
        calls = [
            {"name": part.name, "arguments": part.arguments}
            for part in choice.parts
            if isinstance(part, ToolCall)
        ]
        assert "".join(said) == text_of(message.get("content"), "text")
        assert "".join(refused) == (message.get("refusal") or "")
        assert "".join(thought) == thought_in(message)
        assert calls == [call["function"] for call in message.get("tool_calls") or ()]
        assert choice.finish == body["choices"][0]["finish_reason"]
        assert one.usage is not None
        assert one.usage.input_tokens == body["usage"]["prompt_tokens"]
        assert (one.id, one.model, one.created) == (body["id"], body["model"], body["created"])
    cited = [part.citations for part in spoken.choices[0].parts if isinstance(part, Text)]
    urls = [one["url_citation"]["url"] for one in message.get("annotations") or ()]
    assert [one.url for some in cited for one in some] == urls


def heard(events: list[Event]) -> tuple[Any, ...]:
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolBegan):
            calls[event.call] = [event.id, event.name, ""]
        elif isinstance(event, ToolPiece):
            calls[event.call][2] += event.arguments
    return (
        "".join(event.text for event in events if isinstance(event, TextPiece)),
        "".join(event.text for event in events if isinstance(event, ReasoningPiece)),
        calls,
        [event.finish for event in events if isinstance(event, Ended)],
        [event.usage for event in events if isinstance(event, Counted)][-1:],
    )


def read_cut(stream: bytes, seed: int) -> list[Event]:
    """The events of a stream that comes in pieces of any size."""
    chance = random.Random(seed)
    buffer, reader = sse.EventBuffer(), CHAT.event_reader()
    events: list[Event] = []
    while stream:
        size = chance.randint(1, 200)
        events += reader.read(buffer.feed(stream[:size]))
        stream = stream[size:]
    return events + reader.read(buffer.rest + b"\n\n")


def expected(raw: bytes) -> tuple[Any, ...]:
    """What the chunks say, joined without the reader's help."""
    text, thought, finish = "", "", []
    calls: dict[int, list[str]] = {}
    payloads = [sse.payload(event) for event in sse.events(raw)]
    read = [json.loads(data) for data in payloads if data not in (None, b"[DONE]")]
    for choice in (choice for one in read for choice in one["choices"]):
        delta = choice["delta"]
        text += text_of(delta.get("content"), "text")
        thought += thought_in(delta)
        for call in delta.get("tool_calls") or ():
            known = calls.setdefault(call["index"], ["", "", ""])
            known[0] = call.get("id") or known[0]
            known[1] = call["function"].get("name") or known[1]
            known[2] += call["function"].get("arguments") or ""
        if choice.get("finish_reason") and not finish:
            finish.append(choice["finish_reason"])
    return text, thought, calls, finish


@pytest.mark.parametrize("call", calls(*FAMILY, kinds=("stream",)))
def test_a_recorded_stream_says_the_same_cut_anywhere(call: Interaction) -> None:
    asked = CHAT.read_request(json.dumps({**call.question(), "stream_options": None}).encode())
    raw = call.answered
    if b'"error":' in raw:
        with pytest.raises(ServerFailed):
            read_cut(raw, 0)
        return
    events = read_cut(raw, 1)
    assert heard(events)[:4] == expected(raw)
    assert heard(events)[4]
    writer = CHAT.event_writer(asked)
    again = writer.write(events) + writer.close()
    assert heard(read_cut(again, 2))[:4] == expected(raw)
    assert again.endswith(b"data: [DONE]\n\n")
