"""A request of the Messages API is read as what it asks, and its faults are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messages_api import HELLO, TOOL, a_body, a_call, asked
from tierwise.errors import InvalidRequest
from tierwise.wire.anthropic.request_reader import read_request
from tierwise.wire.conversation import (
    CacheMark,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Source,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}


def the_part(block: dict[str, Any], role: str = "user") -> Part:
    (turn,) = asked([{"role": role, "content": [block]}]).turns
    (part,) = turn.parts
    return part


def test_system_is_the_first_turn() -> None:
    turns = asked(system="Be brief.").turns
    assert [(turn.role, turn.parts) for turn in turns] == [
        ("system", (Text(text="Be brief."),)),
        ("user", (Text(text="Hello"),)),
    ]


def test_a_system_turn_between_others_stays_there() -> None:
    messages = [*HELLO, {"role": "system", "content": "From now on in French."}]
    assert [turn.role for turn in asked(messages).turns] == ["user", "system"]


def test_results_of_tools_are_turns_of_their_own_before_what_the_user_adds() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}
    content = [result, {"type": "text", "text": "And now?"}]
    tool, user = asked([{"role": "user", "content": content}]).turns
    assert tool.role == "tool"
    assert tool.parts == (ToolResult(call_id="t1", parts=(Text(text="no"),), failed=True),)
    assert user.parts == (Text(text="And now?"),)


def test_a_result_holds_texts_and_images() -> None:
    content = [{"type": "text", "text": "seen"}, {"type": "image", "source": PNG}]
    part = the_part({"type": "tool_result", "tool_use_id": "t1", "content": content})
    assert isinstance(part, ToolResult)
    image = Image(source=Source(media_type="image/png", data="iVBORw0="))
    assert part.parts == (Text(text="seen"), image)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}},
            Image(source=Source(url="http://x/y.png")),
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f1"}},
            Image(source=Source(file_id="f1")),
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text(text="a", cache=CacheMark(ttl="1h")),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "http://x"}, "title": "t"},
            Document(source=Source(url="http://x"), name="t"),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                "citations": {"enabled": True},
            },
            Document(source=Source(media_type="text/plain"), text="words", cited=True),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
            },
            Document(source=Source(), text="a\n\nb", pieces=("a", "b")),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            Reasoning(text="hm", signature="sig", origin="anthropic"),
        ),
        (
            {"type": "redacted_thinking", "data": "x"},
            Reasoning(redacted="x", origin="anthropic"),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            ToolCall(id="t", name="f", arguments='{"a": 1}'),
        ),
    ],
)
def test_a_block_is_read_as_the_part_that_it_is(block: dict[str, Any], part: Part) -> None:
    assert the_part(block, "assistant") == part


@pytest.mark.parametrize(
    ("block", "what"),
    [
        ({"type": "server_tool_use", "id": "s", "name": "web_search"}, "server_tool_use"),
        ({"type": "image", "source": {"type": "new"}}, "image of source new"),
        (
            {**a_call(), "caller": {"type": "code_execution_20260120", "tool_id": "s"}},
            "tool_use called by code_execution_20260120",
        ),
    ],
)
def test_what_only_anthropic_knows_is_kept_as_it_came(block: dict[str, Any], what: str) -> None:
    part = the_part(block, "assistant")
    assert isinstance(part, Foreign)
    assert (part.origin, part.what, json.loads(bytes(part.raw))) == ("anthropic", what, block)


def test_server_tools_are_foreign_and_others_are_tools() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    read = asked(tools=[TOOL, search, {**TOOL, "type": "custom", "defer_loading": True}])
    assert [tool.name for tool in read.tools] == ["weather", "weather"]
    assert [tool.what for tool in read.foreign_tools] == ["web_search_20250305"]
    assert {name: bytes(raw) for name, raw in read.tools[1].hints.items()} == {
        "defer_loading": b"true"
    }


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(), None),
        ({"type": "any"}, ToolChoice(mode="required"), None),
        ({"type": "none"}, ToolChoice(mode="none"), None),
        ({"type": "tool", "name": "f"}, ToolChoice(mode="required", names=("f",)), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(), False),
    ],
)
def test_the_choice_of_tools_is_read(
    choice: dict[str, Any], expected: ToolChoice, parallel: bool | None
) -> None:
    read = asked(tools=[TOOL], tool_choice=choice)
    assert (read.tool_choice, read.parallel_tools) == (expected, parallel)


@pytest.mark.parametrize(
    ("thinking", "budget", "shown"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, 2000, None),
        ({"type": "adaptive"}, -1, None),
        ({"type": "adaptive", "display": "summarized"}, -1, True),
        ({"type": "adaptive", "display": "omitted"}, -1, False),
        ({"type": "disabled"}, 0, None),
    ],
)
def test_how_much_is_thought_is_read(
    thinking: dict[str, Any], budget: int, shown: bool | None
) -> None:
    read = asked(thinking=thinking, output_config={"effort": "high"}).thinking
    assert read is not None
    assert (read.budget, read.shown, read.effort) == (budget, shown, "high")


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_a_form_of_the_answer_is_read_under_its_present_and_its_former_name(field: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    read = asked(**{field: {"format": wanted} if field == "output_config" else wanted})
    assert read.format is not None
    assert json.loads(bytes(read.format.schema)) == {"type": "object"}


def test_what_no_other_dialect_has_is_kept_by_name() -> None:
    read = asked(
        container="c",
        output_config={"task_budget": {"type": "tokens", "total": 9}},
        thinking={"type": "between_tools"},
        speed=None,
    )
    assert set(read.own) == {"container", "output_config.task_budget", "thinking"}


def test_the_rest_of_the_parameters_is_read() -> None:
    read = asked(
        stream=True,
        stop_sequences=["END"],
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        metadata={"user_id": "u"},
        service_tier="standard_only",
        cache_control={"type": "ephemeral"},
    )
    sampling = read.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.5, 0.9, 4)
    assert (read.stream, read.stream_usage, read.max_tokens) == (True, True, 64)
    assert (read.stop, read.user, read.service_tier) == (("END",), "u", "default")
    assert read.cache == CacheMark()


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        (b'{"max_tokens":1,"messages":[]}', "model", "`model` is missing"),
        (a_body(max_tokens=None), "max_tokens", "for example 1024"),
        (a_body(max_tokens=-1), "max_tokens", "`max_tokens` is -1"),
        (a_body(max_tokens="9"), "max_tokens", 'must be a whole number, not a string (got "9")'),
        (b'{"model":"m","max_tokens":1,"messages":[]}', "messages", "is empty"),
        (a_body([{"role": "tool", "content": ""}]), "messages[0].role", '"tool"'),
        (a_body([{"role": "user"}]), "messages[0].content", "is missing"),
        (
            a_body([{"role": "user", "content": [{"type": "text"}]}]),
            "messages[0].content[0].text",
            "is missing",
        ),
        (
            a_body([{"role": "user", "content": [{"type": "text", "text": 5}]}]),
            "messages[0].content[0].text",
            "must be a string, not a whole number (got 5)",
        ),
        (
            a_body(
                [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "t",
                                "content": [{"type": "image", "source": 1}],
                            }
                        ],
                    }
                ]
            ),
            "messages[0].content[0].content[0].source",
            "must be an object",
        ),
        (a_body(system=[{"type": "text"}]), "system[0].text", "is missing"),
        (a_body(tools=[{"input_schema": {}}]), "tools[0].name", "is missing"),
        (a_body(tools=[{"name": "f"}]), "tools[0].input_schema", "is missing"),
        (a_body(tool_choice={"type": "some"}), "tool_choice.type", "auto, any, tool or none"),
        (a_body(tool_choice={"type": "tool"}), "tool_choice.name", "Name the tool"),
        (a_body(thinking={"type": "enabled"}), "thinking.budget_tokens", "is missing"),
        (
            a_body(thinking={"type": "enabled", "budget_tokens": 0}),
            "thinking.budget_tokens",
            "at least 1024",
        ),
        (
            a_body(output_config={"format": {"type": "json"}}),
            "output_config.format.type",
            "json_schema",
        ),
        (
            a_body(output_config={"format": {"type": "json_schema"}}),
            "output_config.format.schema",
            "is missing",
        ),
        (b"{", None, "not valid JSON"),
        (a_body(output_config={"x": 1}).replace(b'"x"', b'"\xff"'), None, "not valid JSON"),
        (b"[]", None, "must be a JSON object"),
        (b"[" * 100_000, None, ""),
        (b'{"model": "\\ud83d"}', None, "half a character: `\\ud83d`"),
    ],
)
def test_a_fault_is_named_with_its_field(body: bytes, param: str | None, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request(body)
    assert raised.value.param == param
    assert says in raised.value.message


def test_who_counts_tokens_need_not_say_how_many_the_answer_may_have() -> None:
    assert read_request(a_body(max_tokens=None), counting=True).max_tokens is None
