"""Whole answers are read as what they say, and written as clients of the Messages API read them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from messages_api import a_call, an_answer, asked
from tierwise.types import Completion, Usage
from tierwise.types import ToolCall as Called
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.conversation import (
    Citation,
    Foreign,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from tierwise.wire.judged import completion_of
from tierwise.wire.spoken import Choice, Finish, Spoken

ASKED = asked()


def read(*content: Any, **fields: Any) -> Spoken:
    return ANTHROPIC.read_reply(json.dumps(an_answer(*content, **fields)).encode())


def written(*parts: Part, finish: Finish | None = "stop", **fields: Any) -> dict[str, Any]:
    choice = Choice(parts=parts, finish=finish, **fields)
    spoken = Spoken(id="chatcmpl-1", model="m", choices=(choice,), origin="openai-chat")
    body: dict[str, Any] = json.loads(ANTHROPIC.write_reply(spoken, ASKED))
    return body


def test_messages_that_have_no_name_get_one_each() -> None:
    spoken = Spoken(id="", model="m", choices=(), origin="gemini")
    names = {json.loads(ANTHROPIC.write_reply(spoken, ASKED))["id"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("msg_") for name in names)


def test_an_answer_is_read_part_by_part() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    spoken = read(thought, {"type": "redacted_thinking", "data": "x"}, search, "Hi", a_call(a=1))
    (choice,) = spoken.choices
    *thoughts, foreign, text, call = choice.parts
    assert thoughts == [
        Reasoning(text="hm", signature="s", origin="anthropic"),
        Reasoning(redacted="x", origin="anthropic"),
    ]
    assert isinstance(foreign, Foreign)
    assert foreign.what == "server_tool_use"
    assert text == Text(text="Hi")
    assert call == ToolCall(id="toolu_weather", name="weather", arguments='{"a": 1}')
    assert (spoken.id, spoken.model, spoken.origin) == ("msg_01", "claude-small", "anthropic")


@pytest.mark.parametrize(
    ("reason", "finish", "gates_read"),
    [
        ("end_turn", "stop", "stop"),
        ("max_tokens", "length", "length"),
        ("model_context_window_exceeded", "length", "length"),
        ("stop_sequence", "stop_sequence", "stop"),
        ("tool_use", "tool_calls", "tool_calls"),
        ("pause_turn", "pause", "stop"),
        ("refusal", "refusal", "content_filter"),
        ("something_new", "stop", "stop"),
        (None, None, None),
    ],
)
def test_every_reason_to_stop_is_known(
    reason: str | None, finish: str | None, gates_read: str | None
) -> None:
    spoken = read("a", stop_reason=reason)
    (choice,) = spoken.choices
    assert (choice.finish, choice.reported) == (finish, reason)
    assert completion_of(choice).finish_reason == gates_read
    shown = json.loads(ANTHROPIC.write_reply(spoken, ASKED))["stop_reason"]
    assert shown == (reason if reason not in (None, "something_new") else "end_turn")


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        (None, "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("refusal", "refusal"),
        ("filter", "refusal"),
        ("pause", "pause_turn"),
        ("stop_sequence", "stop_sequence"),
    ],
)
def test_every_finish_has_a_reason(finish: Finish | None, reason: str) -> None:
    assert written(Text(text="a"), finish=finish)["stop_reason"] == reason


def test_calls_alone_say_that_tools_are_used() -> None:
    assert written(ToolCall(id="1", name="f", arguments=""))["stop_reason"] == "tool_use"


def test_cached_tokens_are_counted_in_and_taken_out_again() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 1000,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    spoken = read("a", usage=usage)
    assert spoken.usage == Usage(
        input_tokens=1110,
        output_tokens=7,
        cached_input_tokens=100,
        cache_write_tokens=1000,
        reasoning_tokens=3,
    )
    assert json.loads(ANTHROPIC.write_reply(spoken, ASKED))["usage"] == usage


def test_nobody_thinks_more_than_they_say() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 9}}
    assert read("a", usage=usage).usage == Usage(
        input_tokens=1, output_tokens=2, reasoning_tokens=2
    )


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -4}, {"input_tokens": "x"}, [], 5])
def test_an_answer_with_a_strange_usage_is_good_and_its_tokens_are_not_known(usage: Any) -> None:
    assert read("a", usage=usage).usage is None


def test_citations_say_which_part_of_the_text_they_are_about() -> None:
    cited = {
        "type": "web_search_result_location",
        "cited_text": "q",
        "url": "http://x",
        "title": "t",
        "encrypted_index": "e",
    }
    spoken = read("ab", {"type": "text", "text": "cde", "citations": [cited]})
    text = spoken.choices[0].parts[1]
    assert isinstance(text, Text)
    (citation,) = text.citations
    assert (citation.start, citation.end) == (2, 5)
    assert (citation.url, citation.title, citation.quoted) == ("http://x", "t", "q")
    shown = json.loads(ANTHROPIC.write_reply(spoken, ASKED))["content"][1]
    assert shown["citations"] == [cited]


def test_what_another_provider_says_is_written_in_blocks() -> None:
    page = Citation(url="http://x", title="t", origin="openai-responses")
    body = written(
        Reasoning(text="hm", signature="foreign", origin="gemini"),
        Reasoning(redacted="x", origin="openai-responses"),
        Text(text="a", citations=(page, Citation(quoted="nowhere"))),
        ToolCall(id="call:1", name="f", arguments='{"b":2}'),
        Foreign(origin="gemini", what="executableCode", raw=Raw(b"{}")),
        finish="tool_calls",
    )
    thought, text, call = body.pop("content")
    assert thought == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert text == {
        "type": "text",
        "text": "a",
        "citations": [
            {
                "type": "web_search_result_location",
                "url": "http://x",
                "title": "t",
                "cited_text": "",
                "encrypted_index": "",
            }
        ],
    }
    assert (call["type"], call["name"], call["input"]) == ("tool_use", "f", {"b": 2})
    assert body == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_a_refusal_is_text() -> None:
    body = written(Refusal(text="No."), finish="refusal")
    assert body["content"] == [{"type": "text", "text": "No."}]
    assert body["stop_reason"] == "refusal"


def test_a_stop_sequence_is_named() -> None:
    body = written(Text(text="a"), finish="stop_sequence", stop="END")
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "END")


def test_what_only_anthropic_says_beside_the_answer_stays_with_it() -> None:
    details = {"category": "cyber", "explanation": None}
    spoken = read("a", stop_details=details, container=None)
    body = json.loads(ANTHROPIC.write_reply(spoken, ASKED))
    assert body["stop_details"] == details
    assert "container" not in body


def test_gates_read_text_and_calls() -> None:
    (choice,) = read("a", a_call(x=1), "b", stop_reason="tool_use").choices
    assert completion_of(choice) == Completion(
        text="ab",
        finish_reason="tool_calls",
        tool_calls=(Called(id="toolu_weather", name="weather", arguments='{"x": 1}'),),
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"<html>", b'{"type":"error","error":{}}', b"\xff", b'{"id":"\xff"}'],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        ANTHROPIC.read_reply(body)
