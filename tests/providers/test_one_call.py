"""One call at a time, where a provider has no word for it and one tool alone can be called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cells.answered import ANSWERS
from cells.streamed import stream_of
from cells.test_requests import an_adapter, decided
from tierwise.errors import Unsatisfiable
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire import openai_chat, sse

WORDLESS = ["gemini", "bedrock", "cohere"]
NAMED = {"type": "function", "function": {"name": "look"}}
ONE: dict[str, dict[str, Any]] = {
    "forced": {"tools": ["look", "see"], "tool_choice": NAMED},
    "alone": {"tools": ["look"]},
}


def asks(*, stream: bool = False, parallel: bool = False, **fields: Any) -> Task:
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in fields.pop("tools")
    ]
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Where?"}],
        "tools": tools,
        "parallel_tool_calls": parallel,
        "stream": stream,
        **fields,
    }
    return openai_chat.read_request(json.dumps(body).encode())


def calls_of(provider: str, task: Task) -> list[str]:
    """The names of the calls in an answer that has two."""
    adapter, answer = an_adapter(provider), ANSWERS[provider]["calls"]
    speaker = speaking(adapter, task)
    if not task.stream:
        body = json.loads(speaker.reply(json.dumps(answer).encode(), task).body)
        return [one["function"]["name"] for one in body["choices"][0]["message"]["tool_calls"]]
    reader = speaker.stream_reader(task)
    seen = reader.feed(stream_of(provider, answer)) + reader.close()
    deltas = [one["delta"] for data in sse.payloads(seen) for one in json.loads(data)["choices"]]
    called = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert {call["index"] for call in called} <= {0, 1}
    return [call["function"]["name"] for call in called if "name" in call["function"]]


@pytest.mark.parametrize("provider", WORDLESS)
@pytest.mark.parametrize("how", ONE)
def test_it_is_asked_where_one_tool_alone_can_be_called(provider: str, how: str) -> None:
    assert decided(an_adapter(provider), asks(**ONE[how])) == ()


@pytest.mark.parametrize("provider", WORDLESS)
def test_it_is_refused_where_there_are_several(provider: str) -> None:
    with pytest.raises(Unsatisfiable, match="`parallel_tool_calls`"):
        decided(an_adapter(provider), asks(tools=["look", "see"]))


@pytest.mark.parametrize("provider", WORDLESS)
@pytest.mark.parametrize("how", ONE)
@pytest.mark.parametrize("stream", [False, True])
def test_the_client_gets_the_first_call_alone(provider: str, how: str, stream: bool) -> None:
    assert calls_of(provider, asks(stream=stream, **ONE[how])) == ["look"]


@pytest.mark.parametrize("provider", [*WORDLESS, "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_allows_several_gets_them_all(provider: str, stream: bool) -> None:
    task = asks(stream=stream, parallel=True, **ONE["alone"])
    assert calls_of(provider, task) == ["look", "see"]
