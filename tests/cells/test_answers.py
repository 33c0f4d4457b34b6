"""Each provider's answers, each client's dialect: all that an answer holds is where it belongs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from cells.answered import ANSWERS, HELD
from cells.asked import Places
from cells.read import OF_PROVIDER, STREAMED, STREAMED_OF_PROVIDER, WHOLE
from cells.samples import CLIENTS
from cells.streamed import stream_of
from cells.test_requests import a_body, an_adapter, asks, is_there
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.dialect import dialect_named
from tierwise.wire.translate import task_of

CELLS = [
    (client, held, provider)
    for held in HELD
    for client in CLIENTS
    for provider, answers in ANSWERS.items()
    if held in answers
]


def a_client(client: str, held: str, *, stream: bool) -> Task:
    """Who asks for it where a dialect has it only for those who do."""
    if held == "logprobs" and client != "anthropic":
        task = asks(client, "logprobs")
    elif held == "thought" and client == "gemini":
        config = {"thinkingConfig": {"includeThoughts": True}}
        body = json.dumps({**a_body(client, "text"), "generationConfig": config}).encode()
        task = replace(task_of(dialect_named(client).read_request(body), body), model="m")
    else:
        task = asks(client, "text")
    return replace(task, stream=stream, wants_stream_usage=stream)


def holds(said: Any, places: Places) -> None:
    for path, expected in places.items():
        assert is_there(said, path, expected), (path, expected, said)


@pytest.mark.parametrize(("client", "held", "provider"), CELLS)
def test_what_an_answer_holds_is_where_the_clients_dialect_has_it(
    client: str, held: str, provider: str
) -> None:
    adapter, task = an_adapter(provider), a_client(client, held, stream=False)
    body = json.dumps(ANSWERS[provider][held]).encode()
    reply = speaking(adapter, task).reply(body, task)
    if adapter.speaks == client:
        assert reply.body == body
        return
    said = json.loads(reply.body)
    holds(said, OF_PROVIDER.get((client, held, provider), WHOLE[client][held]))
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (20, 7)


@pytest.mark.parametrize("cut", [1, 7, 100_000])
@pytest.mark.parametrize(("client", "held", "provider"), CELLS)
def test_what_a_stream_says_is_said_in_the_clients_dialect_however_it_is_cut(
    client: str, held: str, provider: str, cut: int
) -> None:
    adapter, task = an_adapter(provider), a_client(client, held, stream=True)
    stream = stream_of(provider, ANSWERS[provider][held])
    reader = speaking(adapter, task).stream_reader(task)
    seen = b"".join(reader.feed(stream[at : at + cut]) for at in range(0, len(stream), cut))
    seen += reader.close()
    if adapter.speaks == client:
        assert seen == stream
    else:
        events = [data for one in sse.events(seen) if (data := sse.payload(one)) is not None]
        said = [json.loads(data) for data in events if data != b"[DONE]"]
        holds(said, STREAMED_OF_PROVIDER.get((client, held, provider), STREAMED[client][held]))
    assert reader.finished
    assert reader.usage is not None
    assert (reader.usage.input_tokens, reader.usage.output_tokens) == (20, 7)


def test_no_cell_is_missing() -> None:
    for client in CLIENTS:
        assert set(HELD) <= WHOLE[client].keys()
        assert set(HELD) <= STREAMED[client].keys()
    assert {"text", "calls", "length"} <= set.intersection(*map(set, ANSWERS.values()))
