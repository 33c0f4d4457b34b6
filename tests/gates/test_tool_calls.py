"""Are the tools that an answer calls those that the request declared, and called as declared?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import a_chunk, a_task
from tierwise.errors import InvalidRequest
from tierwise.gates.tool_calls import ToolCallsGate
from tierwise.types import Completion, Task, ToolCall
from tierwise.wire.openai_chat import join_chunks, read_chunk

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
    "required": ["city"],
    "additionalProperties": False,
}


def tool(name: str, parameters: Any = None) -> dict[str, Any]:
    function = {"name": name} if parameters is None else {"name": name, "parameters": parameters}
    return {"type": "function", "function": function}


def asking(*tools: Any, **fields: Any) -> Task:
    return a_task(tools=list(tools) or [tool("weather", WEATHER), tool("now")], **fields)


def calls(*made: tuple[str, str]) -> Completion:
    return Completion(
        text="", tool_calls=tuple(ToolCall(name=name, arguments=text) for name, text in made)
    )


PARIS = ("weather", '{"city": "Paris"}')
NAMED = {"type": "function", "function": {"name": "weather"}}
ALLOWED = {"mode": "required", "tools": [{"type": "function", "function": {"name": "weather"}}]}


@pytest.mark.parametrize(
    ("task", "answer", "p", "word"),
    [
        (asking(), calls(PARIS), 1.0, "as declared"),
        (asking(), calls(PARIS, ("now", "{}"), PARIS), 1.0, "as declared"),
        (asking(), calls(("now", "")), 1.0, "as declared"),
        (asking(), calls(("now", '{"anything": 1}')), 1.0, "as declared"),
        (asking(), calls(("weather", "")), 0.0, "city"),
        (asking(), calls(("weather", '{"city": 5}')), 0.0, "at city"),
        (asking(), calls(("weather", '{"city": "Paris", "days": 8}')), 0.0, "at days"),
        (asking(), calls(("weather", '{"city": "Paris", "x": 1}')), 0.0, "x"),
        (asking(), calls(("weather", '{"city": "Par')), 0.0, "not valid JSON"),
        (asking(), calls(("weather", '["Paris"]')), 0.0, "not a JSON object"),
        (asking(), calls(PARIS, ("whether", "{}")), 0.0, "'whether', which was not declared"),
        (asking(parallel_tool_calls=False), calls(PARIS), 1.0, "as declared"),
        (asking(parallel_tool_calls=False), calls(PARIS, PARIS), 0.0, "2 calls at once"),
        (asking(tool_choice="none"), calls(PARIS), 0.0, "is none"),
        (asking(tool_choice="required"), calls(PARIS), 1.0, "as declared"),
        (asking(tool_choice="required"), Completion(text="Sunny."), 0.0, "requires it"),
        (asking(tool_choice="any"), Completion(text="Sunny."), 0.0, "requires it"),
        (asking(tool_choice=NAMED), Completion(text="Sunny."), 0.0, "requires it"),
        (asking(tool_choice=NAMED), calls(PARIS), 1.0, "as declared"),
        (asking(tool_choice=NAMED), calls(("now", "{}")), 0.0, "asks for another"),
        (
            asking(tool_choice={"type": "allowed_tools", "allowed_tools": ALLOWED}),
            calls(("now", "{}")),
            0.0,
            "asks for another",
        ),
        (a_task(), calls(PARIS), 0.0, "no tool was declared"),
        (a_task(functions=[{"name": "now"}]), calls(("now", "{}")), 1.0, "as declared"),
    ],
)
def test_calls_are_held_to_what_was_declared(
    task: Task, answer: Completion, p: float, word: str
) -> None:
    verdict = ToolCallsGate().judge(task, answer)
    assert verdict is not None
    assert (verdict.gate, verdict.p) == ("tool_calls", p)
    assert word in verdict.reason


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (a_task(), Completion(text="Sunny.")),
        (asking(), Completion(text="Sunny.")),
        (asking(tool_choice="auto"), Completion(text="Sunny.")),
        (asking(tool_choice="none"), Completion(text="Sunny.")),
        (asking(tool_choice="required"), Completion(text="", refusal="no")),
        (asking(tool_choice={"type": "newer than this"}), Completion(text="Sunny.")),
        (asking(tool_choice=17), Completion(text="Sunny.")),
        (a_task(functions=[{"name": "now"}], tool_choice="required"), Completion(text="Sunny.")),
    ],
)
def test_where_no_call_is_made_or_due_the_gate_has_nothing_to_say(
    task: Task, answer: Completion
) -> None:
    assert ToolCallsGate().judge(task, answer) is None


def test_a_call_to_a_tool_of_another_kind_is_not_for_this_gate() -> None:
    task = asking({"type": "custom", "custom": {"name": "sql"}}, tool("weather", WEATHER))
    verdict = ToolCallsGate().judge(task, calls(("", ""), PARIS))
    assert verdict is not None
    assert verdict.p == 1.0


@pytest.mark.parametrize(
    "parameters", [{"type": "objekt"}, {"properties": 5}, [], "object", {"$ref": "#/$defs/none"}]
)
def test_an_invalid_schema_of_a_tool_is_the_caller_s_mistake(parameters: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ToolCallsGate().prepare(asking(tool("now"), tool("weather", parameters)))
    assert caught.value.param == "tools.weather.parameters"
    assert "not a valid JSON Schema" in caught.value.message


@pytest.mark.parametrize(
    ("dialect", "place"),
    [
        ("openai-responses", "tools.weather.parameters"),
        ("anthropic", "tools.weather.input_schema"),
        ("gemini", "tools.functionDeclarations.weather.parameters"),
    ],
)
def test_a_caller_of_another_dialect_is_told_where_it_wrote_the_schema(
    dialect: str, place: str
) -> None:
    task = replace(asking(tool("weather", [])), read_in=dialect)
    with pytest.raises(InvalidRequest, match=place) as caught:
        ToolCallsGate().prepare(task)
    assert caught.value.param == place


@pytest.mark.parametrize("listed", [[5], [{"type": "function", "function": {"name": 5}}]])
def test_a_tool_that_is_none_is_the_caller_s_mistake(listed: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read") as caught:
        ToolCallsGate().prepare(asking(*listed))
    assert caught.value.param == "tools"


def test_usable_tools_and_no_tools_are_fine() -> None:
    gate = ToolCallsGate()
    gate.prepare(asking())
    gate.prepare(asking(tool("weather", None), {"type": "web_search"}))
    gate.prepare(a_task())


def test_the_same_tools_are_read_once() -> None:
    gate = ToolCallsGate()
    for number in range(3):
        gate.prepare(asking(user=str(number)))
    assert len(gate._declared) == 1
    for number in range(300):
        gate.prepare(asking(tool(f"t{number}", {"const": number})))
    assert len(gate._declared) <= 256


def test_calls_of_a_stream_are_judged_like_any_other() -> None:
    begun = {"index": 0, "id": "1", "function": {"name": "weather", "arguments": '{"ci'}}
    ended = {"index": 0, "function": {"arguments": 'ty": 5}'}}
    events = [
        a_chunk(choices=[{"index": 0, "delta": {"tool_calls": [part]}}]) for part in (begun, ended)
    ]
    answer = join_chunks(read_chunk(event[6:]) for event in events)
    verdict = ToolCallsGate().judge(asking(), answer)
    assert verdict is not None
    assert (verdict.p, "at city" in verdict.reason) == (0.0, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    name=st.sampled_from(["weather", "now", ""]) | st.text(max_size=5),
    arguments=st.text(max_size=30) | JSON.map(json.dumps),
    choice=JSON,
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_called_the_verdict_is_a_probability(
    name: str, arguments: str, choice: Any
) -> None:
    task = asking(tool_choice=choice)
    for answer in (calls((name, arguments)), Completion(text=arguments)):
        verdict = ToolCallsGate().judge(task, answer)
        assert verdict is None or 0.0 <= verdict.p <= 1.0
