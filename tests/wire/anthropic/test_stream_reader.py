"""A stream of the Messages API is read event by event."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from messages_api import a_block, a_call, a_start, a_text, an_end, an_event
from tierwise.errors import ServerFailed
from tierwise.types import Usage
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.spoken import (
    Began,
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


def read(*blocks: bytes) -> list[Event]:
    reader = ANTHROPIC.event_reader()
    return [event for block in blocks for event in reader.read(block)]


def test_a_text_is_read_between_beginning_and_end() -> None:
    began = Usage(input_tokens=10, output_tokens=1)
    assert read(a_start(), an_event("ping"), a_text(0, "He", "llo"), an_end()) == [
        Began(id="msg_01", model="claude-small", usage=began),
        TextPiece(text="He"),
        TextPiece(text="llo"),
        Counted(usage=Usage(input_tokens=10, output_tokens=5)),
        Ended(finish="stop", reported="end_turn"),
    ]


def test_calls_are_numbered_and_their_arguments_come_in_pieces() -> None:
    first = a_block(
        1,
        a_call("f"),
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
    )
    assert read(first, a_block(2, a_call("g")), a_block(3, a_call("h", b=2))) == [
        ToolBegan(call=0, id="toolu_f", name="f"),
        ToolPiece(call=0, arguments='{"a":'),
        ToolPiece(call=0, arguments="1}"),
        ToolBegan(call=1, id="toolu_g", name="g"),
        ToolPiece(call=1, arguments="{}"),
        ToolBegan(call=2, id="toolu_h", name="h"),
        ToolPiece(call=2, arguments='{"b": 2}'),
    ]


def test_thoughts_come_with_their_signature_and_redacted_ones_at_once() -> None:
    thought = a_block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "sig"},
    )
    assert read(thought, a_block(1, {"type": "redacted_thinking", "data": "x"})) == [
        ReasoningPiece(origin="anthropic", begins=True),
        ReasoningPiece(text="hm", origin="anthropic"),
        ReasoningPiece(signature="sig", origin="anthropic"),
        ReasoningPiece(redacted="x", origin="anthropic", begins=True),
    ]


def test_a_citation_is_about_the_text_of_its_block_before_which_it_comes() -> None:
    citation = {"type": "char_location", "cited_text": "q", "document_title": "d"}
    events = read(
        a_text(0, "ab"),
        a_block(
            1,
            {"type": "text", "text": "", "citations": []},
            {"type": "citations_delta", "citation": citation},
            {"type": "text_delta", "text": "cde"},
        ),
    )
    cited = events[-1]
    assert isinstance(cited, Cited)
    assert (cited.citation.start, cited.citation.end) == (2, 5)
    assert json.loads(bytes(cited.citation.raw)) == citation


@pytest.mark.parametrize(
    ("begins", "deltas", "whole"),
    [
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
            ],
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        ),
        (
            {"type": "compaction", "content": ""},
            [
                {"type": "compaction_delta", "content": "a"},
                {"type": "compaction_delta", "content": "b"},
            ],
            {"type": "compaction", "content": "ab"},
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            [],
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        ),
    ],
)
def test_what_only_anthropic_knows_is_given_when_it_is_whole(
    begins: dict[str, Any], deltas: list[dict[str, Any]], whole: dict[str, Any]
) -> None:
    (event,) = read(a_block(0, begins, *deltas))
    assert isinstance(event, ForeignPiece)
    assert (event.what, json.loads(bytes(event.raw))) == (begins["type"], whole)


def test_the_end_keeps_what_only_the_beginning_counted() -> None:
    usage = {
        "input_tokens": 3,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 100,
        "output_tokens": 1,
    }
    start = an_event("message_start", message={"id": "m", "model": "c", "usage": usage})
    *_, counted, _ = read(start, an_end())
    assert counted == Counted(
        usage=Usage(
            input_tokens=123, output_tokens=5, cached_input_tokens=20, cache_write_tokens=100
        )
    )
    *_, counted, _ = read(start, an_end(input_tokens=4, cache_read_input_tokens=0))
    assert counted == Counted(
        usage=Usage(input_tokens=104, output_tokens=5, cache_write_tokens=100)
    )


def test_an_error_in_a_stream_is_raised() -> None:
    error = an_event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    with pytest.raises(ServerFailed, match="Overloaded"):
        read(a_start(), error)


@pytest.mark.parametrize("block", [b"data: {\n\n", b"data: []\n\n", b'data: {"type":1}\n\n'])
def test_what_is_no_event_is_refused(block: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read(block)
