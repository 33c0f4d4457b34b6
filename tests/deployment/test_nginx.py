"""nginx, as it is deployed, before two gateways."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from deployment.proxy import nginx_before
from gateway import (
    KEY,
    PATIENCE_S,
    Body,
    Provider,
    RunningGateway,
    call,
    chat,
    chunk,
    config_for,
    pauses,
    stream,
)

pytestmark = pytest.mark.process


def gateway_for(provider: Provider, directory: Path, name: str) -> RunningGateway:
    ledger = {"path": str(directory / f"{name}.db")}
    server = {"api_keys": [KEY], "max_body_mb": 1}
    return RunningGateway(config_for(provider.url, server=server, ledger=ledger))


@dataclass
class Deaf:
    """Somebody who takes requests, keeps them, and hangs up without an answer."""

    host: str = ""
    heard: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Deaf:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake up whoever waits for a connection.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(PATIENCE_S)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.heard.append(connection.recv(65_536))


def test_both_gateways_answer(provider: Provider, tmp_path: Path) -> None:
    with (
        gateway_for(provider, tmp_path, "one") as one,
        gateway_for(provider, tmp_path, "two") as two,
        nginx_before(one.host, two.host) as url,
    ):
        assert [chat(url).status for _ in range(20)] == [200] * 20
        for gateway in (one, two):
            gateway.settle()
        written = [gateway.orchestrator.ledger.written for gateway in (one, two)]
    assert sum(written) == 20
    assert min(written) > 0


def test_a_stream_s_words_arrive_as_they_are_said(provider: Provider, tmp_path: Path) -> None:
    provider.acts["small"] = pauses(provider)
    with (
        gateway_for(provider, tmp_path, "one") as one,
        nginx_before(one.host) as url,
        contextlib.closing(http.client.HTTPConnection(url[7:], timeout=PATIENCE_S)) as connection,
    ):
        reply = begun(connection)
        assert not provider.release.is_set()
        provider.release.set()
        rest = reply.read().decode()
    assert '"content": "two"' in rest
    assert rest.endswith("data: [DONE]\n\n")


def begun(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """A stream whose first word has arrived."""
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    reply = connection.getresponse()
    assert reply.getheader("content-type", "").startswith("text/event-stream")
    assert b"one" in reply.readline()
    return reply


def test_a_client_that_leaves_ends_the_call_to_the_provider(
    provider: Provider, tmp_path: Path
) -> None:
    async def events() -> AsyncIterator[Body]:
        while True:
            yield chunk("small", {"content": "one "})
            await asyncio.sleep(0.01)

    async def talks(request: web.Request, _: Body) -> web.StreamResponse:
        return await stream(request, events())

    provider.acts["small"] = talks
    with gateway_for(provider, tmp_path, "one") as one, nginx_before(one.host) as url:
        connection = http.client.HTTPConnection(url[7:], timeout=PATIENCE_S)
        reply = begun(connection)
        reply.close()
        connection.close()
        assert provider.gone.wait(PATIENCE_S)


def test_when_a_gateway_goes_away_no_request_fails(provider: Provider, tmp_path: Path) -> None:
    with gateway_for(provider, tmp_path, "one") as one:
        two = gateway_for(provider, tmp_path, "two")
        with two, nginx_before(one.host, two.host) as url:
            assert [chat(url).status for _ in range(10)] == [200] * 10
            two.__exit__()
            assert [chat(url).status for _ in range(30)] == [200] * 30


def test_a_request_that_was_sent_is_never_sent_again() -> None:
    with Deaf() as one, Deaf() as two, nginx_before(one.host, two.host) as url:
        reply = chat(url)
        assert len(one.heard + two.heard) == 1
    assert reply.status == 503
    assert reply.error["code"] == "no_gateway"
    assert reply.headers["retry-after"] == "1"


def test_nobody_may_say_that_he_comes_from_elsewhere() -> None:
    with Deaf() as one, nginx_before(one.host) as url:
        chat(url, headers={"x-forwarded-for": "10.9.8.7", "x-forwarded-proto": "https"})
        (heard,) = one.heard
    sent = heard.decode().lower()
    assert "x-forwarded-for: 127.0.0.1\r\n" in sent
    assert "x-forwarded-proto: http\r\n" in sent
    assert "10.9.8.7" not in sent


def test_nothing_but_a_gateway_s_own_words_reaches_a_client(
    provider: Provider, tmp_path: Path
) -> None:
    with gateway_for(provider, tmp_path, "one") as one, nginx_before(one.host) as url:
        assert chat(url, key="wrong").error["code"] == "invalid_api_key"
        # Its bound of 1 MiB, not one of nginx.
        reply = chat(url, text="x" * (2 << 20))
        assert reply.status == 413
        assert reply.error["message"]
        assert call(url, "GET", "/metrics").status == 404
        assert call(one.url, "GET", "/metrics").status == 200
