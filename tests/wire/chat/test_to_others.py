"""What was asked in Chat Completions in recordings, providers of every dialect can be asked."""

from __future__ import annotations

import json

import pytest

from recordings.calls import calls
from recordings.recorded import Interaction
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import Text
from tierwise.wire.dialect import dialect_named

CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")


@pytest.mark.parametrize(
    ("dialect", "inside"), [("openai-chat", ()), ("gemini", ("generationConfig",))]
)
def test_no_other_tokens_are_asked_for_without_probabilities(
    dialect: str, inside: tuple[str, ...]
) -> None:
    asked = dialect_named("openai-responses").read_request(
        b'{"model":"m","input":"Hi","temperature":0.5,"top_logprobs":0}'
    )
    body = json.loads(dialect_named(dialect).write_request(asked))
    for name in inside:
        body = body[name]
    assert body["temperature"] == 0.5
    assert not {"logprobs", "top_logprobs"} & body.keys()


@pytest.mark.parametrize("dialect", [*CLIENTS, "cohere"])
@pytest.mark.parametrize(
    "call",
    calls(
        "openai_compatible",
        "mistral",
        kinds=(
            "whole",
            "stream",
            "error",
        ),
    ),
)
def test_a_recorded_request_can_be_asked_of_every_provider(call: Interaction, dialect: str) -> None:
    asked = CHAT.read_request(call.asked)
    body = dialect_named(dialect).write_request(asked)
    last = next(
        (
            part.text
            for turn in reversed(asked.turns)
            for part in reversed(turn.parts)
            if isinstance(part, Text)
        ),
        "",
    )
    assert json.dumps(last, ensure_ascii=False).encode() in body
