"""A client that asks again under one idempotency key gets the same answer, billed once."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest

from gateway import KEY, PATIENCE_S, Provider, RunningGateway, chat, fails, says
from tierwise.server import once
from tierwise.server.once import Kept, Once

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def ask(gateway: RunningGateway, key: str, **fields: Any) -> Any:
    headers = {"idempotency-key": key, **fields.pop("headers", {})}
    return chat(gateway.url, headers=headers, **fields)


@both
def test_the_same_request_again_gets_the_same_answer_and_is_billed_once(
    gateway: RunningGateway, provider: Provider, stream: bool
) -> None:
    key = f"same-{stream}"
    first, second = (ask(gateway, key, stream=stream) for _ in range(2))
    assert first.status == second.status == 200
    assert first.body == second.body
    assert first.headers["x-tierwise-decision-id"] == second.headers["x-tierwise-decision-id"]
    assert "x-tierwise-replayed" not in first.headers
    assert second.headers["x-tierwise-replayed"] == "true"
    assert len(provider.seen) == 1


def test_without_a_key_each_request_is_one_of_its_own(
    gateway: RunningGateway, provider: Provider
) -> None:
    for _ in range(2):
        chat(gateway.url)
    assert len(provider.seen) == 2


@pytest.mark.parametrize(
    "other", [{"text": "Bye"}, {"headers": {"x-tierwise-quality": "0.5"}}], ids=["body", "header"]
)
def test_a_key_of_another_request_is_refused(
    gateway: RunningGateway, provider: Provider, other: dict[str, Any]
) -> None:
    key = f"reused-{len(other.get('text', ''))}"
    assert ask(gateway, key).status == 200
    reply = ask(gateway, key, **other)
    assert reply.status == 422
    assert reply.error["code"] == "idempotency_key_reused"
    assert reply.error["param"] == "Idempotency-Key"
    assert len(provider.seen) == 1


@pytest.mark.parametrize("key", ["", "k" * 256], ids=["empty", "long"])
def test_a_key_must_have_a_sensible_length(gateway: RunningGateway, key: str) -> None:
    reply = ask(gateway, key)
    assert reply.status == 400
    assert "255" in reply.error["message"]


@both
def test_a_failure_is_not_kept(gateway: RunningGateway, provider: Provider, stream: bool) -> None:
    key = f"failed-{stream}"
    provider.acts["small"] = fails(429, {"message": "slow down"}, {"retry-after": "0"})
    assert ask(gateway, key, stream=stream).status == 429
    provider.acts["small"] = says("Hello again")
    gateway.forget()
    reply = ask(gateway, key, stream=stream)
    assert reply.status == 200
    assert b"again" in reply.body


def test_a_client_that_left_finds_the_answer_when_it_comes_back(
    gateway: RunningGateway, provider: Provider
) -> None:
    async def later(request: Any, body: Any) -> Any:
        await asyncio.to_thread(provider.release.wait, PATIENCE_S)
        return await says("here it is")(request, body)

    provider.acts["small"] = later
    leaving = HTTPConnection(gateway.host, timeout=PATIENCE_S)
    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "left"}
    body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    leaving.request("POST", "/v1/chat/completions", body=json.dumps(body), headers=headers)
    assert provider.arrived.wait(PATIENCE_S)
    leaving.close()
    with ThreadPoolExecutor() as pool:
        back = pool.submit(ask, gateway, "left")
        provider.release.set()
        reply = back.result(PATIENCE_S)
    assert reply.json["choices"][0]["message"]["content"] == "here it is"
    assert len(provider.seen) == 1
    assert gateway.last_record().status == "ok"


class Client:
    """What one client was sent."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, message: Any) -> None:
        self.body += message.get("body", b"")


async def answers(kept: Kept) -> None:
    await kept({"type": "http.response.start", "status": 200, "headers": []})
    await kept({"type": "http.response.body", "body": b"a" * 10})


async def test_a_key_belongs_to_its_caller() -> None:
    kept, mine, theirs = Once(), Client(), Client()
    await kept.answer(b"1", "me", b"", answers, mine)
    await kept.answer(b"1", "them", b"something else", answers, theirs)
    assert mine.body == theirs.body


async def test_what_is_kept_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MOST_BYTES", 25)
    kept, asked = Once(), 0

    async def ask(entry: Kept) -> None:
        nonlocal asked
        asked += 1
        await answers(entry)

    for key in (b"1", b"2", b"3"):
        await kept.answer(key, None, b"", ask, Client())
    assert asked == 3
    await kept.answer(b"3", None, b"", ask, Client())
    assert asked == 3  # the newest is still here
    await kept.answer(b"1", None, b"", ask, Client())
    assert asked == 4  # the oldest had to go


async def test_an_old_answer_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "KEEP_S", -1.0)
    kept = Once()
    clients = [Client(), Client()]
    for client in clients:
        await kept.answer(b"1", None, str(id(client)).encode(), answers, client)
    assert all(client.body == b"a" * 10 for client in clients)


async def test_what_is_still_asked_when_the_gateway_stops_is_waited_for_and_then_ended() -> None:
    kept = Once()

    async def never(_: Kept) -> None:
        await asyncio.Event().wait()

    asking = asyncio.create_task(kept.answer(b"1", None, b"", never, Client()))
    await asyncio.sleep(0)
    await kept.all_done(0.01)
    async with asyncio.timeout(10):
        await asking
