"""What is said of thinking is taken out of a request, and nothing else of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.types import Task
from tierwise.wire.unthinking import unthinking

SAID: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("openai-chat", {"reasoning_effort": "high", "reasoning": {"effort": "low"}}, {}),
    ("openai-responses", {"reasoning": {"effort": "high"}}, {}),
    (
        "openai-responses",
        {"reasoning": {"effort": "high"}, "include": ["reasoning.encrypted_content"]},
        {},
    ),
    (
        "openai-responses",
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        {"include": ["message.output_text.logprobs"]},
    ),
    ("anthropic", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, {}),
    (
        "anthropic",
        {"output_config": {"effort": "low", "format": {"type": "json_schema"}}},
        {"output_config": {"format": {"type": "json_schema"}}},
    ),
    (
        "gemini",
        {"generationConfig": {"topK": 3, "thinkingConfig": {"thinkingBudget": 9}}},
        {"generationConfig": {"topK": 3}},
    ),
    ("gemini", {"generation_config": {"thinking_config": {"thinking_level": "low"}}}, {}),
]


def a_task(dialect: str, body: bytes) -> Task:
    return Task(body=body, model="m", messages=[], dialect=dialect, reasoning=True)


@pytest.mark.parametrize(("dialect", "fields", "rest"), SAID)
def test_what_is_said_of_thinking_is_left_out_wherever_it_stands(
    dialect: str, fields: dict[str, Any], rest: dict[str, Any]
) -> None:
    other = {"model": "m", "new": {"thinking": "stays"}}
    told = unthinking(a_task(dialect, json.dumps({**other, **fields}).encode()))
    assert json.loads(told.body) == {**other, **rest}
    assert not told.reasoning


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic", "gemini"])
@pytest.mark.parametrize(
    "body", [b"{}", b"{", b'{"generationConfig": 5}', b'{"output_config": null, "include": 5}']
)
def test_what_says_nothing_of_it_or_cannot_be_read_stays_as_it_is(
    dialect: str, body: bytes
) -> None:
    task = a_task(dialect, body)
    assert unthinking(task) is task
