"""An idempotency key has one answer, whichever replica is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis as Client

from replicated import RedisServer, joined, until
from tierwise.errors import KeyReused
from tierwise.server.once import Kept, Once
from tierwise.state.shared import once as shared
from tierwise.state.shared.replicas import Replicas


@asynccontextmanager
async def two(redis: RedisServer, **more: Any) -> AsyncIterator[tuple[Once, Once, Replicas]]:
    async with joined(redis, **more) as one, joined(redis, **more) as other:
        yield Once(one.once), Once(other.once), one


class Model:
    """Answers when it is let; counts how often it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asked = 0
        self.status = status
        self.may = asyncio.Event()

    async def __call__(self, kept: Kept) -> None:
        self.asked += 1
        await self.may.wait()
        head = {"type": "http.response.start", "status": self.status, "headers": [(b"a", b"b")]}
        await kept(head)
        await kept({"type": "http.response.body", "body": b"Hel", "more_body": True})
        await kept({"type": "http.response.body", "body": b"lo"})


class Someone:
    """A client, and what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def replayed(self) -> bool:
        return [b"x-tierwise-replayed", b"true"] in [list(h) for h in self.sent[0]["headers"]]


async def told(redis: RedisServer) -> None:
    """Waits until what was answered is known to all."""
    with Client.from_url(redis.url) as client:
        await until(lambda: not client.keys("tierwise:once:turn:*"), "the end of the turn")


async def test_another_replica_gives_the_answer_out_as_it_was_sent(redis: RedisServer) -> None:
    model = Model()
    model.may.set()
    async with two(redis) as (here, there, _):
        first, second, third = Someone(), Someone(), Someone()
        await here.answer(b"key", "me", b"body", model, first)
        await told(redis)
        await there.answer(b"key", "me", b"body", model, second)
        await there.answer(b"key", "me", b"body", model, third)
    assert model.asked == 1
    assert [len(one.sent) for one in (first, second, third)] == [3, 3, 3]
    assert first.body == second.body == third.body == b"Hello"
    assert (first.replayed, second.replayed, third.replayed) == (False, True, True)
    with Client.from_url(redis.url) as client:
        keys = client.keys("tierwise:once:*")
        assert keys
        assert all(client.ttl(key) > 0 for key in keys)


async def test_who_comes_while_another_replica_asks_waits_for_its_answer(
    redis: RedisServer,
) -> None:
    model = Model()
    async with two(redis) as (here, there, _):
        first, second = Someone(), Someone()
        asking = asyncio.create_task(here.answer(b"key", "me", b"body", model, first))
        await until(lambda: model.asked, "the question")
        waiting = asyncio.create_task(there.answer(b"key", "me", b"body", model, second))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        model.may.set()
        await asyncio.gather(asking, waiting)
    assert model.asked == 1
    assert second.body == b"Hello"


@pytest.mark.parametrize("complete", [True, False])
async def test_a_key_of_another_request_is_refused_everywhere(
    redis: RedisServer, complete: bool
) -> None:
    model = Model()
    async with two(redis) as (here, there, _):
        asking = asyncio.create_task(here.answer(b"key", "me", b"body", model, Someone()))
        await until(lambda: model.asked, "the question")
        if complete:
            model.may.set()
            await asking
            await told(redis)
        for _ in range(2):
            with pytest.raises(KeyReused):
                await there.answer(b"key", "me", b"other", model, Someone())
        model.may.set()
        await asking
        await there.answer(b"key", "them", b"other", model, Someone())
    assert model.asked == 2


async def test_a_failure_is_not_kept_and_who_waited_has_the_turn(redis: RedisServer) -> None:
    fails, works = Model(500), Model()
    works.may.set()
    async with two(redis) as (here, there, _):
        second = Someone()
        asking = asyncio.create_task(here.answer(b"key", "me", b"body", fails, Someone()))
        await until(lambda: fails.asked, "the question")
        waiting = asyncio.create_task(there.answer(b"key", "me", b"body", works, second))
        await asyncio.sleep(0.2)
        assert works.asked == 0
        fails.may.set()
        await asyncio.gather(asking, waiting)
    assert second.body == b"Hello"
    assert works.asked == 1


async def test_a_turn_of_a_replica_that_is_gone_ends_by_itself(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LEASE_S", 1.0)
    works = Model()
    works.may.set()
    async with two(redis) as (here, there, _):
        gone = asyncio.create_task(here.answer(b"key", "me", b"body", Model(), Someone()))
        with Client.from_url(redis.url) as client:
            await until(lambda: client.keys("tierwise:once:turn:*"), "the turn")
        await there.answer(b"key", "me", b"body", works, Someone())
        gone.cancel()
        await here.all_done(0.01)
    assert works.asked == 1


async def test_a_turn_lasts_while_it_is_renewed_and_after_redis_has_forgotten_it(
    redis: RedisServer,
) -> None:
    model = Model()
    async with two(redis) as (here, there, replicas):
        first, second = Someone(), Someone()
        asking = asyncio.create_task(here.answer(b"key", "me", b"body", model, first))
        with Client.from_url(redis.url) as client:
            await until(lambda: client.keys("tierwise:once:turn:*"), "the turn")
            client.flushall()
            replicas.once.renew()
            await until(lambda: client.keys("tierwise:once:turn:*"), "the turn again")
            (key,) = client.keys("tierwise:once:turn:*")
            client.expire(key, 5)
            replicas.once.renew()
            await until(lambda: client.ttl(key) > 5, "more time")
        waiting = asyncio.create_task(there.answer(b"key", "me", b"body", model, second))
        await asyncio.sleep(0.2)
        assert model.asked == 1
        model.may.set()
        await asyncio.gather(asking, waiting)
    assert second.body == b"Hello"


async def test_without_redis_each_replica_answers_by_itself(redis: RedisServer) -> None:
    model = Model()
    model.may.set()
    async with two(redis) as (here, there, _):
        redis.kill()
        for replica in (here, there):
            for _ in range(2):
                someone = Someone()
                await replica.answer(b"key", "me", b"body", model, someone)
                assert someone.body == b"Hello"
    assert model.asked == 2


async def test_an_answer_that_is_too_large_for_redis_is_known_to_one_replica_alone(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MOST_BYTES_ONE", 10)
    model = Model()
    model.may.set()
    async with two(redis) as (here, there, _):
        for replica in (here, here, there):
            await replica.answer(b"key", "me", b"body", model, Someone())
            await told(redis)
    assert model.asked == 2
