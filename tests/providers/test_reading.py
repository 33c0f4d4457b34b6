"""How much a stream says, for whoever bills it where its provider does not count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cells.answered import ANSWERS, AT, TEXT, THOUGHT
from cells.streamed import stream_of
from cells.test_requests import an_adapter, asks
from tierwise.providers.reading import Said

LONG = 'He said "yes" and went on.\n' * 2000


def put(value: Any, was: str, now: str) -> Any:
    """The value with another text in it."""
    if isinstance(value, dict):
        return {name: put(one, was, now) for name, one in value.items()}
    if isinstance(value, list):
        return [put(one, was, now) for one in value]
    return now if value == was else value


@pytest.mark.parametrize("provider", ANSWERS)
@pytest.mark.parametrize(("held", "was"), [("text", TEXT), ("thought", THOUGHT), ("calls", AT)])
def test_what_comes_in_one_large_event_is_counted_whole(provider: str, held: str, was: str) -> None:
    if held not in ANSWERS[provider]:
        pytest.skip(f"{provider} has no {held}")
    now = json.dumps({"at": LONG}) if held == "calls" else LONG
    answer = put(ANSWERS[provider][held], was, now)
    if held == "calls" and answer == ANSWERS[provider][held]:
        answer = put(answer, "x", LONG)  # its arguments are an object
    reader = an_adapter(provider).stream_reader(asks("openai-chat", "text"))
    reader.feed(stream_of(provider, answer))
    calls = 2 if held == "calls" else 1
    assert calls * len(LONG) <= reader.output_chars < 1.3 * calls * len(LONG) + 200


def test_words_that_look_like_a_field_are_words() -> None:
    said = json.dumps({"content": '"content": "no"', "other": {"content": ["x"]}}).encode()
    assert Said("content").chars(said, 1) == len(r"\"content\": \"no\"")


def test_an_event_says_something_in_whichever_field() -> None:
    assert Said("content").chars(b'data: {"new": "words"}\n\n', 1) == 4
