"""Streams of the Responses API say the same, however they are cut and whoever writes them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.errors import ServerFailed
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.conversation import Conversation
from tierwise.wire.responses import RESPONSES
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    Finish,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

OURS = "openai-responses"
ASKED = Conversation(dialect=OURS, model="m", turns=(), stream=True)
USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def ends(*output: Any, kind: str = "completed", **fields: Any) -> bytes:
    answer = {"id": "r", "model": "m", "status": kind, "output": output, "usage": USAGE, **fields}
    return event(f"response.{kind}", response=answer)


def read(*blocks: bytes) -> list[Event]:
    reader = RESPONSES.event_reader()
    return [found for block in blocks for found in reader.read(block)]


CREATED = event("response.created", response={"id": "r", "model": "m", "created_at": 5})


def test_a_stream_begins_once() -> None:
    queued = event("response.queued", response={"id": "r", "model": "m", "created_at": 5})
    assert read(queued, CREATED) == [Began(id="r", model="m", created=5)]


def test_text_refusals_calls_and_thoughts_are_read_piece_by_piece() -> None:
    found = read(
        CREATED,
        event("response.output_item.added", output_index=0, item={"type": "reasoning", "id": "rs"}),
        event("response.reasoning_summary_part.added", output_index=0, item_id="rs"),
        event("response.reasoning_summary_text.delta", output_index=0, item_id="rs", delta="One"),
        event("response.reasoning_summary_text.delta", output_index=0, item_id="rs", delta="."),
        event("response.reasoning_summary_part.added", output_index=0, item_id="rs"),
        event("response.reasoning_summary_text.delta", output_index=0, item_id="rs", delta="Two."),
        event(
            "response.output_item.done",
            output_index=0,
            item={
                "type": "reasoning",
                "id": "rs",
                "summary": [
                    {"type": "summary_text", "text": "One."},
                    {"type": "summary_text", "text": "Two."},
                ],
                "encrypted_content": "sealed",
            },
        ),
        event("response.output_item.added", output_index=1, item={"type": "message", "id": "msg"}),
        event("response.output_text.delta", output_index=1, delta="Hi", logprobs=[]),
        event("response.refusal.delta", output_index=1, delta="No"),
        event(
            "response.output_item.added",
            output_index=2,
            item={"type": "function_call", "call_id": "c1", "name": "f", "arguments": ""},
        ),
        event("response.function_call_arguments.delta", output_index=2, delta="{}"),
        event("response.function_call_arguments.done", output_index=2, arguments="{}"),
        ends(),
    )
    assert found == [
        Began(id="r", model="m", created=5),
        ReasoningPiece(text="One", origin=OURS, id="rs", summary=True, begins=True),
        ReasoningPiece(text=".", origin=OURS, id="rs", summary=True),
        ReasoningPiece(text="Two.", origin=OURS, id="rs", summary=True, begins=True),
        ReasoningPiece(redacted="sealed", origin=OURS, id="rs", summary=True),
        TextPiece(text="Hi", origin=OURS),
        RefusalPiece(text="No"),
        ToolBegan(call=0, id="c1", name="f", origin=OURS),
        ToolPiece(call=0, arguments="{}"),
        Counted(usage=Usage(input_tokens=7, output_tokens=3)),
        Ended(finish="tool_calls", reported="completed"),
    ]


MESSAGE = {
    "type": "message",
    "content": [
        {
            "type": "output_text",
            "text": "Hi",
            "annotations": [{"type": "file_path", "file_id": "f", "index": 0}],
        }
    ],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def said(found: list[Event]) -> tuple[str, list[tuple[str, str]], int]:
    """The text, the calls and how many citations there are."""
    text = "".join(one.text for one in found if isinstance(one, TextPiece))
    names = [one.name for one in found if isinstance(one, ToolBegan)]
    arguments = [""] * len(names)
    for one in found:
        if isinstance(one, ToolPiece):
            arguments[one.call] += one.arguments
    cited = sum(isinstance(one, Cited) for one in found)
    return text, list(zip(names, arguments, strict=True)), cited


def test_what_was_not_said_in_pieces_is_said_at_the_end_once() -> None:
    done = [
        event("response.output_item.done", output_index=n, item=item)
        for n, item in enumerate([MESSAGE, CALL])
    ]
    for blocks in (done, [ends(MESSAGE, CALL)], [*done, ends(MESSAGE, CALL)]):
        found = read(CREATED, *blocks)
        assert said(found) == ("Hi", [("f", "{}")], 1)
    pieces = [
        event("response.output_item.added", output_index=0, item={"type": "message"}),
        event("response.output_text.delta", output_index=0, delta="Hi"),
        event("response.output_text.annotation.added", output_index=0, annotation={"url": "x"}),
        event("response.output_item.added", output_index=1, item={**CALL, "arguments": ""}),
    ]
    assert said(read(*pieces, *done, ends(MESSAGE, CALL))) == ("Hi", [("f", "{}")], 1)


def test_unknown_events_are_passed_over_and_unknown_items_come_whole() -> None:
    item = {"type": "web_search_call", "id": "ws", "status": "completed"}
    (piece,) = read(
        event("response.output_item.added", output_index=0, item={**item, "status": "x"}),
        event("response.web_search_call.searching", output_index=0, delta={"a": 1}),
        event("response.brand_new", output_index=0, item=5, delta=[1]),
        b": keep-alive\n\n",
        event("response.output_item.done", output_index=0, item=item),
        b"data: [DONE]\n\n",
    )
    assert isinstance(piece, ForeignPiece)
    assert (piece.what, json.loads(bytes(piece.raw))) == ("web_search_call", item)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "filter"), ("steered", "pause")],
)
def test_an_incomplete_answer_says_why(reason: str, finish: Finish) -> None:
    last = read(ends(kind="incomplete", incomplete_details={"reason": reason}))[-1]
    assert last == Ended(finish=finish, reported=reason)


@pytest.mark.parametrize(
    "block",
    [
        event("error", message="no room", code="server_error", param=None),
        event("error", error={"message": "no room", "type": "server_error"}),
        b'data: {"error":{"message":"no room"}}\n\n',
        ends(kind="failed", error={"code": "server_error", "message": "no room"}),
    ],
)
def test_errors_are_raised(block: bytes) -> None:
    with pytest.raises(ServerFailed, match="no room"):
        read(CREATED, block)


@pytest.mark.parametrize(
    "block", [b"data: {\n\n", b"data: 5\n\n", event("response.output_text.delta", delta=5)]
)
def test_what_is_no_event_is_not_read(block: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read(block)


_WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
_SAID = st.lists(
    _WORDS.map(lambda text: TextPiece(text=text, origin=OURS))
    | _WORDS.map(lambda text: RefusalPiece(text=text))
    | st.builds(
        ReasoningPiece,
        text=_WORDS,
        origin=st.just(OURS),
        id=st.sampled_from(["rs_1", "rs_2"]),
        summary=st.booleans(),
        begins=st.booleans(),
    ),
    max_size=8,
)
_CALLED = st.lists(st.lists(_WORDS, max_size=3), max_size=3)


@settings(max_examples=200, deadline=None)
@given(_SAID, _CALLED, st.sampled_from(["stop", "length"]), st.data())
def test_what_is_written_is_read_however_it_is_cut(
    pieces: list[Event], calls: list[list[str]], finish: Finish, data: st.DataObject
) -> None:
    events: list[Event] = [Began(id="1", model="m", created=3), *pieces]
    for n, words in enumerate(calls):
        events.append(ToolBegan(call=n, id=f"c{n}", name="f", custom=n == 1, origin=OURS))
        events += [ToolPiece(call=n, arguments=word) for word in words]
    usage = Usage(input_tokens=9, output_tokens=4, cached_input_tokens=3)
    events += [Ended(finish=finish), Counted(usage=usage)]
    writer = RESPONSES.event_writer(ASKED)
    raw = writer.write(events) + writer.close()

    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    buffer, reader, found = sse.EventBuffer(), RESPONSES.event_reader(), list[Event]()
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += reader.read(buffer.feed(raw[start:stop]))

    assert buffer.rest == b""
    # A call without arguments is one with empty ones.
    wanted = [("f", "".join(words) or ("" if n == 1 else "{}")) for n, words in enumerate(calls)]
    assert said(found)[:2] == (said(events)[0], wanted)
    for kind in (RefusalPiece, ReasoningPiece):
        assert _text(found, kind) == _text(events, kind)
    assert Counted(usage=usage) in found
    (end,) = (one for one in found if isinstance(one, Ended))
    expected = "tool_calls" if calls else "refusal" if _text(events, RefusalPiece) else "stop"
    assert end.finish == ("length" if finish == "length" else expected)


def _text(events: list[Event], kind: type[RefusalPiece | ReasoningPiece]) -> str:
    return "".join(one.text for one in events if isinstance(one, kind))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["type", "output_index", "item", "delta", "response", "annotation"]),
            st.sampled_from(
                [
                    *("response.output_item.done", "response.completed", "response.created"),
                    *("response.output_text.delta", "error", "reasoning", 0, 1, -1, None, True),
                    *({"type": "function_call"}, {"output": [{"type": "message"}]}, [], {}),
                ]
            ),
        ),
        max_size=4,
    )
)
def test_no_stream_does_worse_than_being_unreadable(events: list[dict[str, Any]]) -> None:
    reader = RESPONSES.event_reader()
    for one in events:
        try:
            reader.read(b"data: " + json.dumps(one).encode() + b"\n\n")
        except (ServerFailed, msgspec.MsgspecError):
            return
