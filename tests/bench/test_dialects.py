"""What clients and providers of each dialect cost: the same words for all, counted in turns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.bench.dialects import Options, Pair, _pair, _Taken, run
from tierwise.bench.scripts import ADAPTERS, CLIENTS, PIECES, model_of, question, script
from tierwise.cli.bench_dialects import show
from tierwise.wire.conversation import Text
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Counted, Ended, TextPiece


@pytest.mark.parametrize("provider", ADAPTERS)
def test_a_scripted_answer_is_one_of_its_dialect(provider: str) -> None:
    (choice,) = dialect_named(provider).read_reply(script(provider).whole).choices
    assert [len(part.text) for part in choice.parts if isinstance(part, Text)] == [2000]
    assert choice.finish == "stop"


@pytest.mark.parametrize("provider", ADAPTERS)
def test_a_scripted_stream_says_its_pieces_one_an_event(provider: str) -> None:
    reader = dialect_named(provider).event_reader()
    said = [reader.read(event) for event in script(provider).events]
    pieces = [sum(isinstance(one, TextPiece) and bool(one.text) for one in some) for some in said]
    assert max(pieces) == 1
    assert sum(pieces) == PIECES
    everything = [one for some in said for one in some]
    assert any(isinstance(one, Ended) for one in everything)
    assert any(isinstance(one, Counted) for one in everything)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_asks_the_same_of_the_provider_that_is_measured(client: str) -> None:
    path, body = question(client, "cohere", stream=True)
    asked = dialect_named(client).read_request(body)
    assert [turn.role for turn in asked.turns] == ["system", "user"]
    assert asked.max_tokens == 1024
    assert model_of("cohere") in path + json.dumps(json.loads(body))
    assert asked.stream or "stream" in path


def test_pairs_are_held_against_chat_of_the_same_round() -> None:
    rounds = [
        {("openai-chat", "openai-chat"): _Taken(100, 5), ("gemini", "cohere"): _Taken(150, 10)},
        {("openai-chat", "openai-chat"): _Taken(200, 10), ("gemini", "cohere"): _Taken(300, 20)},
        {("openai-chat", "openai-chat"): _Taken(100, 5), ("gemini", "cohere"): _Taken(160, 11)},
    ]
    assert _pair("gemini", "cohere", rounds) == Pair(
        client="gemini", provider="cohere",
        request_us=160.0, ratio=1.5, beyond_us=60.0,
        chunk_us=11.0, chunk_ratio=2.0, chunk_beyond_us=6.0,
    )  # fmt: skip


@pytest.mark.slow
def test_a_short_run_measures_every_pair(capsys: Any) -> None:
    options = Options(requests=10, streams=8, rounds=1)
    steps: list[str] = []
    result = run(options, steps.append)
    assert len(steps) == options.steps
    assert {(one.client, one.provider) for one in result.pairs} == {
        (client, provider) for client in CLIENTS for provider in ADAPTERS
    }
    assert all(one.request_us > 0 and one.chunk_us > 0 for one in result.pairs)
    show(result)
    shown = capsys.readouterr().out
    assert "CPU of a request" in shown
    assert "(1.00)" in shown
