"""What Converse answers, whole and in a stream, is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse import an_answer
from tierwise.types import Usage
from tierwise.wire.bedrock import BEDROCK
from tierwise.wire.conversation import Foreign, Image, Reasoning, Source, Text, ToolCall
from tierwise.wire.judged import completion_of_events
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

SEALED = base64.b64encode(b"EtkECkgI").decode()


def read(*content: dict[str, Any], **fields: Any) -> Spoken:
    return BEDROCK.read_reply(json.dumps(an_answer(*content, **fields)).encode())


def events(*frames: dict[str, Any]) -> list[Event]:
    reader = BEDROCK.event_reader()
    return [
        event
        for one in frames
        for event in reader.read(b"data: " + json.dumps(one).encode() + b"\n\n")
    ]


def start(index: int = 0, **start_: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start_}}


def delta(index: int = 0, **delta_: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta_, "p": "abc"}}


def stop(index: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def test_text_thoughts_and_calls_are_read_in_order() -> None:
    (choice,) = read(
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": SEALED}},
        {"reasoningContent": {"reasoningText": {"text": "open"}}},
        {"text": "so"},
        {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": [1.0]}}},
    ).choices
    assert choice.parts == (
        Reasoning(text="hm", signature="s", origin="anthropic"),
        Reasoning(redacted="EtkECkgI", origin="anthropic"),
        Reasoning(text="open", origin="bedrock"),
        Text(text="so"),
        ToolCall(id="1", name="f", arguments='{"a": [1.0]}'),
    )


def test_citations_pictures_and_what_bedrock_does_itself_are_read() -> None:
    cited = {
        "content": [{"text": "the "}, {"text": "sky"}],
        "citations": [
            {
                "title": "t",
                "sourceContent": [{"text": "blue"}],
                "location": {"web": {"url": "https://sky"}},
            }
        ],
    }
    (choice,) = read(
        {"citationsContent": cited},
        {"image": {"format": "png", "source": {"bytes": "AA=="}}},
        {"toolUse": {"toolUseId": "1", "name": "n", "input": {}, "type": "server_tool_use"}},
        {"newer": {"thing": 1}},
    ).choices
    text, image, served, newer = choice.parts
    assert isinstance(text, Text)
    assert text.text == "the sky"
    (citation,) = text.citations
    assert (citation.url, citation.title, citation.quoted) == ("https://sky", "t", "blue")
    assert json.loads(bytes(citation.raw)) == cited["citations"][0]
    assert image == Image(source=Source(media_type="image/png", data="AA=="))
    assert isinstance(served, Foreign)
    assert (served.what, newer.what) == ("toolUse", "newer")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "filter"),
        ("content_filtered", "filter"),
        ("something_new", "stop"),
    ],
)
def test_a_stop_reason_is_a_finish(reason: str, finish: str) -> None:
    (choice,) = read({"text": "x"}, stopReason=reason).choices
    assert (choice.finish, choice.reported) == (finish, reason)
    assert events({"messageStop": {"stopReason": reason}}) == [
        Ended(finish=finish, reported=reason)  # type: ignore[arg-type]
    ]


def test_the_stop_sequence_is_told_where_a_model_says_it() -> None:
    more = {"stop_sequence": "END"}
    spoken = read({"text": "x"}, stopReason="stop_sequence", additionalModelResponseFields=more)
    assert spoken.choices[0].stop == "END"


def test_cached_tokens_count_as_input() -> None:
    counts = {
        "inputTokens": 3, "outputTokens": 227, "totalTokens": 1942,
        "cacheReadInputTokens": 10, "cacheWriteInputTokens": 1702,
    }  # fmt: skip
    usage = Usage(
        input_tokens=1715, output_tokens=227, cached_input_tokens=10, cache_write_tokens=1702
    )
    assert read(usage=counts).usage == usage
    assert events({"metadata": {"usage": counts}}) == [Counted(usage=usage)]


@pytest.mark.parametrize(
    "usage", [None, [], {}, {"inputTokens": -1}, {"inputTokens": 1e30}, "many"]
)
def test_an_incredible_usage_is_none(usage: Any) -> None:
    assert read({"text": "x"}, usage=usage).usage is None


def test_what_is_no_answer_is_none() -> None:
    for body in (b"", b"[]", b"{}", b'{"output": {}}', b'{"output": {"message": {"content": 4}}}'):
        with pytest.raises(msgspec.MsgspecError):
            BEDROCK.read_reply(body)
    with pytest.raises(msgspec.MsgspecError):
        read({"reasoningContent": {"redactedContent": "?"}})


def test_a_stream_says_the_same_as_a_whole_answer() -> None:
    found = events(
        {"messageStart": {"role": "assistant", "model": "nova"}},
        delta(0, reasoningContent={"text": "h"}),
        delta(0, reasoningContent={"text": "m"}),
        delta(0, reasoningContent={"signature": "s"}),
        stop(0),
        delta(1, text=""),
        delta(1, text="so"),
        stop(1),
        start(2, toolUse={"toolUseId": "1", "name": "f"}),
        delta(2, toolUse={"input": '{"a":'}),
        delta(2, toolUse={"input": "1}"}),
        stop(2),
        start(3, toolUse={"toolUseId": "2", "name": "g", "type": "tool_use"}),
        stop(3),
        {"messageStop": {"stopReason": "tool_use"}},
    )
    began, *rest = found
    assert isinstance(began, Began)
    assert began.model == "nova"
    assert began.id
    assert rest == [
        ReasoningPiece(text="h", origin="bedrock", begins=True),
        ReasoningPiece(text="m", origin="bedrock"),
        ReasoningPiece(signature="s", origin="anthropic"),
        TextPiece(text="so"),
        ToolBegan(call=0, id="1", name="f"),
        ToolPiece(call=0, arguments='{"a":'),
        ToolPiece(call=0, arguments="1}"),
        ToolBegan(call=1, id="2", name="g"),
        Ended(finish="tool_calls", reported="tool_use"),
    ]


def test_claudes_thoughts_in_a_stream_are_claudes_from_the_first_word() -> None:
    """So that a client keeps text and signature as one thought."""
    _, first, second = events(
        {"messageStart": {"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}},
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "s"}),
    )
    assert first == ReasoningPiece(text="hm", origin="anthropic", begins=True)
    assert second == ReasoningPiece(signature="s", origin="anthropic")


def test_sealed_thoughts_come_at_once_however_they_are_cut() -> None:
    first = base64.b64encode(b"Etk").decode()
    second = base64.b64encode(b"ECkgI").decode()
    expected = [ReasoningPiece(redacted="EtkECkgI", origin="anthropic", begins=True)]
    assert events(delta(0, reasoningContent={"redactedContent": SEALED}), stop(0)) == expected
    cut = [delta(0, reasoningContent={"redactedContent": one}) for one in (first, second)]
    assert events(*cut, stop(0)) == expected


def test_what_bedrock_calls_itself_is_a_piece_of_its_own() -> None:
    call = {"toolUseId": "1", "name": "nova_code_interpreter", "type": "server_tool_use"}
    found = events(
        start(0, toolUse=call),
        delta(0, toolUse={"input": '{"snippet":'}),
        delta(0, toolUse={"input": '"1"}'}),
        stop(0),
        start(1, toolResult={"toolUseId": "1", "status": "success"}),
        stop(1),
    )
    assert [
        (one.what, json.loads(bytes(one.raw))) for one in found if isinstance(one, ForeignPiece)
    ] == [
        ("toolUse", {"toolUse": {**call, "input": {"snippet": "1"}}}),
        ("toolResult", {"toolResult": {"toolUseId": "1", "status": "success"}}),
    ]


def test_citations_in_a_stream_are_read() -> None:
    (found,) = events(delta(0, citation={"title": "t", "sourceContent": [{"text": "q"}]}))
    assert isinstance(found, Cited)
    assert (found.citation.title, found.citation.quoted) == ("t", "q")


def test_gates_read_what_a_stream_said() -> None:
    frames = [
        delta(0, text="a"), delta(0, text="b"),
        start(1, toolUse={"toolUseId": "1", "name": "f"}), delta(1, toolUse={"input": "{}"}),
        {"messageStop": {"stopReason": "max_tokens"}},
    ]  # fmt: skip
    block = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in frames)
    completion = completion_of_events(BEDROCK.event_reader().read(block))
    assert (completion.text, completion.finish_reason) == ("ab", "length")
    assert [(call.id, call.name, call.arguments) for call in completion.tool_calls] == [
        ("1", "f", "{}")
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["delta", "start", "text", "toolUse", "contentBlockIndex", "input"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop",
                 "messageStop", "metadata", "other"]
            ),
            JSON, max_size=1,
        ),
        max_size=5,
    )
)  # fmt: skip
def test_any_events_are_read_or_refused(frames: list[dict[str, Any]]) -> None:
    try:
        events(*frames)
    except msgspec.MsgspecError:
        return
