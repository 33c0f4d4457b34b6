"""The ASGI application by itself: before it has started, when a start fails, when a part breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from builders import a_body
from gateway import Provider, RunningGateway, call, chat, config_for
from tierwise.config import Config, from_mapping
from tierwise.errors import ConfigError
from tierwise.execution import Run
from tierwise.finished import Streaming
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway
from tierwise.server.run import check_exposure, create_worker, dump
from tierwise.types import Task

Message = MutableMapping[str, Any]


def application(data: dict[str, Any]) -> Gateway:
    config = from_mapping(data, {})
    return Gateway(Orchestrator.from_config(config), config)


async def messages(gateway: Gateway, scope: Message, *received: Message) -> list[Message]:
    """What the application sends in answer to what it receives."""
    sent: list[Message] = []
    left = list(received)

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    return sent


def get(path: str) -> Message:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
        "server": ("127.0.0.1", 4100),
        "scheme": "http",
        "root_path": "",
    }


CHAT: Message = {**get("/v1/chat/completions"), "method": "POST"}


def says_hello(*, stream: bool) -> Message:
    return {"type": "http.request", "body": a_body("Hello", model="small", stream=stream)}


async def test_it_lives_but_is_not_ready_before_it_has_started() -> None:
    gateway = application(config_for("http://127.0.0.1:1/v1"))
    live = await messages(gateway, get("/health/live"))
    ready = await messages(gateway, get("/health/ready"))
    assert (live[0]["status"], ready[0]["status"]) == (200, 503)


async def test_a_ledger_that_cannot_be_opened_fails_the_start_with_its_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "ledger.db").write_text("Dear diary, " * 100)
    data = config_for("http://127.0.0.1:1/v1", ledger={"path": str(tmp_path / "ledger.db")})
    sent = await messages(application(data), {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "is not a ledger" in sent[0]["message"]


async def test_shutdown_waits_for_cancelled_requests_before_it_closes_what_books_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = application(config_for("http://127.0.0.1:1/v1"))
    orchestrator = gateway._orchestrator
    close, here, over = orchestrator.close, asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def answer(_: Task) -> None:
        here.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _turn in range(5):
                await asyncio.sleep(0)
            order.append("booked")

    async def closing() -> None:
        order.append("closed")
        await close()

    async def both() -> AsyncIterator[Message]:
        yield {"type": "lifespan.startup"}
        await over.wait()
        yield {"type": "lifespan.shutdown"}

    async def ignore(_: Message) -> None:
        pass

    monkeypatch.setattr(orchestrator, "answer", answer)
    monkeypatch.setattr(orchestrator, "close", closing)
    lifespan = asyncio.create_task(gateway({"type": "lifespan"}, both().__anext__, ignore))
    request = asyncio.create_task(messages(gateway, CHAT, says_hello(stream=False)))
    await here.wait()
    request.cancel()
    over.set()
    await lifespan
    assert order == ["booked", "closed"]


async def test_a_client_that_breaks_off_a_stream_closes_it_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = application(config_for("http://127.0.0.1:1/v1"))
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: {}\n\n"
        finally:
            closed.set()

    chunks = events()  # held here, so that nobody but the endpoint closes it

    async def stream(task: Task, _: object) -> Streaming:
        orchestrator = gateway._orchestrator
        run = Run(task, orchestrator.decide(task), {}, time.monotonic)
        return Streaming(chunks, run, "small", "alpha/small", 1, judged=False)

    async def receive() -> Message:
        return says_hello(stream=True)

    async def send(message: Message) -> None:
        if message.get("body"):
            raise ConnectionResetError

    monkeypatch.setattr(gateway._orchestrator, "stream", stream)
    with pytest.raises(ConnectionResetError):
        await gateway(CHAT, receive, send)
    assert closed.is_set()


async def test_a_websocket_is_turned_away() -> None:
    gateway = application(config_for("http://127.0.0.1:1/v1"))
    sent = await messages(gateway, {"type": "websocket", "path": "/v1/chat/completions"})
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_every_form_of_loopback_is_served_without_a_key(host: str) -> None:
    check_exposure(from_mapping(config_for("http://x/v1", server={"host": host}), {}))


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.example"])  # noqa: S104
def test_no_other_address_is_served_without_a_key(host: str) -> None:
    data = config_for("http://x/v1", server={"host": host})
    with pytest.raises(ConfigError, match="loopback only"):
        check_exposure(from_mapping(data, {}))
    keyed = config_for("http://x/v1", server={"host": host, "api_keys": ["k"]})
    check_exposure(from_mapping(keyed, {}))


def test_a_key_may_have_any_letters(provider: Provider) -> None:
    bearer = {"authorization": "Bearer schlüssel-東京".encode()}
    data = config_for(provider.url, server={"api_keys": [" schlüssel-東京 "]})
    with RunningGateway(data) as gateway:
        assert chat(gateway.url, key=None, headers=bearer).status == 200
        assert call(gateway.url, "GET", "/v1/models", key=None, headers=bearer).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_defect_of_ours_is_a_plain_500_and_stands_in_the_log(
    gateway: RunningGateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stream: bool,
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("the innermost secret")

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(gateway.orchestrator, "stream" if stream else "answer", broken)
        reply = chat(gateway.url, stream=stream)
    assert (reply.status, reply.error["code"]) == (500, "internal")
    assert "secret" not in reply.error["message"]
    assert "the innermost secret" in caplog.text
    assert chat(gateway.url).status == 200


def test_a_ledger_that_takes_nothing_costs_no_request_and_shows(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url)) as gateway:
        assert call(gateway.url, "GET", "/health/ready").status == 200
        gateway.orchestrator.ledger.close()
        assert [chat(gateway.url).status for _ in range(3)] == [200] * 3
        ready = call(gateway.url, "GET", "/health/ready").json
        metrics = call(gateway.url, "GET", "/metrics").body.decode()
    assert ready["ledger"]["dropped"] == 3
    assert "\ntierwise_ledger_dropped_total 3.0\n" in metrics


def test_a_worker_takes_secrets_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a file `${HOME}` is a reference; in a secret that came out of one it is only letters.
    secret = "sk-${HOME}-and-more"
    mapping = {
        "server": {"api_keys": ["${GATEWAY_KEY}"]},
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["gpt-4o"]}},
        "ledger": {"path": ":memory:"},
    }
    config = from_mapping(mapping, {"GATEWAY_KEY": secret})
    monkeypatch.setenv("TIERWISE_WORKER_CONFIG", dump(config).decode())
    seen: list[Config] = []
    monkeypatch.setattr("tierwise.server.run.Gateway", lambda _, config, *__: seen.append(config))
    create_worker()
    assert [key.get_secret_value() for key in seen[0].server.api_keys] == [secret]
