"""Which strings of a body are words, in every dialect, and who says them."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.guardrails.base import Span, merged
from tierwise.guardrails.placeholders import Placeholders
from tierwise.guardrails.texts import Arguments, Body

CALL = {"name": "no", "arguments": '{"a": "assistant:yes", "n": [1, true]}'}
TOOL = {"name": "no", "description": "no", "parameters": {"content": "no"}}
DEEP = {"to": "assistant:yes", "deep": [{"x": "assistant:yes"}]}
RESULT = {"type": "tool_result", "content": [{"type": "text", "text": "tool:yes"}]}
SOURCE = {"type": "text", "media_type": "no", "data": "user:yes"}
ASKED = {"name": "no", "args": {"q": "assistant:yes"}}
GIVEN = {"name": "no", "response": {"r": "tool:yes"}}
CHAT: dict[str, Any] = {
    "model": "no",
    "user": "no",
    "metadata": {"text": "no"},
    "messages": [
        {"role": "system", "content": "system:yes", "name": "no"},
        {"role": "user", "content": [
            {"type": "text", "text": "user:yes"},
            {"type": "image_url", "image_url": {"url": "no", "text": "no"}},
        ]},
        {"role": "assistant", "content": None, "reasoning_details": [
            {"type": "reasoning.summary", "summary": "assistant:yes", "format": "no"},
        ], "tool_calls": [
            {"id": "no", "type": "function", "function": CALL},
        ]},
        {"role": "tool", "tool_call_id": "no", "content": "tool:yes"},
    ],
    "tools": [{"type": "function", "function": TOOL}],
    "response_format": {"type": "json_schema", "json_schema": {"text": "no"}},
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "system": [{"type": "text", "text": "system:yes", "cache_control": {"type": "no"}}],
    "messages": [
        {"role": "user", "content": "user:yes"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "no", "signature": "no"},
            {"type": "tool_use", "id": "no", "name": "no", "input": DEEP},
        ]},
        {"role": "user", "content": [
            RESULT,
            {"type": "document", "source": SOURCE, "title": "user:yes", "context": "user:yes"},
            {"type": "image", "source": {"type": "base64", "data": "no"}},
            {"type": "code_execution_tool_result", "tool_use_id": "no", "content": {
                "type": "no", "stdout": "tool:yes", "stderr": "tool:yes", "return_code": 0,
            }},
        ]},
    ],
}  # fmt: skip
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "system:yes"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "user:yes"}, {"inlineData": {"data": "no"}}]},
        {"role": "model", "parts": [{"functionCall": ASKED, "thoughtSignature": "no"}]},
        {"role": "user", "parts": [{"functionResponse": GIVEN}]},
    ],
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "instructions": "system:yes",
    "reasoning": {"effort": "no", "summary": "no"},
    "prompt": {"id": "no", "version": "no", "variables": {
        "name": "user:yes",
        "letter": {"type": "input_text", "text": "user:yes"},
        "picture": {"type": "input_image", "image_url": "no"},
    }},
    "input": [
        {"role": "developer", "content": "system:yes"},
        {"role": "user", "content": [{"type": "input_text", "text": "user:yes"}]},
        {"type": "function_call", "call_id": "no", "name": "no", "arguments": '{"a": "user:yes"}'},
        {"type": "function_call_output", "call_id": "no", "output": "tool:yes"},
        {"type": "reasoning", "encrypted_content": "no"},
        {"type": "code_interpreter_call", "code": "user:yes", "outputs": [
            {"type": "logs", "logs": "user:yes"},
        ]},
        {"type": "web_search_call", "id": "no", "action": {"type": "search", "query": "user:yes"}},
    ],
    "text": {"format": {"type": "json_schema", "schema": {"content": "no"}}},
}  # fmt: skip


@pytest.mark.parametrize("asked", [CHAT, MESSAGES, GEMINI, RESPONSES])
def test_words_are_found_with_who_says_them_and_nothing_else_is(asked: Any) -> None:
    body = Body(asked, "request")
    found = [*body.words, *(w for one in body.arguments for w in Arguments(one).words)]
    said = [word for word in found if word.text != "1"]
    assert all(word.text == f"{word.role}:yes" for word in said), [w.text for w in said]
    assert len(said) == str(asked).count(":yes")


def test_a_string_as_input_is_the_users() -> None:
    (word,) = Body({"input": "hello"}, "request").words
    assert (word.text, word.role) == ("hello", "user")


def test_of_an_api_that_is_not_known_every_value_is_a_word() -> None:
    asked = {"a": "yes", "b": ["yes", 5, True, None, {"tools": "yes"}], "metadata": {"c": "yes"}}
    body = Body(asked, "request", everywhere=True)
    assert [one.text for one in body.words if one.text != "5"] == ["yes"] * 4
    for one in body.words:
        one.put([(0, 1, "")])
    assert str(body.value).count("es") == 4
    whole = Body("yes", "request", everywhere=True)
    whole.words[0].put([(0, 3, "no")])
    assert whole.value == "no"


def test_edits_are_made_where_the_words_stand() -> None:
    asked = {"messages": [{"role": "user", "content": "one two three"}]}
    body = Body(asked, "request")
    body.words[0].put([(0, 3, "1"), (8, 13, "3")])
    assert asked["messages"][0]["content"] == "1 two 3"
    assert body.changed


def test_a_body_as_deep_as_a_decoder_allows_is_gone_through() -> None:
    value: Any = "deep"
    for _ in range(5000):
        value = {"content": [value]}
    (word,) = Body(value, "request").words
    assert word.text == "deep"


def test_arguments_that_are_no_json_are_a_text() -> None:
    (whole,) = Body({"arguments": '{"a": "cut'}, "answer").arguments
    (word,) = Arguments(whole).words
    assert word is whole


def test_masked_words_are_not_told_by_their_log_probabilities() -> None:
    answer = {"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"token": "x"}]}}]}
    body = Body(answer, "answer")
    body.without_logprobs()
    assert answer["choices"][0]["logprobs"] is None


def test_spans_that_overlap_are_one_and_leave_nothing_uncovered() -> None:
    spans = [Span(5, 9, "b"), Span(0, 6, "a"), Span(9, 12, "c"), Span(3, 3, "d")]
    assert merged(spans) == [Span(0, 9, "a"), Span(9, 12, "c")]


def test_a_value_keeps_its_placeholder_and_a_longer_one_is_not_cut_by_a_shorter() -> None:
    given = Placeholders()
    assert [given.of("api key", v) for v in ("ab", "abc", "ab")] == [
        "[API_KEY_1]", "[API_KEY_2]", "[API_KEY_1]",
    ]  # fmt: skip
    assert given.of("电话", "1") == "[MASKED_1]"
    assert given.shown("abc ab") == "[API_KEY_2] [API_KEY_1]"
