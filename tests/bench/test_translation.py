"""What is measured of translation is a whole one: all that is said reaches the client."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.bench.scripts import CLIENTS, PIECES
from tierwise.bench.translation import PROVIDERS, Call, Options, run
from tierwise.cli.bench_dialects import show_translation
from tierwise.wire.conversation import Text
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Ended, TextPiece

PAIRS = [(client, provider) for client in CLIENTS for provider in PROVIDERS]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_the_client_gets_the_whole_answer(client: str, provider: str) -> None:
    call = Call(client, provider, stream=False)
    (choice,) = dialect_named(client).read_reply(call.whole()).choices
    assert [len(part.text) for part in choice.parts if isinstance(part, Text)] == [2000]
    assert choice.finish == "stop"


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_the_client_gets_every_event_of_a_stream(client: str, provider: str) -> None:
    call = Call(client, provider, stream=True)
    said = dialect_named(client).event_reader().read(call.streamed())
    pieces = [one.text for one in said if isinstance(one, TextPiece) and one.text]
    assert pieces == [f" token{number:02d}" for number in range(PIECES)]
    assert any(isinstance(one, Ended) for one in said)
    assert call.events >= PIECES


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_the_provider_is_asked_in_its_own_words(client: str, provider: str) -> None:
    task, adapter = Call(client, provider, stream=True).asked()
    sent = adapter.request(task).body
    assert sent is not None
    assert b"busy reader" in sent
    if provider not in ("bedrock", "cohere"):  # nobody reads these two's requests here
        turns = dialect_named(provider).read_request(sent).turns
        assert [turn.role for turn in turns] == ["system", "user"]


def test_a_short_run_measures_every_pair(capsys: Any) -> None:
    options = Options(runs=1, requests=2, streams=2)
    steps: list[str] = []
    result = run(options, steps.append)
    assert len(steps) == options.steps
    assert [(one.client, one.provider) for one in result.pairs] == PAIRS
    show_translation(result)
    shown = capsys.readouterr().out
    assert "Translation of a request" in shown
    assert "dearest" in shown
