"""What clients of other dialects ask is written as Anthropic takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tierwise.wire.anthropic import ANTHROPIC
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

HELLO = (Turn(role="user", parts=(Text(text="Hello"),)),)
TOOLS = (Tool(name="f"), Tool(name="g"), Tool(name="h"))


def written(*turns: Turn, **fields: Any) -> dict[str, Any]:
    fields.setdefault("dialect", "openai-chat")
    asked = Conversation(model="m", turns=turns or HELLO, **fields)
    body: dict[str, Any] = json.loads(ANTHROPIC.write_request(asked))
    return body


def the_block(part: Part) -> Any:
    content = written(Turn(role="user", parts=(part, Text(text="."))))["messages"][0]["content"]
    return content[0] if len(content) == 2 else None


def says(role: Any, *texts: str) -> Turn:
    return Turn(role=role, parts=tuple(Text(text=text) for text in texts))


def test_without_a_limit_none_is_written() -> None:
    assert written() == {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_instructions_of_other_dialects_all_go_into_system_in_order() -> None:
    body = written(
        says("system", "one"), says("user", "a"), says("developer", "two"), says("assistant", "b"),
        says("user", "c"),
    )  # fmt: skip
    assert [block["text"] for block in body["system"]] == ["one", "two"]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("temperature", "top_p", "left"),
    [
        (0.5, 1.0, {"temperature": 0.5}),
        (1.0, 0.5, {"top_p": 0.5}),
        (1.0, 1.0, {"temperature": 1.0}),
        (None, 1.0, {"top_p": 1.0}),
        (0.5, 0.9, {"temperature": 0.5, "top_p": 0.9}),
    ],
)
def test_of_two_ways_to_draw_the_one_that_asks_for_nothing_is_left_out(
    temperature: float | None, top_p: float, left: dict[str, float]
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p)
    body = written(sampling=sampling)
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == left
    own = written(sampling=sampling, dialect="anthropic")
    assert (own.get("temperature"), own["top_p"]) == (temperature, top_p)


def test_instructions_alone_are_said_by_the_user() -> None:
    body = written(says("system", "Tell a joke."))
    assert "system" not in body
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Tell a joke."}]}
    ]


def test_turns_of_one_side_become_one_message_with_results_first() -> None:
    body = written(
        says("user", "a"),
        Turn(role="assistant", parts=(ToolCall(id="1", name="f", arguments=""),)),
        Turn(role="assistant", parts=(ToolCall(id="2", name="g", arguments='{"x":1}'),)),
        says("user", "wait"),
        Turn(role="tool", parts=(ToolResult(call_id="1", parts=()),)),
        Turn(role="tool", parts=(ToolResult(call_id="2", parts=(Text(text="r"),), failed=True),)),
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["input"] for block in body["messages"][1]["content"]] == [{}, {"x": 1}]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "1"},
        {
            "type": "tool_result",
            "tool_use_id": "2",
            "content": [{"type": "text", "text": "r"}],
            "is_error": True,
        },
        {"type": "text", "text": "wait"},
    ]


def test_an_id_that_the_api_refuses_is_changed_the_same_way_in_call_and_result() -> None:
    odd = "functions.f:0"
    body = written(
        Turn(role="assistant", parts=(ToolCall(id=odd, name="f", arguments="{}"),)),
        Turn(role="tool", parts=(ToolResult(call_id=odd, parts=()),)),
    )
    call, result = (message["content"][0] for message in body["messages"])
    assert call["id"] == result["tool_use_id"]
    assert call["id"].startswith("functions_f_0_")
    assert call["id"].replace("_", "").replace("-", "").isalnum()


@pytest.mark.parametrize("arguments", ["not json", "[1]", '"a"', "5"])
def test_arguments_that_are_no_object_are_shown_in_one(arguments: str) -> None:
    assert the_block(ToolCall(id="1", name="f", arguments=arguments))["input"] == {
        "arguments": arguments
    }


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(source=Source(data="/9j/4AAQ")),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
            },
        ),
        (
            Image(source=Source(url="http://x"), cache=CacheMark(ttl="5m")),
            {
                "type": "image",
                "source": {"type": "url", "url": "http://x"},
                "cache_control": {"type": "ephemeral", "ttl": "5m"},
            },
        ),
        (
            Document(source=Source(data="JVBERi0="), name="a.pdf", context="c", cited=True),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                "title": "a.pdf",
                "context": "c",
                "citations": {"enabled": True},
            },
        ),
        (
            Document(source=Source(data="aGk=", media_type="text/markdown")),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "hi"},
            },
        ),
        (Text(text=""), None),
        (Audio(source=Source(data="x")), None),
        (Reasoning(text="thought", signature="s", origin="gemini"), None),
        (Reasoning(text="thought", origin="anthropic"), None),
        (Foreign(origin="gemini", what="executableCode", raw=Raw(b"{}")), None),
        (
            Foreign(origin="anthropic", what="x", raw=Raw(b'{"type":"x"}')),
            {"type": "x"},
        ),
        (
            Reasoning(text="", signature="s", origin="anthropic"),
            {"type": "thinking", "thinking": "", "signature": "s"},
        ),
    ],
)
def test_a_part_is_written_as_the_block_that_the_api_takes(part: Part, block: Any) -> None:
    assert the_block(part) == block


def test_the_beginning_of_an_answer_does_not_end_with_blanks() -> None:
    body = written(says("user", "a"), says("assistant", "Once upon \n"))
    assert body["messages"][-1]["content"][0]["text"] == "Once upon"


def test_tools_are_written_with_a_schema_that_says_object() -> None:
    tool = Tool(name="f", description="d", parameters=Raw(b'{"properties":{"a":{}}}'), strict=False)
    assert written(tools=(tool, Tool(name="free", custom=True)))["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object", "properties": {"a": {}}},
        }
    ]


def test_hints_about_a_tool_stay_with_its_own_dialect() -> None:
    tool = Tool(name="f", hints={"defer_loading": Raw(b"true")})
    assert written(tools=(tool,), dialect="anthropic")["tools"][0]["defer_loading"] is True
    assert "defer_loading" not in written(tools=(tool,))["tools"][0]


@pytest.mark.parametrize(
    ("choice", "parallel", "names", "expected"),
    [
        (None, None, "fgh", None),
        (ToolChoice(mode="required"), None, "fgh", {"type": "any"}),
        (ToolChoice(mode="none"), False, "fgh", {"type": "none"}),
        (ToolChoice(mode="required", names=("g",)), None, "fgh", {"type": "tool", "name": "g"}),
        (ToolChoice(mode="auto", names=("g",)), None, "g", {"type": "auto"}),
        (ToolChoice(mode="required", names=("g", "h")), None, "gh", {"type": "any"}),
        (None, False, "fgh", {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools_is_written(
    choice: ToolChoice | None, parallel: bool | None, names: str, expected: Any
) -> None:
    body = written(tools=TOOLS, tool_choice=choice, parallel_tools=parallel)
    assert "".join(tool["name"] for tool in body["tools"]) == names
    assert body.get("tool_choice") == expected


def test_without_tools_there_is_no_choice_of_them() -> None:
    assert "tool_choice" not in written(tool_choice=ToolChoice(), parallel_tools=False)


@pytest.mark.parametrize(
    ("thinking", "fields", "expected", "effort"),
    [
        (Thinking(effort="high"), {}, {"type": "adaptive"}, "high"),
        (Thinking(effort="minimal"), {}, {"type": "adaptive"}, "low"),
        (Thinking(effort="none"), {}, {"type": "disabled"}, None),
        (Thinking(effort="low"), {"sampling": Sampling(temperature=0.2)}, None, "low"),
        (Thinking(effort="low"), {"sampling": Sampling(top_k=5)}, None, "low"),
        (
            Thinking(effort="low"),
            {"tools": TOOLS, "tool_choice": ToolChoice(mode="required")},
            None,
            "low",
        ),
        (Thinking(effort="low"), {"dialect": "anthropic"}, None, "low"),
        (Thinking(budget=0), {}, {"type": "disabled"}, None),
        (Thinking(budget=-1, shown=True), {}, {"type": "adaptive", "display": "summarized"}, None),
        (Thinking(budget=5000), {}, {"type": "enabled", "budget_tokens": 5000}, None),
        (Thinking(budget=10), {}, {"type": "enabled", "budget_tokens": 1024}, None),
    ],
)
def test_how_much_is_to_be_thought_is_written(
    thinking: Thinking, fields: dict[str, Any], expected: Any, effort: str | None
) -> None:
    body = written(thinking=thinking, **fields)
    assert body.get("thinking") == expected
    assert body.get("output_config", {}).get("effort") == effort


def test_a_schema_is_closed_and_its_limits_are_put_into_words() -> None:
    schema = {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 0, "description": "in years"},
            "kind": {"oneOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "object", "properties": {}}},
        },
        "required": ["age"],
    }
    body = written(format=Format(kind="schema", schema=Raw(json.dumps(schema).encode()), name="p"))
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "in years\n\n{minimum: 0}"},
                    "kind": {
                        "anyOf": [
                            {"type": "string", "description": "{maxLength: 9}"},
                            {"type": "null"},
                        ]
                    },
                    "tags": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {},
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["age"],
                "additionalProperties": False,
            },
        }
    }


def test_a_schema_of_its_own_dialect_is_left_alone() -> None:
    wanted = Format(kind="schema", schema=Raw(b'{"type":"object","minProperties":1}'))
    body = written(format=wanted, dialect="anthropic")
    assert body["output_config"]["format"]["schema"] == {"type": "object", "minProperties": 1}


def test_what_only_another_dialect_knows_is_left_out() -> None:
    body = written(
        own={"prediction": Raw(b"{}")},
        foreign_tools=(Foreign(origin="gemini", what="googleSearch", raw=Raw(b"{}")),),
        sampling=Sampling(seed=4, frequency_penalty=1.0, top_k=3),
        service_tier="flex",
        stop=("END",),
        user="u",
        max_tokens=7,
        stream=True,
        cache=CacheMark(ttl="24h"),
    )
    assert body == {
        **written(),
        "top_k": 3,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "max_tokens": 7,
        "stream": True,
        "cache_control": {"type": "ephemeral"},
    }
