"""A prompt as the conversation that it is, in whichever dialect it was sent."""

from __future__ import annotations

import pytest

from tierwise.dashboard.spoken import spoken


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ('{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}', [("user", "hi")]),
        (
            '{"system": "be brief", "messages": [{"role": "user", "content":'
            ' [{"type": "text", "text": "a"}, {"type": "image"}]}]}',
            [("system", "be brief"), ("user", "a\n[image]")],
        ),
        ('{"input": "hello", "instructions": "kindly"}', [("system", "kindly"), ("user", "hello")]),
        (
            '{"contents": [{"role": "model", "parts": [{"text": "a"}, {"text": "b"}]}]}',
            [("model", "a\nb")],
        ),
        ('{"input": [{"type": "function_call_output", "output": "7"}]}',
         [("function_call_output", "7")]),
    ],
)  # fmt: skip
def test_every_dialect_is_told_as_who_said_what(prompt: str, said: list[tuple[str, str]]) -> None:
    assert [(one.role, one.text) for one in spoken(prompt)] == said


@pytest.mark.parametrize(
    "prompt", ["no json {", "[1, 2]", "7", '{"model": "auto"}', '{"messages": 3}']
)
def test_what_is_no_conversation_is_shown_as_it_was_sent(prompt: str) -> None:
    (one,) = spoken(prompt)
    assert one.role == "as it was sent"
    assert one.text.strip()


def test_a_message_without_words_is_shown_whole() -> None:
    (one,) = spoken('{"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}')
    assert one.role == "assistant"
    assert "tool_calls" in one.text
