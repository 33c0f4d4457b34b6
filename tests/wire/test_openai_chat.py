"""Requests are read strictly where it matters and passed on byte by byte where it does not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from builders import a_body, a_chunk, an_answer
from tierwise.errors import InvalidRequest
from tierwise.types import Completion, ToolCall
from tierwise.wire import openai_chat
from tierwise.wire.openai_chat import (
    field_of,
    given,
    join_chunks,
    read_chunk,
    read_completion,
    read_request,
    with_fields,
)
from tierwise.wire.sse import payload


def body(**fields: Any) -> bytes:
    return a_body("Hello", **fields)


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        (b"", None, ("is empty", "Send a JSON object")),
        (b"{", None, ("not valid JSON", "Send a JSON object")),
        (b"\xef\xbb\xbf{}", None, ("not valid JSON",)),
        (b"[]", None, ("must be a JSON object", "`messages`")),
        (b'"hello"', None, ("must be a JSON object",)),
        (b"[" * 100_000, None, ("JSON",)),
        (b'{"x":' + b"[" * 100_000, None, ("nested too deeply", "Send a JSON object")),
        (b'{"messages":[{"role":"user"}]}', "model", ("`model` is missing", '"auto"')),
        (b'{"model":"a"}', "messages", ("`messages` is missing", '"role": "user"')),
        (body(model=7), "model", ("must be a string", "got 7", "GET /v1/models")),
        (body(messages=[]), "messages", ("empty", "at least one")),
        (body(messages="hi"), "messages", ("must be a list", '"role": "user"')),
        (body(messages=[{"content": "x"}]), "messages[0].role", ("missing", "Add it")),
        (
            body(messages=[{"role": "user", "content": 3}]),
            "messages[0].content",
            ("must be a string or a list",),
        ),
        (body(stream="yes"), "stream", ("true or false", '"yes"')),
        (body(tools={}), "tools", ("must be a list",)),
        (body(n=0), "n", ("between 1 and 128",)),
        (body(n=129), "n", ("between 1 and 128",)),
        (body(n=1.5), "n", ("whole number",)),
        (body(max_tokens=0), "max_tokens", ("`max_tokens` is 0", "at least 1")),
        (body(max_completion_tokens=0), "max_completion_tokens", ("at least 1",)),
        (
            body(max_completion_tokens=0, max_tokens=5),
            "max_completion_tokens",
            ("`max_completion_tokens` is 0",),
        ),
        (body(response_format="json"), "response_format", ("must be an object",)),
        (
            body(response_format={"type": "json_schema"}),
            "response_format.json_schema.schema",
            ("missing", "Send the JSON Schema"),
        ),
        (
            body(response_format={"type": "json_schema", "json_schema": {"name": "x"}}),
            "response_format.json_schema.schema",
            ("missing",),
        ),
    ],
)
def test_a_wrong_request_is_told_the_field_and_the_remedy(
    raw: bytes, field: str | None, words: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(raw)
    assert caught.value.param == field
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (rb"\ud83d", r"\ud83d"),
        (rb"cut \uD83D here", r"\uD83D"),
        (rb"\ude00", r"\ude00"),
        (rb"\ud83d\u0041", r"\ud83d"),
        (rb"\ud83d\ude00 \\ud83d \\\ude01", r"\ude01"),
    ],
)
def test_half_a_character_is_named_as_what_it_is(text: bytes, half: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(body().replace(b"Hello", text))
    assert f"half a character: `{half}`" in caught.value.message
    assert "Send the whole character" in caught.value.message


@pytest.mark.parametrize("text", [rb"\ud83d\ude00", rb"\\ud83d", rb"\u00e9"])
def test_whole_characters_are_not_to_blame(text: bytes) -> None:
    raw = body().replace(b"Hello", text)
    assert read_request(raw).body is raw
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        read_request(raw[:-1])


def test_half_a_character_is_not_blamed_for_a_body_that_is_cut() -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        read_request(body().replace(b"Hello", rb"\ud83d")[:-1])


def test_a_long_wrong_value_is_shortened_in_the_message() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(body(model=["x" * 1000]))
    assert "..." in caught.value.message
    assert len(caught.value.message) < 300


def test_null_optional_fields_are_as_good_as_missing_ones() -> None:
    limits = ("max_tokens", "max_completion_tokens", "n")
    switches = ("stream", "stream_options", "logprobs", "reasoning_effort", "response_format")
    nulls = dict.fromkeys((*limits, *switches, "tools", "functions"))
    with_nulls, without = read_request(body(**nulls)), read_request(body())
    assert msgspec.structs.replace(with_nulls, body=b"") == msgspec.structs.replace(
        without, body=b""
    )


def test_what_routing_needs_is_read_from_the_body() -> None:
    schema = {"type": "object"}
    task = read_request(
        body(
            model="best",
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=20,
            max_completion_tokens=30,
            n=2,
            logprobs=True,
            tools=[{"type": "function", "function": {"name": "f"}}],
            reasoning_effort="low",
            response_format={"type": "json_schema", "json_schema": {"schema": schema}},
        )
    )
    assert (task.model, task.stream, task.wants_stream_usage) == ("best", True, True)
    assert (task.max_output_tokens, task.choices, task.logprobs) == (30, 2, True)
    assert (task.tools, task.reasoning, task.json_mode) == (True, True, False)
    assert json.loads(task.json_schema or b"") == schema


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"reasoning": {"effort": "low"}}, True),
        ({"reasoning": {"max_tokens": 2000}}, True),
        ({"reasoning": {"enabled": True}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning": {"exclude": True}}, False),
        ({"reasoning": {}}, False),
        ({"reasoning": None}, False),
        ({"reasoning": "as somebody else has it"}, False),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "none"}, False),
    ],
)
def test_a_request_reasons_if_openrouters_object_says_so(
    fields: dict[str, Any], reasons: bool
) -> None:
    assert read_request(body(**fields)).reasoning is reasons


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_format": {"type": "json_object"}}, (True, None)),
        ({"response_format": {"type": "text"}}, (False, None)),
        ({"response_format": {"type": "grammar", "grammar": "x"}}, (False, None)),
        ({}, (False, None)),
    ],
)
def test_only_declared_json_counts_as_json(
    fields: dict[str, Any], expected: tuple[bool, bytes | None]
) -> None:
    task = read_request(body(**fields))
    assert (task.json_mode, task.json_schema) == expected


def test_parts_of_a_message_keep_their_kind_and_text() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    (message,) = read_request(body(messages=[{"role": "user", "content": parts}])).messages
    assert message.text == "What is this?"
    assert isinstance(message.content, list)
    assert [part.type for part in message.content] == ["text", "image_url", "input_audio"]


def test_a_body_is_kept_as_it_came() -> None:
    raw = b'{ "model" : "a",\n"zz_new":1.50e+3, "messages":[{"role":"user","content":"\\u00e9"}] }'
    assert read_request(raw).body is raw


ODD = (
    b'{ "model" : "a", "x": 1.50e+3 ,"big":12345678901234567890123, "u":"\\u00e9 \\/ \xc3\xa9",'
    b'"nested": { "a" : [1,  2] }, "messages":[ {"role":"user","content":"hi"} ] }'
)


def test_fields_that_are_not_changed_keep_their_bytes() -> None:
    changed = with_fields(ODD, {"model": b'"b"', "extra": b'{"k": 1}', "x": None})
    assert json.loads(changed)["model"] == "b"
    assert b"1.50e+3" not in changed
    for kept in (
        b"12345678901234567890123",
        b'"\\u00e9 \\/ \xc3\xa9"',
        b'{ "a" : [1,  2] }',
        b'[ {"role":"user","content":"hi"} ]',
        b'{"k": 1}',
    ):
        assert kept in changed


def test_removing_a_field_that_is_not_there_changes_nothing() -> None:
    assert json.loads(with_fields(ODD, {"nope": None})) == json.loads(ODD)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nested", b'{ "a" : [1,  2] }'), ("nope", None)],
)
def test_one_field_is_given_as_its_own_bytes(name: str, expected: bytes | None) -> None:
    assert field_of(ODD, name) == expected


def test_a_null_field_counts_as_missing() -> None:
    assert field_of(b'{"a": null}', "a") is None


def test_an_answer_is_read_by_its_first_choice() -> None:
    answer = an_answer("second")
    first = {"index": 0, "message": {"content": "first"}, "finish_reason": "length"}
    answer["choices"] = [{**answer["choices"][0], "index": 1}, first]
    assert read_completion(json.dumps(answer).encode()) == Completion(
        text="first", finish_reason="length"
    )


def test_content_in_pieces_is_joined_without_the_thinking() -> None:
    pieces = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Par"},
        {"type": "text", "text": "is"},
    ]
    answer = an_answer("")
    answer["choices"][0]["message"]["content"] = pieces
    assert read_completion(json.dumps(answer).encode()).text == "Paris"
    delta = json.dumps({"choices": [{"delta": {"content": pieces}}]}).encode()
    assert join_chunks([read_chunk(delta)]).text == "Paris"


def test_tool_calls_and_refusals_of_an_answer_are_read() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    answer = an_answer(None, tool_calls=[call], refusal="no", finish_reason="tool_calls")
    assert read_completion(json.dumps(answer).encode()) == Completion(
        text="",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(id="c1", name="f", arguments='{"x":1}'),),
        refusal="no",
    )


def chunks(*deltas: dict[str, Any], finish: str = "stop") -> list[openai_chat.Chunk]:
    ends: list[tuple[dict[str, Any], str | None]] = [(delta, None) for delta in deltas]
    ends.append(({}, finish))
    made = [{"index": 0, "delta": delta, "finish_reason": end} for delta, end in ends]
    return [read_chunk(json.dumps({"choices": [choice]}).encode()) for choice in made]


def test_text_of_a_stream_is_joined() -> None:
    joined = join_chunks(
        chunks({"role": "assistant", "content": ""}, {"content": "a"}, {"content": "b"})
    )
    assert joined == Completion(text="ab", finish_reason="stop")


def test_tool_call_deltas_are_joined_by_their_index() -> None:
    joined = join_chunks(
        chunks(
            {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
            {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]},
            {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
            finish="tool_calls",
        )
    )
    assert joined.tool_calls == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    )
    assert joined.finish_reason == "tool_calls"


def test_a_refusal_in_pieces_is_joined() -> None:
    assert join_chunks(chunks({"refusal": "I "}, {"refusal": "won't"})).refusal == "I won't"


def test_other_choices_of_a_stream_are_left_alone() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "x"}}]}).encode()
    assert join_chunks([*chunks({"content": "a"}), read_chunk(other)]).text == "a"


def test_a_chunk_without_a_delta_or_without_choices_is_no_text() -> None:
    odd = [read_chunk(b'{"choices":[{"index":0}]}'), read_chunk(b'{"id":"x"}')]
    assert join_chunks(odd) == Completion(text="")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"choices":[]}', False),
        (b'{"choices":[],"error":null}', False),
        (b'{"choices":[],"error":{"message":"x"}}', True),
        (b'{"error":"x"}', True),
    ],
)
def test_only_an_error_that_is_there_counts_as_one(data: bytes, expected: bool) -> None:
    assert given(read_chunk(data).error) is expected


def test_a_built_chunk_is_read_back() -> None:
    data = payload(a_chunk("hi", model="m").strip())
    assert data is not None
    chunk = read_chunk(data)
    assert (chunk.model, chunk.choices[0].delta and chunk.choices[0].delta.text) == ("m", "hi")
