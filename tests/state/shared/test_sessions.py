"""A conversation stays with its model, whichever replica is asked next."""

from __future__ import annotations

import time

import pytest
from redis import Redis as Client

from replicated import RedisServer, joined, until
from tierwise.state.sessions import CACHE_S, Sessions
from tierwise.state.shared import lookups
from tierwise.state.shared.replicas import Replicas
from tierwise.state.shared.sessions import KEEP_S


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may have much else to do."""
    monkeypatch.setattr(lookups, "WAIT_S", 5.0)


def sessions(replicas: Replicas) -> Sessions:
    made = Sessions()
    made.elsewhere = replicas.sessions
    return made


async def model(one: Sessions, session: str) -> str | None:
    """Which model a conversation is with, as a replica knows when it is asked."""
    now = time.monotonic()
    await one.recall(session, now)
    held = one.held(session, now)
    return None if held is None else held.model


def told(redis: RedisServer, number: int) -> bool:
    with Client.from_url(redis.url) as client:
        return len(client.keys("tierwise:talk:*")) == number


async def test_another_replica_knows_who_answered_last(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = sessions(one), sessions(other)
        here.answered("talk", "small", 700, time.monotonic())
        await until(lambda: told(redis, 1), "the note")
        assert await model(there, "talk") == "small"
        assert await model(there, "other") is None
        held = there.held("talk", time.monotonic())
        assert held is not None
        assert held.tokens == 700
        there.answered("talk", "large", 900, time.monotonic())

        async def is_large() -> bool:
            return await model(here, "talk") == "large"

        await until(is_large, "the later answer")
    with Client.from_url(redis.url) as client:
        (key,) = client.keys("tierwise:talk:*")
        assert b"talk" not in key.removeprefix(b"tierwise:talk:")
        assert 0 < client.ttl(key) <= KEEP_S


async def test_the_provider_s_cache_is_as_old_as_redis_says(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = sessions(one), sessions(other)
        here.answered("talk", "small", 700, time.monotonic())
        await until(lambda: told(redis, 1), "the note")
        with Client.from_url(redis.url) as client:
            (key,) = client.keys("tierwise:talk:*")
            client.expire(key, int(KEEP_S - CACHE_S - 1))
        assert await model(there, "talk") == "small"
        held = there.held("talk", time.monotonic())
        assert held is not None
        assert held.tokens == 0


async def test_what_was_answered_here_later_counts(redis: RedisServer) -> None:
    async with joined(redis) as one:
        here = sessions(one)
        one.sessions.remember("talk", "small", 700)
        await until(lambda: told(redis, 1), "the note")
        here.elsewhere = None
        here.answered("talk", "large", 900, time.monotonic() + 60)
        here.elsewhere = one.sessions
        assert await model(here, "talk") == "large"


async def test_without_redis_each_replica_knows_its_own(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = sessions(one), sessions(other)
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        here.answered("talk", "small", 700, time.monotonic())
        assert await model(here, "talk") == "small"
        assert await model(there, "talk") is None
        assert one.link.waiting == 0
