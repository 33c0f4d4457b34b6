"""Answers that one replica keeps are found at all others, within bounds."""

from __future__ import annotations

import pytest
from redis import Redis as Client

from replicated import RedisServer, joined, until
from tierwise.state import kept_responses
from tierwise.state.kept_responses import Kept
from tierwise.state.shared import responses
from tierwise.state.shared.replicas import Replicas
from tierwise.state.shared.responses import InRedis


def answer(text: str, *, item: str = "item") -> Kept:
    return Kept(b'{"output":[{"id":"%b","text":"%b"}]}' % (item.encode(), text.encode()), b'"Hi"')


def stores(one: Replicas, other: Replicas) -> tuple[InRedis, InRedis]:
    return InRedis(one.link), InRedis(other.link)


async def test_another_replica_finds_an_answer_and_its_items_until_one_forgets_it(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = stores(one, other)
        here.keep("me", "one/../two", answer("first"))
        await until(lambda: there.find("me", "one/../two"), "the answer")
        assert await there.find("me", "one/../two") == answer("first")
        assert await there.item("me", "item") == b'{"id":"item","text":"first"}'
        for caller in ("you", None):
            assert await there.find(caller, "one/../two") is None
            assert await there.item(caller, "item") is None
            assert not await there.forget(caller, "one/../two")
        assert await there.forget("me", "one/../two")
        assert await there.find("me", "one/../two") is None
        assert await there.item("me", "item") is None
        assert not await there.forget("me", "one/../two")


async def test_of_more_than_there_is_room_for_the_oldest_is_forgotten(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = answer("0", item="item-0").size
    monkeypatch.setattr(kept_responses, "MOST_BYTES_EACH", 3 * size)
    monkeypatch.setattr(kept_responses, "MOST_BYTES", 5 * size)
    async with joined(redis) as one, joined(redis) as other:
        here, there = stores(one, other)

        async def keep(caller: str, number: int) -> None:
            here.keep(caller, str(number), answer(str(number), item=f"item-{number}"))
            await until(lambda: there.find(caller, str(number)), "the answer")

        async def left(caller: str) -> list[int]:
            return [n for n in range(10) if await there.find(caller, str(n)) is not None]

        for number in range(5):
            await keep("me", number)
        assert await left("me") == [2, 3, 4]
        for number in range(3):
            await keep("you", number)
        assert await left("me") == [3, 4]
        assert await left("you") == [0, 1, 2]
    with Client.from_url(redis.url) as client:
        assert client.hget("tierwise:kept:sums", "all") == str(5 * size).encode()
        assert [key for key in client.keys("*") if client.ttl(key) < 0] == []


async def test_without_redis_a_replica_finds_what_it_kept_itself(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = stores(one, other)
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        here.keep(None, "one", answer("first"))
        assert await here.find(None, "one") == answer("first")
        assert await there.find(None, "one") is None
        assert await here.forget(None, "one")
        assert await here.find(None, "one") is None


async def test_an_answer_that_would_hold_redis_up_is_kept_by_one_replica_alone(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "_MOST_BYTES_ONE", answer("0").size)
    async with joined(redis) as one, joined(redis) as other:
        here, there = stores(one, other)
        here.keep("me", "large", answer("large"))
        here.keep("me", "small", answer("0"))
        await until(lambda: there.find("me", "small"), "the small one")
        assert await there.find("me", "large") is None
        assert await here.find("me", "large") is not None
