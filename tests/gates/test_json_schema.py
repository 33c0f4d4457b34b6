"""Does the answer satisfy the JSON that the request declared?"""

from __future__ import annotations

import socket
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_task
from tierwise.errors import InvalidRequest
from tierwise.gates.json_schema import JsonSchemaGate
from tierwise.types import Completion, Task, ToolCall

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}


def wanting(schema: Any) -> Task:
    return a_task(
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    )


JSON_MODE = a_task(response_format={"type": "json_object"})


@pytest.mark.parametrize(
    ("task", "text", "p", "word"),
    [
        (wanting(CITY), '{"city": "Paris"}', 1.0, "satisfies"),
        (wanting(CITY), ' {"city": "Paris", "people": 2}\n', 1.0, "satisfies"),
        (wanting(CITY), "{}", 0.0, "city"),
        (wanting(CITY), '{"city": 5}', 0.0, "at city"),
        (wanting(CITY), '{"city": "Paris", "x": 1}', 0.0, "x"),
        (wanting(CITY), "[]", 0.0, "the top level"),
        (wanting(CITY), '```json\n{"city": "Paris"}\n```', 0.0, "not valid JSON"),
        (wanting(CITY), "", 0.0, "not valid JSON"),
        (wanting(CITY), "Paris", 0.0, "not valid JSON"),
        (wanting(True), "[1]", 1.0, "satisfies"),
        (JSON_MODE, '{"anything": [1]}', 1.0, "valid JSON"),
        (JSON_MODE, "{", 0.0, "not valid JSON"),
        (JSON_MODE, "[" * 5000, 0.0, "not valid JSON"),
    ],
)
def test_an_answer_is_held_to_the_declared_json(task: Task, text: str, p: float, word: str) -> None:
    verdict = JsonSchemaGate().judge(task, Completion(text=text))
    assert verdict is not None
    assert (verdict.gate, verdict.p) == ("json_schema", p)
    assert word in verdict.reason


def test_a_refusal_needs_no_json() -> None:
    verdict = JsonSchemaGate().judge(wanting(CITY), Completion(text="", refusal="no"))
    assert verdict is not None
    assert verdict.p == 1.0


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (a_task(), Completion(text="not json")),
        (wanting(CITY), Completion(text="", tool_calls=(ToolCall(name="f", arguments=""),))),
    ],
)
def test_where_no_json_is_due_the_gate_has_nothing_to_say(task: Task, answer: Completion) -> None:
    assert JsonSchemaGate().judge(task, answer) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"properties": 5},
        {"$ref": "#/$defs/nobody"},
        [],
        "object",
        '{"type": "object"}',
    ],
)
def test_a_schema_that_is_none_is_the_caller_s_mistake(schema: Any) -> None:
    with pytest.raises(InvalidRequest, match="not a valid JSON Schema") as caught:
        JsonSchemaGate().prepare(wanting(schema))
    assert caught.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    ("dialect", "place"),
    [
        ("openai-responses", "text.format.schema"),
        ("anthropic", "output_config.format.schema"),
        ("gemini", "generationConfig.responseJsonSchema"),
    ],
)
def test_a_caller_of_another_dialect_is_told_where_it_wrote_the_schema(
    dialect: str, place: str
) -> None:
    with pytest.raises(InvalidRequest, match=place) as caught:
        JsonSchemaGate().prepare(replace(wanting([]), read_in=dialect))
    assert caught.value.param == place


def test_a_usable_schema_and_no_schema_are_fine() -> None:
    gate = JsonSchemaGate()
    gate.prepare(wanting(CITY))
    gate.prepare(a_task())


@pytest.mark.parametrize(
    "schema",
    [
        {"items": [{"type": "string"}, {"type": "integer"}]},
        {"items": {"type": "number", "minimum": 0, "exclusiveMinimum": True}},
    ],
)
def test_a_schema_may_be_written_in_an_older_draft(schema: Any) -> None:
    gate = JsonSchemaGate()
    wrong = gate.judge(wanting(schema), Completion(text="[0, 0.5]"))
    assert wrong is not None
    assert wrong.p == 0.0


def test_a_schema_cannot_make_the_gateway_fetch_a_url() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        with pytest.raises(InvalidRequest):
            JsonSchemaGate().prepare(wanting({"$ref": url}))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_schema_cannot_make_the_gateway_read_a_file(tmp_path: Any) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    with pytest.raises(InvalidRequest):
        JsonSchemaGate().prepare(wanting({"$ref": file.as_uri()}))


def test_references_within_a_schema_work() -> None:
    schema = {"$defs": {"city": {"type": "string"}}, "$ref": "#/$defs/city"}
    verdict = JsonSchemaGate().judge(wanting(schema), Completion(text='"Paris"'))
    assert verdict is not None
    assert verdict.p == 1.0


def test_many_schemas_do_not_pile_up() -> None:
    gate = JsonSchemaGate()
    for number in range(300):
        gate.prepare(wanting({"const": number}))
    assert len(gate._schemas._validators) <= 256
    verdict = gate.judge(wanting({"const": 0}), Completion(text="0"))
    assert verdict is not None
    assert verdict.p == 1.0


@pytest.mark.parametrize("text", ["Sure! Here is the JSON", "```json\n{", "I cannot"])
def test_prose_where_json_was_declared_is_refused_at_its_beginning(text: str) -> None:
    for task in (wanting(CITY), JSON_MODE):
        verdict = JsonSchemaGate().judge_start(task, Completion(text=text))
        assert verdict is not None
        assert verdict.p == 0.0


@pytest.mark.parametrize("text", ['{"city": "Pa', "\n [1, 2", "", '"Pa', "-1"])
def test_what_may_become_json_is_given_time(text: str) -> None:
    assert JsonSchemaGate().judge_start(wanting(CITY), Completion(text=text)) is None


def test_the_beginning_says_nothing_where_no_json_was_declared() -> None:
    assert JsonSchemaGate().judge_start(a_task(), Completion(text="Sure!")) is None
