"""Streams of Chat Completions say the same, however they are cut, and clients can read them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.chat import ChatCompletionChunk

from tierwise.errors import ServerFailed
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import Citation, Conversation
from tierwise.wire.overlap import Replay
from tierwise.wire.sent import read_sent
from tierwise.wire.splice import Splicer
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

ASKED = Conversation(dialect="openai-chat", model="m", turns=(), stream=True, stream_usage=True)
BEGAN = Began(id="c", model="m", created=1)
USAGE = Usage(input_tokens=5, output_tokens=3, cached_input_tokens=2, reasoning_tokens=1)


def chunk(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**body, "choices": choices}).encode() + b"\n\n"


def read(*blocks: bytes) -> list[Event]:
    reader = CHAT.event_reader()
    return [event for block in blocks for event in reader.read(block)]


def written(*events: Event, asked: Conversation = ASKED) -> bytes:
    writer = CHAT.event_writer(asked)
    return b"".join(writer.write([event]) for event in events) + writer.close()


def chunks(stream: bytes) -> list[ChatCompletionChunk]:
    """As a client with OpenAI's package reads them."""
    payloads = [sse.payload(event) for event in sse.events(stream)]
    assert payloads[-1] == b"[DONE]"
    return [
        ChatCompletionChunk.model_validate_json(data, strict=True)
        for data in payloads[:-1]
        if data is not None
    ]


def test_all_that_chunks_say_is_read() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    events = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "Hel"}) + chunk({"content": "lo"}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}\n\n',
        b"data: [DONE]\n\n",
    )
    assert events == [
        BEGAN,
        ReasoningPiece(text="Hm.", origin="openai-chat", begins=True),
        TextPiece(text="Hel"),
        TextPiece(text="lo"),
        ToolBegan(call=0, id="a", name="f"),
        ToolPiece(call=0, arguments="{}"),
        Ended(finish="tool_calls", reported="tool_calls"),
        Counted(usage=Usage(input_tokens=5, output_tokens=3)),
    ]


def test_whole_calls_with_one_and_the_same_index_are_several() -> None:
    calls = [
        {"index": 0, "id": id_, "function": {"name": "f", "arguments": "{}"}} for id_ in ("a", "b")
    ]
    events = read(chunk({"tool_calls": calls[:1]}), chunk({"tool_calls": calls[1:]}, "stop"))
    began = [event for event in events if isinstance(event, ToolBegan)]
    assert [(event.call, event.id) for event in began] == [(0, "a"), (1, "b")]
    assert events[-1] == Ended(finish="tool_calls", reported="stop")


def test_calls_without_index_or_id_are_told_apart() -> None:
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in ("f", "g")]
    events = read(chunk({"tool_calls": calls}))
    began = [(event.name, event.id) for event in events if isinstance(event, ToolBegan)]
    assert began == [("f", "call_0_0"), ("g", "call_0_1")]


def test_arguments_that_come_before_the_name_wait_for_it() -> None:
    events = read(
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "}"}}]}),
    )
    assert events[1] == ToolBegan(call=0, id="a", name="f")
    told = [event.arguments for event in events if isinstance(event, ToolPiece)]
    assert "".join(told) == "{}"


def test_openrouters_signature_belongs_to_the_thought_before_it() -> None:
    events = read(
        chunk(
            {
                "reasoning": "Hm.",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "Hm.",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    }
                ],
            }
        ),
        chunk(
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "signature": "s",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    }
                ]
            }
        ),
    )
    assert events[1:] == [
        ReasoningPiece(text="Hm.", origin="anthropic", begins=True),
        ReasoningPiece(signature="s", origin="anthropic"),
    ]


def test_a_chunk_that_only_judges_the_prompt_begins_nothing() -> None:
    judged = b'data: {"choices":[],"id":"","model":"","prompt_filter_results":[{"a":1}]}\n\n'
    assert read(judged, chunk({"content": "Hi"}))[0] == BEGAN


def test_an_error_in_the_stream_ends_it() -> None:
    with pytest.raises(ServerFailed, match="overloaded"):
        read(chunk({"content": "Hi"}), b'data: {"error":{"message":"overloaded"}}\n\n')


def test_the_role_is_said_first_and_once() -> None:
    found = chunks(written(BEGAN, TextPiece(text="a"), TextPiece(text="b"), Ended(finish="stop")))
    assert [one.choices[0].delta.role for one in found] == ["assistant", None, None, None]
    assert found[-1].choices[0].finish_reason == "stop"
    assert {one.id for one in found} == {"c"}


def test_the_usage_is_told_last_to_those_who_asked_for_it() -> None:
    events = (BEGAN, Counted(usage=Usage(input_tokens=5)), TextPiece(text="a"))
    told = chunks(written(*events, Counted(usage=USAGE)))[-1]
    assert told.choices == []
    assert told.usage is not None
    assert told.usage.total_tokens == 8
    assert told.usage.prompt_tokens_details is not None
    assert told.usage.prompt_tokens_details.cached_tokens == 2
    silent = Conversation(dialect="openai-chat", model="m", turns=(), stream=True)
    assert all(one.usage is None for one in chunks(written(*events, asked=silent)))


def test_usage_that_is_known_from_the_beginning_is_told() -> None:
    began = Began(id="c", model="m", usage=USAGE)
    told = chunks(written(began, TextPiece(text="a")))[-1]
    assert told.usage is not None
    assert told.usage.total_tokens == 8


def test_openais_package_reads_calls_in_pieces() -> None:
    found = chunks(
        written(
            BEGAN,
            ToolBegan(call=0, id="a", name="f"),
            ToolPiece(call=0, arguments="{}"),
            ToolBegan(call=1, id="b", name="g"),
            Ended(finish="tool_calls"),
        )
    )
    pieces = [piece for one in found for piece in one.choices[0].delta.tool_calls or ()]
    assert [(piece.index, piece.id) for piece in pieces] == [(0, "a"), (0, None), (1, "b")]
    assert pieces[1].function is not None
    assert pieces[1].function.arguments == "{}"


def test_who_asked_with_functions_reads_a_call_of_one() -> None:
    asked = Conversation(dialect="openai-chat", model="m", turns=(), functions=True)
    events = (ToolBegan(call=0, id="a", name="f"), ToolPiece(call=0, arguments="{}"))
    found = chunks(written(BEGAN, *events, Ended(finish="tool_calls"), asked=asked))
    called = [one.choices[0].delta.function_call for one in found]
    assert [one.name for one in called if one is not None] == ["f", None]
    assert found[-1].choices[0].finish_reason == "function_call"


def test_a_citation_of_another_dialect_becomes_an_annotation() -> None:
    citation = Citation(url="https://a", title="A", origin="anthropic")
    found = chunks(written(BEGAN, TextPiece(text="a"), Cited(citation=citation)))
    delta = found[-1].choices[0].delta
    assert delta.model_extra is not None
    assert delta.model_extra["annotations"][0]["url_citation"]["url"] == "https://a"


def test_pieces_of_other_dialects_are_left_out() -> None:
    piece = ForeignPiece(origin="anthropic", what="server_tool_use", raw=Raw(b"{}"))
    assert written(BEGAN, piece) == b"data: [DONE]\n\n"


def test_a_signed_thought_can_be_put_together_from_its_details() -> None:
    found = chunks(
        written(
            BEGAN,
            ReasoningPiece(text="H", origin="anthropic", begins=True),
            ReasoningPiece(text="m.", origin="anthropic"),
            ReasoningPiece(signature="s", origin="anthropic"),
            ReasoningPiece(redacted="x", origin="anthropic", begins=True),
            TextPiece(text="Hi"),
        )
    )
    extras = [one.choices[0].delta.model_extra or {} for one in found]
    details = [detail for extra in extras for detail in extra.get("reasoning_details", ())]
    assert "".join(extra.get("reasoning_content", "") for extra in extras) == "Hm."
    assert "".join(detail.get("text", "") for detail in details) == "Hm."
    assert [detail.get("signature") for detail in details] == [None, None, "s", None]
    assert [detail["index"] for detail in details] == [0, 0, 0, 1]
    assert {detail["format"] for detail in details} == {"anthropic-claude-v1"}


def test_what_was_sent_can_be_continued_by_another() -> None:
    sent = read_sent(written(BEGAN, TextPiece(text="Hel"), ToolBegan(call=0, id="a", name="f")))
    assert (sent.text, sent.calls[0].name, sent.odd) == ("Hel", "f", "")
    assert sent.roles == {0}


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
pieces = st.lists(
    st.builds(TextPiece, text=text)
    | st.builds(RefusalPiece, text=text)
    | st.builds(ReasoningPiece, text=text, origin=st.sampled_from(["openai-chat", "anthropic"])),
    max_size=6,
)
calls = st.lists(st.tuples(text, text, st.lists(text, max_size=3), st.booleans()), max_size=3)


def told(events: Iterable[Event]) -> dict[str, Any]:
    """What a client knows in the end."""
    seen: dict[str, Any] = {"text": "", "thought": "", "refused": "", "calls": {}, "end": None}
    for event in events:
        match event:
            case TextPiece():
                seen["text"] += event.text
            case ReasoningPiece():
                seen["thought"] += event.text
            case RefusalPiece():
                seen["refused"] += event.text
            case ToolBegan():
                seen["calls"][event.call] = [event.id, event.name, event.custom, ""]
            case ToolPiece():
                seen["calls"][event.call][3] += event.arguments
            case Ended():
                seen["end"] = event.finish
            case Counted():
                seen["usage"] = event.usage
    return seen


def unique(found: list[tuple[str, str, list[str], bool]]) -> list[Event]:
    events: list[Event] = []
    for number, (id_, name, arguments, custom) in enumerate(found):
        events.append(ToolBegan(call=number, id=f"{id_}{number}", name=name, custom=custom))
        events += [ToolPiece(call=number, arguments=piece) for piece in arguments]
    return events


@settings(deadline=None)
@given(pieces, calls, st.sampled_from(["length", "filter"]), st.integers(0, 1000))
def test_events_that_are_written_and_read_tell_the_same_cut_anywhere(
    found: list[Event], made: list[Any], finish: Any, seed: int
) -> None:
    events = [BEGAN, *found, *unique(made), Ended(finish=finish), Counted(usage=USAGE)]
    stream = written(*events)
    buffer, reader, chance = sse.EventBuffer(), CHAT.event_reader(), random.Random(seed)
    again: list[Event] = []
    while stream:
        size = chance.randint(1, 100)
        again += reader.read(buffer.feed(stream[:size]))
        stream = stream[size:]
    assert again[0] == BEGAN
    assert told(again) == told(events)


def test_two_streams_become_one_answer() -> None:
    writer = CHAT.event_writer(ASKED)
    first = writer.write([BEGAN, TextPiece(text="Paris is"), TextPiece(text=" the cap")])
    second = written(
        Began(id="other", model="n", created=2),
        TextPiece(text="Paris is the"),
        TextPiece(text=" capital."),
        Ended(finish="stop"),
        Counted(usage=USAGE),
    )
    sent = read_sent(first)
    found = chunks(first + Splicer(sent, Replay(sent.text)).feed(second))
    deltas = [choice.delta for one in found for choice in one.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Paris is the capital."
    assert {one.id for one in found} == {"c"}
    assert [delta.role for delta in deltas if delta.role is not None] == ["assistant"]
    assert found[-1].usage is not None
