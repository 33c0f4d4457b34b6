"""Whole answers in Chat Completions are read whole, and written so that clients can read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import MsgspecError, Raw
from openai.types.chat import ChatCompletion

from tierwise.types import Usage
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import (
    Citation,
    Conversation,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from tierwise.wire.spoken import Choice, Finish, Spoken

ASKED = Conversation(dialect="openai-chat", model="m", turns=())
OF_OLD = Conversation(dialect="openai-chat", model="m", turns=(), functions=True)


def read(message: dict[str, Any], finish: str = "stop", **fields: Any) -> Spoken:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", **fields}
    return CHAT.read_reply(json.dumps({**body, "choices": [choice]}).encode())


def said(*parts: Part, finish: Finish = "stop", **fields: Any) -> Spoken:
    choice = Choice(parts=parts, finish=finish)
    return Spoken(id="c", model="m", choices=(choice,), created=1, **fields)


def written(spoken: Spoken, asked: Conversation = ASKED) -> ChatCompletion:
    """As a client with OpenAI's package reads it."""
    return ChatCompletion.model_validate_json(CHAT.write_reply(spoken, asked), strict=True)


def test_all_that_an_answer_says_is_read() -> None:
    url = {"url": "https://a", "title": "A", "start_index": 0, "end_index": 5}
    spoken = read(
        {
            "content": "Hello",
            "reasoning_content": "Hm.",
            "annotations": [{"type": "url_citation", "url_citation": url}],
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        finish="tool_calls",
        system_fingerprint="fp",
        usage={
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    )
    thought, text, first, second = spoken.choices[0].parts
    assert thought == Reasoning(text="Hm.", origin="openai-chat")
    assert isinstance(text, Text)
    assert text.text == "Hello"
    cited = text.citations[0]
    assert (cited.url, cited.title, cited.start, cited.end) == ("https://a", "A", 0, 5)
    assert first == ToolCall(id="a", name="f", arguments="{}")
    assert second == ToolCall(id="b", name="g", arguments="x", custom=True)
    assert spoken.usage == Usage(
        input_tokens=9, output_tokens=5, cached_input_tokens=3, reasoning_tokens=2
    )
    assert spoken.own == {"system_fingerprint": Raw(b'"fp"')}


@pytest.mark.parametrize(
    ("reported", "message", "finish"),
    [
        ("stop", {"content": "Hi"}, "stop"),
        ("length", {"content": "Hi"}, "length"),
        ("model_length", {"content": "Hi"}, "length"),
        ("content_filter", {"content": ""}, "filter"),
        ("eos", {"content": "Hi"}, "stop"),
        ("stop", {"content": None, "refusal": "No."}, "refusal"),
        (
            "stop",
            {"content": "", "tool_calls": [{"id": "a", "function": {"name": "f"}}]},
            "tool_calls",
        ),
        ("function_call", {"function_call": {"name": "f", "arguments": "{}"}}, "tool_calls"),
    ],
)
def test_why_an_answer_ended_is_read_from_any_providers_word(
    reported: str, message: dict[str, Any], finish: str
) -> None:
    choice = read(message, finish=reported).choices[0]
    assert (choice.finish, choice.reported) == (finish, reported)


def test_content_in_pieces_is_thought_and_said() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = read({"content": [thinking, {"type": "text", "text": "Hi"}]}).choices[0].parts
    assert parts == (Reasoning(text="Hm.", origin="openai-chat"), Text(text="Hi"))


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"choices":[{}]}', b"<html>"])
def test_what_is_no_answer_cannot_be_read(body: bytes) -> None:
    with pytest.raises(MsgspecError):
        CHAT.read_reply(body)


def test_openais_package_reads_all_of_an_answer() -> None:
    usage = Usage(
        input_tokens=9,
        output_tokens=5,
        cached_input_tokens=3,
        cache_write_tokens=2,
        reasoning_tokens=4,
    )
    cited = Citation(url="https://a", title="A", quoted="a", start=0, end=5, origin="anthropic")
    answer = written(
        said(
            Reasoning(text="Hm.", signature="s", origin="anthropic"),
            Text(text="Hello", citations=(cited,), origin="anthropic"),
            ToolCall(id="a", name="f", arguments="{}"),
            finish="tool_calls",
            usage=usage,
            service_tier="flex",
        )
    )
    message = answer.choices[0].message
    assert (answer.id, answer.created, answer.model) == ("c", 1, "m")
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content == "Hello"
    assert message.tool_calls is not None
    assert message.tool_calls[0].type == "function"
    assert message.tool_calls[0].function.name == "f"
    assert message.annotations is not None
    assert message.annotations[0].url_citation.url == "https://a"
    assert message.model_extra is not None
    assert message.model_extra["reasoning_content"] == "Hm."
    assert message.model_extra["reasoning_details"][0]["signature"] == "s"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 14
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 4


def test_a_refusal_is_one() -> None:
    answer = written(said(Refusal(text="No."), finish="refusal"))
    assert (answer.choices[0].message.content, answer.choices[0].message.refusal) == (None, "No.")
    assert answer.choices[0].finish_reason == "stop"


def test_a_refusal_without_words_is_an_answer_that_was_taken_away() -> None:
    assert written(said(finish="refusal")).choices[0].finish_reason == "content_filter"


def test_who_asked_with_functions_reads_a_call_of_one() -> None:
    answer = written(said(ToolCall(id="a", name="f", arguments="{}"), finish="tool_calls"), OF_OLD)
    assert answer.choices[0].finish_reason == "function_call"
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].message.function_call is not None
    assert answer.choices[0].message.function_call.name == "f"


def test_a_signed_thought_comes_back_to_its_provider() -> None:
    thought = Reasoning(text="Hm.", signature="s", origin="anthropic")
    answer = json.loads(CHAT.write_reply(said(thought, Text(text="Hi")), ASKED))
    echoed = {"model": "m", "messages": [answer["choices"][0]["message"]]}
    assert CHAT.read_request(json.dumps(echoed).encode()).turns[0].parts[0] == thought


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
calls = st.builds(ToolCall, id=text, name=text, arguments=text, custom=st.booleans())
parts = st.tuples(
    st.none() | st.builds(Reasoning, text=text, origin=st.just("openai-chat")),
    st.none() | st.builds(Text, text=text),
    st.none() | st.builds(Refusal, text=text),
    st.lists(calls, max_size=2).map(tuple),
).map(lambda found: (*filter(None, found[:3]), *found[3]))


@settings(deadline=None)
@given(st.lists(parts, min_size=1, max_size=3), st.sampled_from(["length", "filter"]))
def test_an_answer_that_is_written_and_read_is_the_same(
    found: list[tuple[Part, ...]], finish: Finish
) -> None:
    choices = tuple(Choice(parts=one, finish=finish) for one in found)
    spoken = Spoken(
        id="c",
        model="m",
        choices=choices,
        created=1,
        usage=Usage(input_tokens=5, output_tokens=3),
        origin="openai-chat",
        own={"system_fingerprint": Raw(b'"fp"')},
    )
    again = CHAT.read_reply(CHAT.write_reply(spoken, ASKED))
    for choice in again.choices:
        choice.reported = None
    assert again == spoken


@pytest.mark.parametrize(
    "oddity",
    [
        {"reasoning": {"text": "Hm."}},
        {"reasoning_details": [{"type": "reasoning.text", "text": 3}]},
        {"annotations": [3]},
        {"annotations": "none"},
    ],
)
def test_odd_thoughts_and_annotations_cost_nobody_the_answer(oddity: dict[str, Any]) -> None:
    assert read({"content": "Hi", **oddity}).choices[0].parts == (Text(text="Hi"),)
