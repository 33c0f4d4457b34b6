"""That a tool has failed is not lost where a dialect has no field for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.wire.dialect import dialect_named

PICTURE = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}


def asked(content: Any, *, is_error: bool = True) -> bytes:
    """A client of Anthropic's with the result of a tool."""
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": is_error}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    body = {"model": "m", "max_tokens": 9, "messages": messages, "tools": tools}
    return json.dumps(body).encode()


def told(dialect: str, body: bytes, client: str = "anthropic") -> Any:
    """What a provider of that dialect reads of the result."""
    written = json.loads(
        dialect_named(dialect).write_request(dialect_named(client).read_request(body))
    )
    if dialect == "openai-responses":
        return next(i["output"] for i in written["input"] if i["type"] == "function_call_output")
    content = next(m["content"] for m in written["messages"] if m["role"] == "tool")
    if dialect == "openai-chat" and isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "cohere"])
@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("no such file", "Error: no such file"),
        ([{"type": "text", "text": "42"}], "Error: 42"),
        ("", "Error"),
        ("Error: no such file", "Error: no such file"),
        ("Traceback (most recent call last)", "Traceback (most recent call last)"),
        ('{"errors": [1]}', '{"errors": [1]}'),
        ("The command FAILED.", "The command FAILED."),
    ],
)
def test_a_result_that_has_failed_says_so(dialect: str, said: Any, read: str) -> None:
    assert told(dialect, asked(said)) == read


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "cohere"])
def test_a_result_that_has_not_failed_stays_as_it_is(dialect: str) -> None:
    assert told(dialect, asked("no such file", is_error=False)) == "no such file"


def test_a_picture_of_what_has_failed_comes_with_the_word() -> None:
    output = told("openai-responses", asked([PICTURE]))
    assert [piece["type"] for piece in output] == ["input_text", "input_image"]
    assert output[0]["text"] == "Error"


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "cohere"])
def test_what_gemini_s_clients_call_an_error_is_one(dialect: str) -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Look."}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "look", "response": {"error": "no such file"}}}]},
    ]  # fmt: skip
    tools = [{"functionDeclarations": [{"name": "look"}]}]
    body = json.dumps({"contents": contents, "tools": tools}).encode()
    assert told(dialect, body, "gemini") == "Error: no such file"


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "bedrock"])
def test_a_dialect_that_has_a_field_for_it_is_told_there(dialect: str) -> None:
    body = dialect_named(dialect).write_request(
        dialect_named("anthropic").read_request(asked("no such file"))
    )
    assert b"Error: " not in body
    assert b"no such file" in body
