"""The library without an event loop."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import PATIENCE_S, Provider, config_for, fails, hangs, pauses, until
from tierwise import SyncOrchestrator
from tierwise.errors import AllPathsFailed, UnknownDecision


@pytest.fixture
def o(provider: Provider) -> Iterator[SyncOrchestrator]:
    with SyncOrchestrator(config_for(provider.url)) as orchestrator:
        yield orchestrator


def test_a_chat_gives_the_same_answer_object(o: SyncOrchestrator) -> None:
    answer = o.chat("Hello", policy="stepwise", temperature=0)
    assert (answer.text, answer.model) == ("Hello", "small")
    assert answer.cost_usd > 0
    assert answer.decision.policy == "stepwise"


def test_it_is_built_from_a_configuration_as_its_twin_is(provider: Provider) -> None:
    with SyncOrchestrator.from_config(config_for(provider.url)) as orchestrator:
        assert isinstance(orchestrator, SyncOrchestrator)
        assert orchestrator.chat("Hello", policy="small").text == "Hello"


def test_a_stream_is_read_piece_by_piece_and_knows_its_cost(o: SyncOrchestrator) -> None:
    stream = o.chat_stream("one two three", policy="small")
    assert list(stream) == ["one ", "two ", "three"]
    assert (stream.model, stream.finish_reason) == ("small", "stop")
    assert stream.decision.requested == "small"
    assert stream.cost_usd == pytest.approx(10e-6 + 5 * 2e-6)


def test_breaking_out_of_a_stream_ends_the_call(o: SyncOrchestrator, provider: Provider) -> None:
    provider.acts["small"] = pauses(provider)
    for piece in o.chat_stream("Hello", policy="small"):
        assert piece == "one "
        break
    assert provider.gone.wait(PATIENCE_S)


def test_leaving_a_with_block_ends_the_call(o: SyncOrchestrator, provider: Provider) -> None:
    provider.acts["small"] = pauses(provider)
    with o.chat_stream("Hello", policy="small") as stream:
        assert stream.cost_usd == 0
    assert provider.gone.wait(PATIENCE_S)


def test_errors_are_raised_where_the_call_is(o: SyncOrchestrator, provider: Provider) -> None:
    provider.acts["small"] = fails(500, {"message": "boom"})
    with pytest.raises(AllPathsFailed):
        o.chat("Hello", policy="small")
    with pytest.raises(AllPathsFailed):
        o.chat_stream("Hello", policy="small")


def test_many_threads_may_ask_at_once(o: SyncOrchestrator) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: o.chat(f"number {n}", policy="small").text, range(40)))
        streams = pool.map(lambda n: "".join(o.chat_stream(f"n {n}", policy="small")), range(40))
        assert list(streams) == [f"n {n}" for n in range(40)]
    assert answers == [f"number {n}" for n in range(40)]


def test_a_deployment_that_is_out_is_looked_at_though_nobody_asks(
    o: SyncOrchestrator, provider: Provider
) -> None:
    provider.acts["small"] = fails(401, {"message": "no such key"})
    with pytest.raises(AllPathsFailed):
        o.chat("Hello", policy="small")
    health = o._orchestrator.health
    [small] = o._orchestrator.setup.deployments["small"]
    assert not health.available(small)
    provider.reset()
    provider.shows_life = True
    until(lambda: health.available(small), "a look at who is out")
    assert o.chat("Hello", policy="small").text == "Hello"


def test_closing_twice_is_no_harm_and_using_it_then_is_a_clear_error(provider: Provider) -> None:
    orchestrator = SyncOrchestrator(config_for(provider.url))
    stream = orchestrator.chat_stream("one two", policy="small")
    orchestrator.close()
    orchestrator.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="is closed"):
            orchestrator.chat("Hello", policy="small")
        with pytest.raises(RuntimeError, match="is closed"):
            list(stream)
        stream.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
def test_a_fork_is_told_to_make_its_own(o: SyncOrchestrator) -> None:
    stream = o.chat_stream("one two", policy="small")
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
        child = os.fork()
    if child == 0:
        try:
            signal.alarm(int(PATIENCE_S))
            with pytest.raises(RuntimeError, match="Make one here, after the fork"):
                o.chat("Hello", policy="small")
            stream.close()
            o.close()
            o._orchestrator.ledger.close()
            os.write(writes, b"told")
        finally:
            os._exit(0)
    os.close(writes)
    assert os.read(reads, 4) == b"told"
    os.close(reads)
    os.waitpid(child, 0)
    assert list(stream) == ["one ", "two"]
    assert o.chat("Hello", policy="small").text == "Hello"


def test_closing_frees_whoever_still_waits(provider: Provider) -> None:
    provider.acts["small"] = hangs()
    orchestrator = SyncOrchestrator(config_for(provider.url))
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            orchestrator.chat("Hello", policy="small")
        except RuntimeError as error:
            raised.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    assert provider.arrived.wait(PATIENCE_S)
    orchestrator.close()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert "closed while it was in use" in str(raised[0])


def test_feedback_is_given_as_by_its_twin(o: SyncOrchestrator) -> None:
    answer = o.chat("Hello", policy="stepwise")
    assert o.feedback(answer.decision.id, label="bad", comment="no").score == 0
    with pytest.raises(UnknownDecision):
        o.feedback("0123", score=1)
