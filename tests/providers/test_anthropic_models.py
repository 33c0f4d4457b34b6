"""A model of Anthropic is asked to think in the way that it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from messages_api import a_body, a_task, an_adapter
from tierwise.providers.anthropic_models import Takes, fitted, takes
from tierwise.wire.features import TWO_DRAWS

OLD, BETWEEN, NEW = "claude-haiku-4-5-20251001", "claude-opus-4-6", "claude-haiku-5-5"
BUDGET = {"type": "enabled", "budget_tokens": 2000}
ADAPTIVE = {"type": "adaptive"}


def sent(model: str, **fields: Any) -> dict[str, Any]:
    task = a_task(model=model, **{"max_tokens": 20_000, **fields})
    body: dict[str, Any] = json.loads(an_adapter(upstream_model=model).request(task).body or b"")
    return body


@pytest.mark.parametrize(
    ("model", "lacks"),
    [
        ("claude-3-5-haiku-latest", {"json_schema"}),
        ("claude-sonnet-4-20250514", {"json_schema"}),
        ("claude-opus-4-1-20250805", {TWO_DRAWS}),
        ("claude-sonnet-4-5", {TWO_DRAWS}),
        ("claude-opus-4-6", {"prefill", TWO_DRAWS}),
        ("claude-opus-4-7", {"prefill", "temperature", "top_p", "top_k"}),
        ("claude-sonnet-5", {"prefill", "temperature", "top_p", "top_k"}),
        ("claude-fable-5-1", {"prefill", "temperature", "top_p", "top_k"}),
        ("glm-5.3", {"prefill"}),
    ],
)
def test_what_a_model_lacks_is_known_by_its_name(model: str, lacks: set[str]) -> None:
    assert an_adapter(upstream_model=model).lacks == lacks


@pytest.mark.parametrize(
    ("model", "thinking"),
    [(OLD, BUDGET), (BETWEEN, BUDGET), (BETWEEN, ADAPTIVE), (NEW, ADAPTIVE), ("glm", BUDGET)],
)
def test_what_a_model_takes_is_left_as_it_is(model: str, thinking: Any) -> None:
    task = a_task(model=model, thinking=thinking)
    assert an_adapter(upstream_model=model).request(task).body is task.body


def test_a_count_becomes_adaptive_where_counts_are_refused() -> None:
    thinking = {**BUDGET, "display": "summarized"}
    body = sent(NEW, thinking=thinking, output_config={"effort": "low"})
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("effort", "limit", "expected"),
    [
        ("low", 20_000, {"type": "enabled", "budget_tokens": 1024}),
        ("high", 20_000, {"type": "enabled", "budget_tokens": 10_000}),
        ("high", 4000, {"type": "enabled", "budget_tokens": 3000}),
        ("high", 1000, None),
        (None, 20_000, {"type": "enabled", "budget_tokens": 4096}),
    ],
)
def test_an_effort_becomes_a_count_where_only_counts_are_known(
    effort: str | None, limit: int, expected: Any
) -> None:
    task_budget = {"type": "tokens", "total": 9}
    output = {"effort": effort, "task_budget": task_budget} if effort else None
    body = sent(OLD, thinking=ADAPTIVE, output_config=output, max_tokens=limit)
    assert body.get("thinking") == expected
    assert body.get("output_config") == ({"task_budget": task_budget} if effort else None)


def test_an_effort_without_thoughts_is_left_out_where_it_is_not_known() -> None:
    body = sent(OLD, output_config={"effort": "low"})
    assert "output_config" not in body
    assert "thinking" not in body


def test_opus_4_5_keeps_its_effort_beside_the_count() -> None:
    body = sent("claude-opus-4-5", thinking=ADAPTIVE, output_config={"effort": "low"})
    assert body["output_config"] == {"effort": "low"}
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize("thinking", ["x", 5, {"type": 1, "budget_tokens": "adaptive"}])
@pytest.mark.parametrize("model", [OLD, NEW])
def test_what_cannot_be_read_is_for_the_provider_to_refuse(model: str, thinking: Any) -> None:
    body = a_body(thinking=thinking, output_config={"effort": 3})
    assert json.loads(fitted(body, takes(model))).get("thinking") == thinking


def test_words_about_it_change_nothing() -> None:
    body = a_body([{"role": "user", "content": 'say "budget_tokens" and "effort"'}])
    for model in (OLD, NEW):
        assert fitted(body, takes(model)) == body


def test_nothing_is_known_of_other_names_but_that_they_are_not_asked_to_go_on() -> None:
    assert takes("kimi-k3.1") == Takes(prefill=False)
