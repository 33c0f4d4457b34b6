"""Requests of the Responses API are read into words of no dialect, and written from them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from builders import foreign_to
from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Conversation,
    Document,
    Foreign,
    Format,
    Image,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tierwise.wire.features import features_of
from tierwise.wire.responses import RESPONSES

OURS = "openai-responses"


def read(**fields: Any) -> Conversation:
    return RESPONSES.read_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def written(asked: Conversation) -> Any:
    return json.loads(RESPONSES.write_request(asked))


def from_elsewhere(*turns: Turn, **fields: Any) -> Any:
    """The body that is written for a conversation of another dialect."""
    return written(Conversation(dialect="anthropic", model="m", turns=turns, **fields))


def said(*parts: Part) -> Turn:
    return Turn(role="assistant", parts=parts)


def test_a_text_is_the_users_and_instructions_are_the_systems() -> None:
    assert read(instructions="Be brief.").turns == (
        Turn(role="system", parts=(Text(text="Be brief."),), id="instructions"),
        Turn(role="user", parts=(Text(text="Hi"),)),
    )


def test_all_parameters_are_read() -> None:
    asked = read(
        stream=True,
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=77,
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "concise"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True},
            "verbosity": "high",
        },
        include=["message.output_text.logprobs"],
        top_logprobs=3,
        metadata={"k": "v"},
        service_tier="flex",
        store=False,
        user="u",
        safety_identifier="s",
        prompt_cache_key="key",
    )
    assert asked.stream
    assert asked.sampling == Sampling(temperature=0.5, top_p=0.9)
    assert asked.max_tokens == 77
    assert asked.parallel_tools is False
    assert asked.thinking == Thinking(effort="low", shown=True, detail="concise")
    schema = Format(kind="schema", name="n", schema=Raw(b'{"a":1}'), strict=True)
    assert asked.format is not None
    assert replace(asked.format, schema=Raw(b'{"a":1}')) == schema
    assert json.loads(bytes(asked.format.schema)) == {"a": 1}
    assert (asked.logprobs, asked.top_logprobs, asked.verbosity) == (True, 3, "high")
    assert (asked.service_tier, asked.store, asked.user) == ("flex", False, "s")
    assert json.loads(bytes(asked.metadata)) == {"k": "v"}
    assert asked.cache_key == "key"
    assert asked.own == {}


def test_what_only_this_dialect_knows_is_named_elsewhere() -> None:
    asked = read(
        previous_response_id="resp_1",
        truncation="auto",
        background=True,
        tools=[{"type": "web_search"}],
        tool_choice={"type": "web_search"},
    )
    assert set(foreign_to(asked, "anthropic")) == {
        "previous_response_id",
        "background",
        "tool_choice",
        "web_search",
    }
    assert foreign_to(asked, OURS) == []


def test_what_changes_nothing_in_the_answer_binds_nobody_and_comes_back() -> None:
    fields = {
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "prompt_cache_retention": "24h",
        "max_tool_calls": 3,
        "stream_options": {"include_obfuscation": False},
    }
    asked = read(**fields, truncation="disabled", background=False, conversation=None)
    assert foreign_to(asked, "anthropic") == []
    assert {name: written(asked)[name] for name in fields} == fields


ITEMS: list[dict[str, Any]] = [
    {"type": "message", "role": "developer", "content": "Rules."},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "See:", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
            {"type": "input_image", "image_url": "https://x.org/a.png", "detail": "auto"},
            {"type": "input_image", "file_id": "file_1", "detail": "auto"},
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,BBBB",
            },
            {"type": "input_file", "file_url": "https://x.org/a.pdf"},
            {"type": "input_file", "file_id": "file_2"},
            {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}},
            {"type": "input_hologram", "depth": 3},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [
            {"type": "summary_text", "text": "One."},
            {"type": "summary_text", "text": "Two."},
        ],
        "encrypted_content": "sealed",
    },
    {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {
                "type": "output_text",
                "text": "I look.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url": "https://x.org",
                        "title": "X",
                        "start_index": 0,
                        "end_index": 1,
                    }
                ],
            },
            {"type": "refusal", "refusal": "But no more."},
        ],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"city":"Paris"}',
    },
    {"type": "custom_tool_call", "call_id": "call_2", "name": "sql", "input": "select 1"},
    {"type": "function_call_output", "call_id": "call_1", "output": "Sunny.", "id": "fco_1"},
    {
        "type": "custom_tool_call_output",
        "call_id": "call_2",
        "output": [
            {"type": "input_text", "text": "Row:"},
            {"type": "input_image", "image_url": "https://x.org/b.png", "detail": "auto"},
        ],
    },
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "item_reference", "id": "msg_0"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
]


def test_every_item_comes_back_as_it_was() -> None:
    assert written(read(input=ITEMS))["input"] == ITEMS


def test_what_a_model_says_at_once_is_one_turn() -> None:
    turns = read(input=ITEMS).turns
    assert [turn.role for turn in turns] == [
        *("developer", "user", "assistant", "tool", "tool", "assistant", "tool")
    ]
    first = turns[2]
    assert [type(part) for part in first.parts] == [
        *(Reasoning, Reasoning, Text, Refusal, ToolCall, ToolCall)
    ]
    assert first.id == "msg_1"
    call = first.parts[4]
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, call.arguments) == ("call_1", "weather", '{"city":"Paris"}')
    asked = turns[1].parts
    assert asked[0] == Text(text="See:", cache=CacheMark(), origin=OURS)
    assert asked[1] == Image(source=Source(media_type="image/png", data="AAAA"), detail="low")
    assert asked[4] == Document(
        source=Source(media_type="application/pdf", data="BBBB"), name="a.pdf"
    )
    assert asked[7] == Audio(source=Source(media_type="audio/mpeg", data="CCCC"))


def test_two_messages_of_a_model_are_two_turns() -> None:
    messages = [
        {"type": "message", "role": "assistant", "id": f"msg_{n}", "content": "Hm."} for n in "12"
    ]
    assert [turn.id for turn in read(input=messages).turns] == ["msg_1", "msg_2"]


def test_items_whose_outcome_is_told_elsewhere_may_be_left_out() -> None:
    found = read(input=[*ITEMS[8:9], {"type": "compaction", "encrypted_content": "x"}])
    assert foreign_to(found, "gemini") == ["compaction"]


def test_the_tools_of_the_caller_and_of_the_provider_come_back() -> None:
    tools = [
        {
            "type": "function",
            "name": "weather",
            "description": "Tells it.",
            "parameters": {"type": "object"},
            "strict": True,
            "defer_loading": True,
        },
        {
            "type": "custom",
            "name": "sql",
            "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
        },
        {"type": "mcp", "server_label": "s", "server_url": "https://x.org"},
    ]
    asked = read(tools=tools)
    assert [tool.name for tool in asked.tools] == ["weather", "sql"]
    assert [tool.what for tool in asked.foreign_tools] == ["mcp"]
    assert written(asked)["tools"] == tools


@pytest.mark.parametrize(
    ("sent", "choice"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "name": "f"}, ToolChoice(mode="required", names=("f",))),
        ({"type": "custom", "name": "c"}, ToolChoice(mode="required", names=("c",))),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
            },
            ToolChoice(mode="auto", names=("f", "c")),
        ),
        ({"type": "file_search"}, None),
    ],
)
def test_every_choice_of_tools_is_read_and_comes_back(sent: Any, choice: ToolChoice | None) -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]
    asked = read(tools=tools, tool_choice=sent)
    assert asked.tool_choice == choice
    assert written(asked)["tool_choice"] == sent


def test_its_provider_is_told_what_other_dialects_leave_unsaid() -> None:
    body = from_elsewhere(
        Turn(role="system", parts=(Text(text="Be brief."),)),
        Turn(role="user", parts=(Text(text="Hi"),)),
        tools=(Tool(name="f"),),
        thinking=Thinking(effort="low"),
    )
    assert body["instructions"] == "Be brief."
    assert body["input"] == [{"type": "message", "role": "user", "content": "Hi"}]
    assert body["tools"][0]["strict"] is False
    assert body["tools"][0]["parameters"] == {"type": "object", "properties": {}}
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]


def test_thoughts_marks_and_pieces_of_other_dialects_are_left_out() -> None:
    body = from_elsewhere(
        said(
            Reasoning(text="Hm", signature="sig", origin="anthropic"),
            Foreign(origin="anthropic", what="server_tool_use", raw=Raw(b"{}"), binding=False),
            Text(text="Yes.", cache=CacheMark()),
            ToolCall(id="toolu_1", name="f", arguments="", signature="g", origin="gemini"),
        ),
        Turn(role="tool", parts=(ToolResult(call_id="toolu_1", parts=()),)),
    )
    assert body["input"] == [
        {"type": "message", "role": "assistant", "content": "Yes."},
        {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "toolu_1", "output": ""},
    ]


def test_nobody_goes_on_from_the_beginning_of_an_answer() -> None:
    asked = read(input=[{"role": "assistant", "content": "It is"}])
    assert features_of(asked) - RESPONSES.words.keys() == {"prefill"}


def test_a_plain_text_document_is_sent_as_a_file() -> None:
    body = from_elsewhere(
        Turn(role="user", parts=(Document(source=Source(media_type="text/plain"), text="Hej"),))
    )
    assert body["input"][0]["content"] == [
        {
            "type": "input_file",
            "filename": "document.txt",
            "file_data": "data:text/plain;base64,SGVq",
        }
    ]


def test_a_grammar_of_chat_completions_is_made_flat() -> None:
    inner = b'{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}'
    body = from_elsewhere(tools=(Tool(name="sql", custom=True, grammar=Raw(inner)),))
    assert body["tools"][0]["format"] == {"type": "grammar", "syntax": "lark", "definition": "x"}


def test_every_feature_of_a_request_has_a_word() -> None:
    asked = read(
        input=ITEMS[:8],
        tools=[{"type": "function", "name": "f"}],
        tool_choice="required",
        text={"format": {"type": "json_object"}, "verbosity": "low"},
        max_output_tokens=20,
        temperature=1,
        reasoning={"effort": "high"},
    )
    assert features_of(asked) <= RESPONSES.words.keys()


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"model": None}, "model", "`model` must be a string, not null"),
        ({"input": 5}, "input", "(got 5)"),
        ({"input": None}, "input", "`input` is missing"),
        ({"input": []}, "input", "`input` is missing or empty"),
        ({"input": [{"role": "bot", "content": "x"}]}, "input[0].role", "bot"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing"),
        ({"input": [7]}, "input[0]", "(got 7)"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id", "missing"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": 3}]}]},
            "input[0].content[0].text",
            "(got 3)",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0]",
            "no picture",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens", "0"),
        ({"top_logprobs": 21}, "top_logprobs", "21"),
        ({"temperature": "hot"}, "temperature", '(got "hot")'),
        ({"tools": [{"name": "f"}]}, "tools[0].type", "missing"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing"),
        ({"tool_choice": "maybe"}, "tool_choice", "maybe"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema", "missing"),
        (
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            "previous_response_id",
            "conversation",
        ),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(**fields)
    assert raised.value.param == param
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"[]", "must be a JSON object with `model` and `input`, not a list"),
        (b'{"model":"m","input":"\\ud83d"}', "half a character"),
        (b'{"model":"m","input":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (b'{"model":"m","input":"\xff"}', "not valid JSON"),
    ],
)
def test_what_is_no_request_is_said_so(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        RESPONSES.read_request(body)


# Arbitrary bodies, and right ones with something else in one place.

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "role", "content", "text", "name"]), inner)
    ),
    max_leaves=10,
)
_RIGHT: dict[str, Any] = {
    "model": "m",
    "input": ITEMS,
    "instructions": "x",
    "tools": [{"type": "function", "name": "f", "parameters": {}}, {"type": "custom", "name": "c"}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "x", "name": "f"}]},
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
    "include": ["message.output_text.logprobs"],
}


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for _, key in list(found):
        if isinstance(value[key], (dict, list)):
            found += _places(value[key])
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_body_does_worse_than_being_invalid(data: st.DataObject) -> None:
    body = json.loads(json.dumps(_RIGHT))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(_places(body)))
        container[key] = data.draw(_JSON)
    with contextlib.suppress(InvalidRequest):
        asked = RESPONSES.read_request(json.dumps(body).encode())
        again = RESPONSES.read_request(RESPONSES.write_request(asked))
        assert len(again.tools) == len(asked.tools)


@settings(max_examples=100, deadline=None)
@given(_JSON | st.binary())
def test_no_bytes_do_worse_than_being_invalid(body: Any) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest):
        RESPONSES.read_request(raw)
