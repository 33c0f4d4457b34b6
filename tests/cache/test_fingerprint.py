"""When two requests are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tierwise.cache.fingerprint import fingerprint
from tierwise.types import Message, Owner, Task

BODY: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0.5,
}


def task(body: Any = BODY, **fields: Any) -> Task:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = Task(body=text, model="small", messages=[Message("user", "Hello")], caller="a")
    return replace(made, **fields)


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert fingerprint(task()) == fingerprint(task())
    assert fingerprint(task()) is not None


def test_the_order_of_keys_and_white_space_do_not_matter() -> None:
    turned = json.dumps(dict(reversed(BODY.items())), indent=3).encode()
    assert fingerprint(task(turned)) == fingerprint(task())


@pytest.mark.parametrize("field", ["user", "metadata", "safety_identifier", "service_tier"])
def test_what_says_who_asks_does_not_matter(field: str) -> None:
    assert fingerprint(task({**BODY, field: "x"})) == fingerprint(task())


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.6},
        {"messages": [{"role": "user", "content": "Hello!"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"seed": 1},
    ],
)
def test_anything_else_in_the_body_does(change: dict[str, Any]) -> None:
    assert fingerprint(task({**BODY, **change})) != fingerprint(task())


@pytest.mark.parametrize(
    "fields",
    [
        {"caller": "b"},
        {"owner": Owner(org="other")},
        {"dialect": "anthropic"},
        {"read_in": "gemini"},
        {"model": "large"},
        {"policy": "economy"},
        {"quality": 0.5},
        {"max_cost_usd": 0.5},
        {"max_latency_s": 0.5},
        {"stream": True},
        {"wants_stream_usage": True},
        {"betas": ("x",)},
        {"drop_unsupported": True},
    ],
)
def test_whose_it_is_and_how_it_is_to_be_answered_do(fields: dict[str, Any]) -> None:
    assert fingerprint(task(**fields)) != fingerprint(task())


def test_keys_of_one_organisation_share_what_was_answered() -> None:
    one = task(owner=Owner(key="k1", org="o"), caller="a")
    other = task(owner=Owner(key="k2", org="o"), caller="b")
    assert fingerprint(one) == fingerprint(other)


def test_keys_without_an_organisation_do_not() -> None:
    assert fingerprint(task(owner=Owner(key="k1"))) != fingerprint(task(owner=Owner(key="k2")))


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "background"])
def test_a_request_that_builds_on_what_changes_is_never_twice(field: str) -> None:
    assert fingerprint(task({**BODY, field: "x"})) is None


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff"])
def test_what_is_no_body_is_never_twice(body: bytes) -> None:
    assert fingerprint(task(body)) is None


def test_a_body_too_deep_to_be_gone_through_is_never_twice() -> None:
    deep = json.dumps(BODY)[:-1] + ', "x": ' + "[" * 900 + "]" * 900 + "}"
    assert fingerprint(task(deep.encode()), without="Hello") is None


def test_without_its_last_words_requests_are_alike() -> None:
    other = {**BODY, "messages": [{"role": "user", "content": "Good day"}]}
    assert fingerprint(task(other), without="Good day") == fingerprint(task(), without="Hello")
    assert fingerprint(task(other), without="Good day") != fingerprint(task(), without="Good day")
