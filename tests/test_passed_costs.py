"""What a call that was passed through cost, as far as its answer says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import config_for
from tierwise.config import build, from_mapping
from tierwise.passed_costs import PassedCosts

CHAT = "/passthrough/alpha/v1/chat/completions"
TOKENS = {"prompt_tokens": 10, "completion_tokens": 5}


def cost_of(path: str, asked: str | None, **answer: Any) -> float | None:
    data = config_for("http://127.0.0.1:9/v1")
    data["providers"]["alpha"]["models"] = [
        {"model": "small", "upstream": "tiny-1"},
        "large",
        "gpt-4o-mini",
    ]
    data["models"]["gpt-4o-mini"] = {"prices": {"input": 100, "output": 200}}
    setup = build(from_mapping(data, {}))
    costs = PassedCosts(setup)
    whose = setup.deployments["small"][0]
    return costs.of(whose, path)(asked, json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("tiny-1", "whatever"), (None, "tiny-1"), (None, "small"), ("tiny-1", None)],
)
def test_a_model_is_known_by_what_was_asked_for_or_by_who_answered(
    asked: str | None, answered: str | None
) -> None:
    assert cost_of(CHAT, asked, model=answered, usage=TOKENS) == pytest.approx(20e-6)


def test_a_dated_model_costs_what_the_one_that_is_configured_costs() -> None:
    found = cost_of(CHAT, None, model="gpt-4o-mini-2024-07-18", usage=TOKENS)
    assert found == pytest.approx(2000e-6)


@pytest.mark.parametrize(
    ("path", "usage", "cost"),
    [
        ("/v1/completions", TOKENS, 20e-6),
        ("/v1/embeddings", {"prompt_tokens": 10, "total_tokens": 10}, 10e-6),
        ("/v1/responses", {"input_tokens": 10, "output_tokens": 5}, 20e-6),
        ("/v1/messages", {"input_tokens": 4, "cache_read_input_tokens": 6}, 10e-6),
        ("/v1/images/generations", {"input_tokens": 10, "output_tokens": 5}, None),
        ("/v1/audio/transcriptions", {"input_tokens": 10, "output_tokens": 5}, None),
        ("/v1/messages/batches", {"input_tokens": 10, "output_tokens": 5}, None),
        ("/v1/chat/completions", {"prompt_tokens": -1, "completion_tokens": 5}, None),
        ("/v1/chat/completions", None, None),
    ],
)
def test_a_cost_is_known_where_tokens_alone_are_billed(
    path: str, usage: dict[str, int] | None, cost: float | None
) -> None:
    found = cost_of(path, "tiny-1", model="tiny-1", usage=usage)
    assert found == (None if cost is None else pytest.approx(cost))


def test_a_model_without_a_price_has_an_unknown_cost_and_not_0() -> None:
    assert cost_of(CHAT, "nobody-knows-it", model="nobody-knows-it", usage=TOKENS) is None
