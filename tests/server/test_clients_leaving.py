"""A client that goes away takes its upstream call with it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from gateway import (
    KEY,
    PATIENCE_S,
    Body,
    Provider,
    RunningGateway,
    chat,
    chunk,
    hangs,
    pauses,
    stream,
)


@contextmanager
def asking(gateway: RunningGateway, model: str, *, stream: bool) -> Iterator[socket.socket]:
    """A chat that was sent and not yet answered."""
    body = json.dumps(
        {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {gateway.host}\r\n"
        f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    host, port = gateway.host.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode() + body)
        yield connection


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_the_answer_cancels_the_call_and_bills_what_it_had_read(
    gateway: RunningGateway, provider: Provider, stream: bool
) -> None:
    provider.acts["small"] = hangs()
    with asking(gateway, "small", stream=stream):
        assert provider.arrived.wait(PATIENCE_S)
        assert not provider.gone.is_set()
    assert provider.gone.wait(PATIENCE_S)
    record = gateway.last_record()
    assert record.status == "cancelled"
    (attempt,) = record.attempts
    assert (attempt.outcome, attempt.estimated) == ("cancelled", True)
    assert record.cost_usd == pytest.approx(record.decision.profile.input_tokens * 1e-6)
    assert (record.error, record.cost_usd > 0) == (None, True)


def test_leaving_in_mid_stream_cancels_the_call_and_bills_what_was_said(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    with asking(gateway, "small", stream=True) as connection:
        heard = b""
        while b"one" not in heard:
            heard += connection.recv(65536)
    assert provider.gone.wait(PATIENCE_S)
    record = gateway.last_record()
    assert [attempt.outcome for attempt in record.attempts] == ["cancelled"]
    assert record.attempts[0].estimated
    assert record.cost_usd > 0
    assert record.model == "small"


def test_leaving_asks_nobody_else(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = hangs()
    with asking(gateway, "stepwise", stream=False):
        assert provider.arrived.wait(PATIENCE_S)
    assert provider.gone.wait(PATIENCE_S)
    gateway.settle()
    assert [seen.body["model"] for seen in provider.seen] == ["small"]


def test_leaving_leaves_no_call_in_flight_and_no_blame(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = hangs()
    with asking(gateway, "small", stream=True):
        assert provider.arrived.wait(PATIENCE_S)
    assert provider.gone.wait(PATIENCE_S)
    gateway.settle()
    state = gateway.orchestrator.health.states["alpha/small"]
    assert (state.in_flight, state.failures_in_row) == (0, 0)
    provider.acts.clear()
    assert chat(gateway.url).status == 200


def test_leaving_in_the_middle_of_the_body_harms_nobody(gateway: RunningGateway) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {gateway.host}\r\n"
        f"authorization: Bearer {KEY}\r\ncontent-length: 1000\r\n\r\n{{"
    )
    host, port = gateway.host.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode())
    assert chat(gateway.url).status == 200


def test_a_connection_is_used_again_after_a_stream(gateway: RunningGateway) -> None:
    connection = http.client.HTTPConnection(gateway.host, timeout=PATIENCE_S)
    body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    ports = set()
    for streamed in (True, False, True):
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({**body, "stream": streamed}),
            {"authorization": f"Bearer {KEY}"},
        )
        assert connection.sock is not None
        ports.add(connection.sock.getsockname()[1])
        reply = connection.getresponse()
        assert b"Hello" in reply.read()
    connection.close()
    assert len(ports) == 1


def test_a_client_that_stays_and_does_not_read_is_cut_off_after_the_deadline(
    gateway: RunningGateway, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(request: web.Request, _: Body) -> web.StreamResponse:
        async def endless() -> AsyncIterator[Body | str]:
            while True:
                yield chunk("small", {"role": "assistant", "content": "x" * 100_000})

        return await stream(request, endless())

    monkeypatch.setattr("tierwise.server.answers.STALLED_S", 0.2)
    provider.acts["small"] = act
    with asking(gateway, "hasty", stream=True):
        assert provider.gone.wait(PATIENCE_S)
        assert gateway.last_record().status in ("cancelled", "error")
