"""Requests that say how much to think, where models are served that cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway import Provider, Reply, RunningGateway, call, chat, config_for

DROP = {"x-tierwise-drop-unsupported": "true"}
KNOWN, CUSTOM, ABLE = "gpt-4o-mini", "small", "gpt-oss-20b"
ASKED: dict[str, dict[str, Any]] = {
    "reasoning_effort": {"reasoning_effort": "high"},
    "reasoning.effort": {"reasoning": {"effort": "high", "summary": "auto"}},
    "chat: reasoning.effort": {"reasoning": {"effort": "high"}},
    "chat: reasoning": {"reasoning": {"max_tokens": 2048}},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 2048}},
    "output_config.effort": {"output_config": {"effort": "high"}},
    "generationConfig.thinkingConfig.thinkingLevel": {
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}
    },
    "generationConfig.thinkingConfig.thinkingBudget": {
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 2048}}
    },
}
"""What clients say of thinking, by their names of it."""


@pytest.fixture(scope="module")
def running(_provider: Provider) -> Iterator[RunningGateway]:
    data = config_for(_provider.url)
    data["providers"]["alpha"]["models"] = ["small", "large", KNOWN, ABLE]
    data["models"] |= {name: {"prices": {"input": 1, "output": 2}} for name in (KNOWN, ABLE)}
    data["policies"] |= {
        "known": {"allow": [KNOWN]},
        "custom": {"allow": [CUSTOM]},
        "lenient": {"allow": [KNOWN], "drop_unsupported": True},
    }
    with RunningGateway(data) as gateway:
        yield gateway


def ask(url: str, model: str, word: str, headers: dict[str, str] | None = None) -> Reply:
    """A client of the dialect that the parameter is of."""
    said, fields = {"role": "user", "content": "Hello"}, ASKED[word]
    if word == "reasoning_effort" or word.startswith("chat: "):
        return chat(url, model, headers=headers or {}, **fields)
    if word == "reasoning.effort":
        body = {"model": model, "input": "Hello", **fields}
        return call(url, "POST", "/v1/responses", body, headers=headers)
    if word.startswith("generationConfig"):
        body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], **fields}
        return call(url, "POST", f"/v1beta/models/{model}:generateContent", body, headers=headers)
    body = {"model": model, "max_tokens": 4000, "messages": [said], **fields}
    return call(url, "POST", "/v1/messages", body, headers=headers)


def efforts(provider: Provider) -> list[Any]:
    return [seen.body.get("reasoning_effort", seen.body.get("reasoning")) for seen in provider.seen]


@pytest.mark.parametrize("word", ASKED)
@pytest.mark.parametrize("model", [KNOWN, "known"])
def test_a_model_that_is_known_not_to_think_is_not_asked_to(
    running: RunningGateway, provider: Provider, model: str, word: str
) -> None:
    reply = ask(running.url, model, word)
    assert reply.status == 400
    assert f"`{word.removeprefix('chat: ')}`".encode() in reply.body
    assert b"x-tierwise-drop-unsupported" in reply.body
    assert not provider.seen


@pytest.mark.parametrize("word", ASKED)
@pytest.mark.parametrize(
    ("model", "headers"), [(KNOWN, DROP), ("known", DROP), ("custom", DROP), ("lenient", {})]
)
def test_where_it_may_be_left_out_it_is_asked_without_and_the_client_is_told(
    running: RunningGateway, provider: Provider, model: str, headers: dict[str, str], word: str
) -> None:
    reply = ask(running.url, model, word, headers)
    dropped = reply.headers.get("x-tierwise-dropped")
    assert (reply.status, dropped) == (200, word.removeprefix("chat: "))
    assert efforts(provider) == [None]


@pytest.mark.parametrize("headers", [{}, DROP])
@pytest.mark.parametrize("model", [CUSTOM, ABLE])
def test_a_model_of_which_it_is_not_known_is_told_where_it_is_named(
    running: RunningGateway, provider: Provider, model: str, headers: dict[str, str]
) -> None:
    reply = ask(running.url, model, "reasoning_effort", headers)
    assert (reply.status, "x-tierwise-dropped" in reply.headers) == (200, False)
    assert efforts(provider) == ["high"]


def test_who_wants_no_thinking_is_served_by_those_who_cannot(
    running: RunningGateway, provider: Provider
) -> None:
    assert chat(running.url, KNOWN, reasoning_effort="none").status == 200
    assert chat(running.url, "known", reasoning_effort="none").status == 200
    assert len(provider.seen) == 2


def test_thinking_that_is_left_to_the_model_is_no_wish(
    running: RunningGateway, provider: Provider
) -> None:
    body = {"model": KNOWN, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
    path, thinking = "/v1/messages", {"thinking": {"type": "adaptive"}}
    assert call(running.url, "POST", path, {**body, **thinking}).status == 200
    lenient = call(running.url, "POST", path, {**body, **thinking, "model": "lenient"})
    assert lenient.status == 200
    assert efforts(provider) == [None, None]
