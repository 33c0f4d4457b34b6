"""Counts of tokens to think with have a word that is nearest, one for both of OpenAI's dialects."""

from __future__ import annotations

import json

import pytest

from tierwise.wire.conversation import Conversation, Text, Thinking, Turn
from tierwise.wire.dialect import dialect_named
from tierwise.wire.effort import effort_of

CASES = [
    (Thinking(budget=0), "none"),
    (Thinking(budget=1), "low"),
    (Thinking(budget=2048), "low"),
    (Thinking(budget=2049), "medium"),
    (Thinking(budget=8192), "medium"),
    (Thinking(budget=8193), "high"),
    (Thinking(budget=-1), None),
    (Thinking(shown=True), None),
    (Thinking(effort="xhigh", budget=1), "xhigh"),
]


@pytest.mark.parametrize(("thinking", "word"), CASES, ids=str)
def test_a_budget_has_a_word(thinking: Thinking, word: str | None) -> None:
    assert effort_of(thinking) == word


@pytest.mark.parametrize(("thinking", "word"), CASES, ids=str)
def test_both_dialects_of_openai_say_it(thinking: Thinking, word: str | None) -> None:
    said = (Turn(role="user", parts=(Text(text="Hi"),)),)
    asked = Conversation(dialect="anthropic", model="m", turns=said, thinking=thinking)
    chat = json.loads(dialect_named("openai-chat").write_request(asked))
    responses = json.loads(dialect_named("openai-responses").write_request(asked))
    assert chat.get("reasoning_effort") == word
    assert responses.get("reasoning", {}).get("effort") == word
    # A model that does not think refuses to be asked for its thoughts.
    assert ("reasoning.encrypted_content" in responses.get("include", [])) is (word != "none")
