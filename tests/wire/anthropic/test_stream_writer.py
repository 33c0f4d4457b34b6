"""Events are written as a stream whose blocks come in order, each with its beginning and end."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from messages_api import asked, events_of
from tierwise.types import Usage
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.conversation import Citation
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

BEGAN = Began(id="chatcmpl-1", model="m")


def written(*events: Event) -> list[dict[str, Any]]:
    writer = ANTHROPIC.event_writer(asked(stream=True))
    return events_of(b"".join(writer.write([event]) for event in events) + writer.close())


def blocks(*events: Event) -> list[Any]:
    """The content that a client puts together; every block is begun, filled and ended in turn."""
    content: list[Any] = []
    is_open = False
    for event in written(BEGAN, *events)[1:-2]:
        if event["type"] == "content_block_start":
            assert not is_open
            assert event["index"] == len(content)
            content.append([event["content_block"]])
        else:
            assert is_open
            assert event["index"] == len(content) - 1
        is_open = event["type"] != "content_block_stop"
        if event["type"] == "content_block_delta":
            content[-1].append(event["delta"])
    assert not is_open
    return content


def test_messages_that_have_no_name_get_one_each() -> None:
    names = {written(Began(id="", model="m"))[0]["message"]["id"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("msg_") for name in names)


TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}


def a_tool(name: str, call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def arguments(text: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


def test_a_text_is_framed_as_a_message() -> None:
    usage = Usage(input_tokens=30, output_tokens=5, cached_input_tokens=10, reasoning_tokens=2)
    texts = (TextPiece(text="He"), TextPiece(text="llo"))
    events = written(BEGAN, *texts, Ended(finish="stop"), Counted(usage=usage))
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"] == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert events[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 10,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_what_was_read_is_said_at_the_beginning_where_it_is_known() -> None:
    start, *_ = written(Began(id="1", model="m", usage=Usage(input_tokens=9)))
    assert start["message"]["usage"]["input_tokens"] == 9


def test_thoughts_of_others_have_no_signature_and_each_is_a_block() -> None:
    assert blocks(
        ReasoningPiece(text="a", begins=True, signature="x", origin="gemini"),
        ReasoningPiece(text="b", origin="gemini"),
        ReasoningPiece(text="c", begins=True),
        ReasoningPiece(signature="x", origin="gemini"),
        ReasoningPiece(redacted="x", origin="openai-responses", begins=True),
        TextPiece(text="t"),
    ) == [
        [
            THINKING,
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "thinking_delta", "thinking": "b"},
        ],
        [THINKING, {"type": "thinking_delta", "thinking": "c"}],
        [TEXT, {"type": "text_delta", "text": "t"}],
    ]


def test_thoughts_of_anthropic_keep_signature_and_redaction() -> None:
    assert blocks(
        ReasoningPiece(begins=True, origin="anthropic"),
        ReasoningPiece(signature="s", origin="anthropic"),
        ReasoningPiece(redacted="r", origin="anthropic", begins=True),
    ) == [
        [THINKING, {"type": "signature_delta", "signature": "s"}],
        [{"type": "redacted_thinking", "data": "r"}],
    ]


def test_calls_in_turn_are_blocks_in_turn() -> None:
    assert blocks(
        TextPiece(text="t"),
        ToolBegan(call=0, id="c0", name="f"),
        ToolPiece(call=0, arguments='{"a":'),
        ToolPiece(call=0, arguments="1}"),
        ToolBegan(call=1, id="c1", name="g"),
        ToolPiece(call=1, arguments="{}"),
    ) == [
        [TEXT, {"type": "text_delta", "text": "t"}],
        [a_tool("f", "c0"), arguments('{"a":'), arguments("1}")],
        [a_tool("g", "c1"), arguments("{}")],
    ]


def test_calls_whose_pieces_come_in_turns_wait_for_each_other() -> None:
    assert blocks(
        ToolBegan(call=0, id="c0", name="f"),
        ToolBegan(call=1, id="c1", name="g"),
        ToolPiece(call=1, arguments='{"b"'),
        ToolPiece(call=0, arguments='{"a":1}'),
        ToolPiece(call=1, arguments=":2}"),
        TextPiece(text="t"),
    ) == [
        [a_tool("f", "c0"), arguments('{"a":1}')],
        [a_tool("g", "c1"), arguments('{"b":2}')],
        [TEXT, {"type": "text_delta", "text": "t"}],
    ]


def test_a_call_with_an_id_that_the_api_refuses_gets_another() -> None:
    ((start, *_),) = blocks(ToolBegan(call=0, id="functions.f:0", name="f"))
    assert start["id"].startswith("functions_f_0_")


def test_a_citation_follows_its_text() -> None:
    page = Citation(url="http://x", title="t", origin="gemini")
    ((_, _, cited),) = blocks(
        TextPiece(text="a"), Cited(citation=page), Cited(citation=Citation(quoted="q"))
    )
    assert cited["citation"]["url"] == "http://x"


def test_a_text_after_a_citation_is_a_block_of_its_own() -> None:
    page = Citation(url="http://x", origin="gemini")
    first, second = blocks(TextPiece(text="a"), Cited(citation=page), TextPiece(text="b"))
    assert [delta["type"] for delta in first[1:]] == ["text_delta", "citations_delta"]
    assert second == [TEXT, {"type": "text_delta", "text": "b"}]


def test_a_refusal_is_text_with_its_reason() -> None:
    *_, text, _, last, _ = written(BEGAN, RefusalPiece(text="No."), Ended(finish="refusal"))
    assert text["delta"] == {"type": "text_delta", "text": "No."}
    assert last["delta"]["stop_reason"] == "refusal"


def test_pieces_that_only_anthropic_knows_are_whole_blocks_and_others_are_left_out() -> None:
    ours = ForeignPiece(origin="anthropic", what="x", raw=Raw(b'{"type":"x","a":1}'))
    other = ForeignPiece(origin="gemini", what="y", raw=Raw(b"{}"))
    assert blocks(TextPiece(text="a"), ours, other, TextPiece(text="b"))[1:] == [
        [{"type": "x", "a": 1}],
        [TEXT, {"type": "text_delta", "text": "b"}],
    ]


def test_calls_without_a_word_about_it_end_for_the_use_of_tools() -> None:
    *_, last, _ = written(BEGAN, ToolBegan(call=0, id="c", name="f"), Ended(finish="stop"))
    assert last["delta"]["stop_reason"] == "tool_use"


def test_a_stop_sequence_is_named() -> None:
    *_, last, _ = written(BEGAN, Ended(finish="stop_sequence", stop="END"))
    assert last["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_only_the_first_choice_is_written() -> None:
    assert blocks(TextPiece(text="a", choice=1), TextPiece(text="b")) == [
        [TEXT, {"type": "text_delta", "text": "b"}]
    ]


def test_an_answer_without_a_word_is_a_message_without_content() -> None:
    assert [event["type"] for event in written()] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
