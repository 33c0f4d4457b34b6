"""Requests in Chat Completions are read whole, and written so that they mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Conversation,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Video,
)
from tierwise.wire.dialect import dialect_named, dialect_names
from tierwise.wire.features import features_of

CHAT_NAME = "openai-chat"


def read(**fields: Any) -> Conversation:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return CHAT.read_request(json.dumps(body).encode())


def read_parts(message: dict[str, Any], *before: dict[str, Any]) -> tuple[Part, ...]:
    return read(messages=[*before, message]).turns[-1].parts


def written(asked: Conversation) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(CHAT.write_request(asked))
    return body


def rewritten(**fields: Any) -> dict[str, Any]:
    return written(read(**fields))


def of_others(*turns: Turn, **fields: Any) -> Conversation:
    """What a client of another dialect asks."""
    return Conversation(dialect="anthropic", model="m", turns=turns, **fields)


def test_parts_of_every_kind_are_read() -> None:
    parts = read_parts(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
                {"type": "video_url", "video_url": {"url": "https://a/b.mp4"}},
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
                },
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
        }
    )
    assert parts == (
        Text(text="Look", cache=CacheMark()),
        Image(source=Source(url="https://a/b.png"), detail="low"),
        Image(source=Source(data="QUJD", media_type="image/png")),
        Audio(source=Source(data="QUJD", media_type="audio/mpeg")),
        Video(source=Source(url="https://a/b.mp4")),
        Document(source=Source(data="QUJD", media_type="application/pdf"), name="a.pdf"),
        Document(source=Source(file_id="file-1")),
    )


def test_parts_as_mistral_writes_them_are_read() -> None:
    parts = read_parts(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": "https://a/b.png"},
                {"type": "document_url", "document_url": "https://a/b.pdf", "document_name": "b"},
                {"type": "input_audio", "input_audio": "https://a/b.mp3"},
            ],
        }
    )
    assert parts == (
        Image(source=Source(url="https://a/b.png")),
        Document(source=Source(url="https://a/b.pdf"), name="b"),
        Audio(source=Source(url="https://a/b.mp3")),
    )


def test_calls_and_results_of_tools_are_read() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "words"}},
    ]
    turns = read(
        messages=[
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        ]
    ).turns
    assert turns[0].parts == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments="words", custom=True),
    )
    assert turns[1].parts == (ToolResult(call_id="a", name="f", parts=(Text(text="1"),)),)
    assert turns[2].parts == (
        ToolResult(call_id="b", name="g", parts=(Text(text="2"),), custom=True),
    )


def test_functions_of_old_become_tools() -> None:
    asked = read(
        messages=[
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "1"},
        ],
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert asked.functions
    assert [tool.name for tool in asked.tools] == ["f"]
    assert asked.tool_choice == ToolChoice(mode="required", names=("f",))
    call, result = asked.turns[1].parts[0], asked.turns[2].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id != ""
    assert result.name == "f"


@pytest.mark.parametrize(
    ("wish", "choice"),
    [
        ("auto", ToolChoice()),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ("any", ToolChoice(mode="required")),
        (
            {"type": "function", "function": {"name": "f"}},
            ToolChoice(mode="required", names=("f",)),
        ),
        ({"type": "custom", "custom": {"name": "g"}}, ToolChoice(mode="required", names=("g",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "g"}},
                    ],
                },
            },
            ToolChoice(names=("f", "g")),
        ),
    ],
)
def test_a_choice_of_tools_is_read_and_written_back(wish: Any, choice: ToolChoice) -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
    ]
    asked = read(tools=tools, tool_choice=wish)
    assert asked.tool_choice == choice
    assert written(asked)["tool_choice"] == (wish if wish != "any" else "required")
    assert written(asked)["tools"] == tools


def test_parameters_of_every_kind_are_read() -> None:
    asked = read(
        stop="END",
        max_completion_tokens=5,
        temperature=1,
        top_p=0.5,
        seed=7,
        n=2,
        logprobs=True,
        top_logprobs=3,
        logit_bias={"1": -100},
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        user="u",
        metadata={"a": "b"},
        store=False,
        service_tier="flex",
        verbosity="low",
        prompt_cache_key="k",
        parallel_tool_calls=False,
        reasoning_effort="low",
        stream=True,
        stream_options={"include_usage": True},
    )
    sampling = asked.sampling
    assert (asked.stop, asked.max_tokens, asked.choices) == (("END",), 5, 2)
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (1, 0.5, 7)
    assert (sampling.frequency_penalty, sampling.presence_penalty) == (0.5, -0.5)
    assert bytes(sampling.logit_bias) == b'{"1": -100}'
    assert (asked.logprobs, asked.top_logprobs) == (True, 3)
    assert (asked.user, asked.store, asked.service_tier) == ("u", False, "flex")
    assert (asked.verbosity, asked.cache_key, asked.parallel_tools) == ("low", "k", False)
    assert asked.thinking == Thinking(effort="low")
    assert (asked.stream, asked.stream_usage) == (True, True)
    assert (asked.own, asked.hints) == ({}, {})


@pytest.mark.parametrize(
    ("wish", "thinking"),
    [
        ({"effort": "high"}, Thinking(effort="high", named="reasoning.effort")),
        (
            {"effort": "none", "exclude": True},
            Thinking(effort="none", shown=False, named="reasoning.effort"),
        ),
        ({"max_tokens": 2000, "exclude": True}, Thinking(budget=2000, shown=False)),
        ({"enabled": True}, Thinking(budget=-1)),
        ({"enabled": False}, Thinking(budget=0)),
    ],
)
def test_openrouters_wish_for_reasoning_is_read_and_means_the_same(
    wish: dict[str, Any], thinking: Thinking
) -> None:
    asked = read(reasoning=wish)
    assert asked.thinking == thinking
    assert CHAT.read_request(CHAT.write_request(asked)).thinking == thinking


def test_openais_word_comes_before_openrouters_wish() -> None:
    asked = read(reasoning_effort="low", reasoning={"effort": "high", "max_tokens": 2000})
    assert asked.thinking == Thinking(effort="low", budget=2000)


@pytest.mark.parametrize("name", [name for name in dialect_names() if name != "openai-chat"])
def test_openrouters_wish_asks_providers_of_other_dialects_what_openais_word_does(
    name: str,
) -> None:
    dialect = dialect_named(name)
    wish, word = read(reasoning={"effort": "low"}), read(reasoning_effort="low")
    assert dialect.write_request(wish) == dialect.write_request(word)
    assert b"low" in dialect.write_request(wish).lower() or name == "cohere"


def test_what_only_this_dialect_knows_is_kept_and_named() -> None:
    asked = read(web_search_options={}, min_p=0.1, modalities=["text", "audio"], audio={"a": 1})
    assert list(asked.own) == ["web_search_options", "min_p", "audio", "modalities"]
    assert written(asked)["audio"] == {"a": 1}


def test_what_changes_nothing_of_the_answer_is_kept_but_stands_in_nobodys_way() -> None:
    prediction = {"type": "content", "content": "x"}
    asked = read(prediction=prediction, modalities=["text"], safety_identifier="s")
    assert asked.own == {}
    assert asked.user == "s"
    assert written(asked)["prediction"] == prediction
    assert written(asked)["safety_identifier"] == "s"
    assert "user" not in written(asked)


def test_a_part_that_only_this_dialect_knows_is_kept_and_named() -> None:
    part = {"type": "input_smell", "input_smell": {"of": "rain"}}
    asked = read(messages=[{"role": "user", "content": [part]}])
    raw = Raw(json.dumps(part).encode())
    assert asked.turns[0].parts == (Foreign(origin=CHAT_NAME, what="input_smell", raw=raw),)
    assert written(asked)["messages"] == [{"role": "user", "content": [part]}]


def test_echoes_of_answers_in_messages_bind_nobody() -> None:
    message = {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }
    assert read_parts(message) == (Text(text="Hello"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {
            "reasoning": "Hm.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "format": "xai-v9", "index": 0}
            ],
        },
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"prefix": True},
        {"audio": {"id": "audio_1"}},
    ],
)
def test_what_the_assistant_thought_goes_back_as_it_came(fields: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": "Hello", **fields}
    assert rewritten(messages=[message])["messages"] == [message]


@pytest.mark.parametrize(
    ("form", "origin"),
    [
        ("anthropic-claude-v1", "anthropic"),
        ("google-gemini-v1", "gemini"),
        ("openai-responses-v1", "openai-responses"),
    ],
)
def test_a_signed_thought_is_its_providers(form: str, origin: str) -> None:
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": form}
    parts = read_parts({"role": "assistant", "content": "Hi", "reasoning_details": [detail]})
    assert parts[0] == Reasoning(text="Hm.", signature="s", origin=origin)


def test_what_is_shown_and_what_is_hidden_of_a_thought_is_one_thought() -> None:
    shared = {"format": "openai-responses-v1", "index": 0, "id": "rs_1"}
    details = [
        {"type": "reasoning.summary", "summary": "Hm.", **shared},
        {"type": "reasoning.encrypted", "data": "x", **shared},
    ]
    parts = read_parts({"role": "assistant", "content": "Hi", "reasoning_details": details})
    assert parts[0] == Reasoning(
        text="Hm.", redacted="x", origin="openai-responses", id="rs_1", summary=True
    )


def test_geminis_signature_of_a_call_is_read_and_written_back() -> None:
    call = {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "s"}},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    part = read_parts(message)[0]
    assert part == ToolCall(id="a", name="f", arguments="{}", signature="s", origin="gemini")
    assert rewritten(messages=[message])["messages"] == [message]


def test_cache_marks_go_back_as_they_came() -> None:
    content = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ]
    assert rewritten(messages=[{"role": "user", "content": content}])["messages"] == [
        {"role": "user", "content": content}
    ]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"model": None}, "model", "missing"),
        ({"model": 3}, "model", "must be a string, not a whole number (got 3)"),
        ({"messages": []}, "messages", "empty"),
        ({"messages": "Hi"}, "messages", "must be a list, not a string"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role", "'robot'"),
        (
            {"messages": [{"role": "user", "content": 3}]},
            "messages[0].content",
            "a string or a list",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]}
                ]
            },
            "messages[0].content[0].image_url.url",
            "a string",
        ),
        ({"messages": [{"role": "tool", "content": "1"}]}, "messages[0].tool_call_id", "missing"),
        ({"temperature": "hot"}, "temperature", "must be a number"),
        ({"n": 0}, "n", "between 1 and 128"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing"),
        ({"tool_choice": "maybe"}, "tool_choice", "'maybe'"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema.schema",
            "missing",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(fields: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "must be a JSON object"),
        (b"{", "not valid JSON"),
        (b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}', "half a character"),
        (b'{"model":"m","messages":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (b'{"model":"\xff","messages":[]}', "JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_words(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        CHAT.read_request(body)


def test_another_dialects_system_prompt_becomes_one_text() -> None:
    parts = (Text(text="a"), Text(text="b"))
    asked = of_others(Turn(role="developer", parts=parts), Turn(role="assistant", parts=parts))
    assert written(asked)["messages"] == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "assistant", "content": "ab"},
    ]


def test_thoughts_and_pieces_of_others_are_left_out() -> None:
    asked = of_others(
        Turn(
            role="assistant",
            parts=(
                Reasoning(text="Hm.", signature="s", origin="anthropic"),
                Foreign(origin="anthropic", what="server_tool_use", raw=Raw(b"{}")),
            ),
        ),
        Turn(role="user", parts=(Text(text="Go on"),)),
        own={"container": Raw(b'"c"')},
    )
    body = written(asked)
    assert body["messages"] == [{"role": "user", "content": "Go on"}]
    assert "container" not in body


def test_pictures_that_tools_give_are_said_after_all_results() -> None:
    image = Image(source=Source(data="QUJD", media_type="image/png"))
    asked = of_others(
        Turn(
            role="tool",
            parts=(
                ToolResult(call_id="a", parts=(image,)),
                ToolResult(call_id="b", parts=(Text(text="2"),)),
            ),
        ),
        Turn(role="user", parts=(Text(text="And?"),)),
    )
    roles = [message["role"] for message in written(asked)["messages"]]
    assert roles == ["tool", "tool", "user", "user"]
    shown = written(asked)["messages"][2]["content"]
    assert shown[1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,QUJD"},
    }


@pytest.mark.parametrize(
    ("budget", "effort"), [(0, "none"), (1024, "low"), (8000, "medium"), (32000, "high")]
)
def test_a_budget_of_another_dialect_becomes_the_nearest_effort(budget: int, effort: str) -> None:
    asked = of_others(thinking=Thinking(budget=budget))
    assert written(asked)["reasoning_effort"] == effort


def test_a_stream_for_another_dialect_counts_its_tokens() -> None:
    assert written(of_others(stream=True))["stream_options"] == {"include_usage": True}


def test_all_features_that_the_dialect_writes_have_words() -> None:
    asked = read(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
                    {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
                ],
            }
        ],
        tools=[{"type": "function", "function": {"name": "f"}}],
        tool_choice="required",
        response_format={"type": "json_object"},
        seed=1,
        stop=["a"],
    )
    assert features_of(asked) <= CHAT.words.keys()


def test_arguments_that_are_an_object_are_told_as_json() -> None:
    """Mistral's client sends them so."""
    function = {"name": "f", "arguments": {"b": 1, "a": "é"}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]},
    ]
    asked = CHAT.read_request(json.dumps({"model": "m", "messages": messages}).encode())
    (call,) = asked.turns[1].parts
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"b": 1, "a": "é"}
