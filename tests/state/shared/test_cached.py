"""Answers of the cache are given again by all replicas, within bounds; nobody waits for Redis."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis as Client

from cache.test_cache import PROFILE, kept
from cache.test_similar import ASKED, task
from replicated import RedisServer, joined, until
from tierwise.cache import Cache, InProcess
from tierwise.cache.similar import Similars
from tierwise.state.shared import cached, lookups
from tierwise.state.shared.cached import OVERHEAD_BYTES, Bounds, SharedCache
from tierwise.state.shared.replicas import Replicas
from tierwise.types import Owner, Task

ROOM = Bounds(10_000_000, 10_000_000)
ME, YOU = b"m" * 16, b"y" * 16


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may have much else to do: what is late here is late there."""
    monkeypatch.setattr(lookups, "WAIT_S", 5.0)


def shared(replicas: Replicas, bounds: Bounds = ROOM) -> SharedCache:
    replicas.cached.bounds = bounds
    return replicas.cached


def put(one: SharedCache, key: bytes, what: bytes = b"answer", ttl_s: float = 60) -> None:
    one.put(key, len(what), lambda: what, ttl_s)


async def get(one: SharedCache, key: bytes) -> bytes | None:
    found = await one.get(key)
    return None if found is None else found[0]


async def written(one: SharedCache, number: int) -> None:
    await until(lambda: one.kept + one.left_out == number, "all is written")


def cache(replicas: Replicas, mode: Any = "exact") -> Cache:
    """A replica's cache, as the gateway puts it together."""
    store = InProcess(1_000_000)
    similar = Similars(store, 0.9, ttl_s=60) if mode == "semantic" else None
    made = Cache(store, {"": mode}, ttl_s=60, most_bytes=100_000, now=time.time, similar=similar)
    made.share(shared(replicas))
    replicas.news.replaced = made.here.forget
    replicas.cached.listen(similar.hear if similar is not None else None)
    return made


async def ask(one: Cache, what: Task) -> bytes | None:
    asked = one.asked(what)
    assert asked is not None
    found = await one.find(what, asked)
    return None if found is None else found.kept.blocks[0]


async def keep(one: Cache, what: Task, text: bytes = b"answer") -> None:
    asked = one.asked(what)
    assert asked is not None
    await one.keep(what, asked, kept(text, at=time.time()))


def known(one: Cache) -> int:
    """How many requests it can find others like."""
    assert isinstance(one.similar, Similars)
    return len(one.similar)


@asynccontextmanager
async def two(redis: RedisServer, mode: Any = "exact", **more: Any) -> Any:
    async with joined(redis, **more) as one, joined(redis, **more) as other:
        yield cache(one, mode), cache(other, mode), one, other


async def test_what_one_replica_was_answered_another_one_gives_again(redis: RedisServer) -> None:
    async with two(redis) as (here, there, one, other):
        await keep(here, task(ASKED), b"one" * 1000)
        await written(one.cached, 1)
        asked = there.asked(task(ASKED))
        assert asked is not None
        found = await there.find(task(ASKED), asked)
        assert found is not None
        assert found.kept.blocks == (b"one" * 1000,)
        assert found.kept.decision.profile == PROFILE
        assert 0 <= found.age_s < 10
        # From now on it has it itself.
        assert await ask(there, task(ASKED)) == b"one" * 1000
        assert (other.cached.hits, other.cached.misses) == (1, 0)


@pytest.mark.parametrize("other", [task(ASKED, owner=Owner(org="b")), task(ASKED, caller="b")])
async def test_nobody_is_given_what_another_one_was_answered(
    redis: RedisServer, other: Task
) -> None:
    async with two(redis, "semantic") as (here, there, *_):
        await keep(here, task(ASKED, owner=Owner(org="a")))
        await until(lambda: known(there), "word of it")
        assert await ask(there, other) is None
        assert await ask(there, task(ASKED, owner=Owner(org="a"))) == b"answer"


async def test_who_minds_is_heeded_everywhere(redis: RedisServer) -> None:
    async with two(redis) as (here, there, one, other):
        await keep(here, task(ASKED), b"old")
        await written(one.cached, 1)
        assert await ask(there, task(ASKED)) == b"old"
        assert there.asked(task(ASKED, cache_control="no-store")) is None
        anew = task(ASKED, cache_control="no-cache")
        assert await ask(there, anew) is None
        await keep(there, anew, b"new")
        await written(other.cached, 1)

        async def is_new() -> bool:
            return await ask(here, task(ASKED)) == b"new"

        await until(is_new, "the old one is gone")


async def test_what_one_has_too_old_another_one_may_have_anew(redis: RedisServer) -> None:
    async with two(redis) as (here, there, _, other):
        asked = here.asked(task(ASKED))
        assert asked is not None
        await here.here.put(asked.key, kept(b"old", at=time.time() - 30), 60)
        await keep(there, task(ASKED), b"new")
        await written(other.cached, 1)
        assert await ask(here, task(ASKED)) == b"old"
        assert await ask(here, task(ASKED, cache_control="max-age=20")) == b"new"


async def test_other_words_for_the_same_are_found_at_all_replicas(redis: RedisServer) -> None:
    again = task("how do i reset the password of my account")
    async with two(redis, "semantic") as (here, there, *_):
        await keep(here, task(ASKED))
        await until(lambda: known(there), "word of it")
        assert await ask(there, task("What is the capital of France?")) is None
        assert await ask(there, again) == b"answer"
        async with joined(redis) as late:
            third = cache(late, "semantic")
            await until(lambda: known(third), "word of what was said before")
            assert await ask(third, again) == b"answer"


async def test_words_of_prompts_do_not_lie_in_redis(redis: RedisServer) -> None:
    async with two(redis, "semantic") as (here, there, *_):
        await keep(here, task("What did Ada earn in 1843?"))
        await until(lambda: known(there), "word of it")
    with Client.from_url(redis.url) as client:
        lines = client.xrange("tierwise:cache:lines")
        assert len(lines) == 1
        assert b"ada" not in repr(lines).lower().encode()
        assert b"1843" not in lines[0][1][b"line"]


async def test_of_more_than_there_is_room_for_the_oldest_is_forgotten(redis: RedisServer) -> None:
    size = len(b"answer") + OVERHEAD_BYTES
    async with joined(redis) as one, joined(redis) as other:
        here, there = shared(one, Bounds(5 * size, 3 * size)), shared(other)

        async def left(whose: bytes) -> list[int]:
            return [n for n in range(5) if await get(there, whose + b"%d" % n) is not None]

        for number in range(5):
            put(here, ME + b"%d" % number)
        await written(here, 5)
        assert await left(ME) == [2, 3, 4]
        for number in range(3):
            put(here, YOU + b"%d" % number)
        await written(here, 8)
        assert await left(ME) == [3, 4]
        assert await left(YOU) == [0, 1, 2]
    with Client.from_url(redis.url) as client:
        assert client.hget("tierwise:cache:sums", "all") == str(5 * size).encode()
        assert [key for key in client.keys("*") if client.ttl(key) < 0] == []


async def test_an_answer_is_as_old_as_redis_says_and_gone_when_its_time_is_over(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one:
        here = shared(one)
        put(here, ME, ttl_s=60)
        await written(here, 1)
        with Client.from_url(redis.url) as client:
            (key,) = client.keys("tierwise:cache:answer:*")
            client.pexpire(key, 40_000)
            found = await here.get(ME)
            assert found is not None
            assert found[1] == pytest.approx(20, abs=5)
            client.pexpire(key, 1)
            await until(lambda: not client.exists(key), "its end")
        assert await here.get(ME) is None


async def test_an_answer_that_would_hold_redis_up_is_kept_by_one_replica_alone(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "MOST_BYTES_ONE", 100)
    async with joined(redis) as one:
        here = shared(one)
        put(here, ME, b"x" * 101)
        put(here, YOU, b"x" * 100)
        await written(here, 2)
        assert await here.get(ME) is None
        assert await get(here, YOU) == b"x" * 100
        assert (here.kept, here.left_out) == (1, 1)


async def test_a_redis_that_is_full_keeps_nothing_more_and_that_is_said_once(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with joined(redis) as one:
        here = shared(one)
        put(here, YOU)
        await written(here, 1)
        with Client.from_url(redis.url) as client:
            client.config_set("maxmemory", 1)
        for number in range(3):
            put(here, ME + b"%d" % number)
        await written(here, 4)
        assert (here.kept, here.left_out) == (1, 3)
        assert await get(here, YOU) == b"answer"
    assert caplog.text.count("Redis refuses") == 1


async def test_scripts_that_redis_has_forgotten_are_given_to_it_again(redis: RedisServer) -> None:
    async with joined(redis) as one:
        here = shared(one)
        with Client.from_url(redis.url) as client:
            client.script_flush()
            put(here, ME)
            await written(here, 1)
            client.script_flush()
        assert await get(here, ME) == b"answer"


async def test_nobody_waits_for_a_redis_that_hangs_and_after_a_while_nobody_asks_it(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "WAIT_S", 0.001)
    monkeypatch.setattr(lookups, "_REST_S", 1000.0)
    async with joined(redis, timeout_s=10) as one:
        here = shared(one)
        redis.hang()
        for number in range(5):
            assert await here.get(ME + b"%d" % number) is None
        assert here.late == 3  # the others did not ask
        assert one.link.up
        redis.go_on()


async def test_each_goes_on_with_its_own_without_redis_and_shares_again_when_it_is_back(
    redis: RedisServer,
) -> None:
    async with two(redis, "semantic") as (here, there, one, other):
        await keep(here, task(ASKED))
        await written(one.cached, 1)
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        assert await ask(here, task(ASKED)) == b"answer"
        assert await ask(there, task(ASKED)) is None
        await keep(there, task(ASKED, system="Be long."))
        assert await ask(there, task(ASKED, system="Be long.")) == b"answer"
        assert other.cached.left_out == 1
        redis.start()
        await until(lambda: one.link.up and other.link.up, "its return")
        for number in range(3):
            await keep(here, task(ASKED, system=f"Be {number}."))
        await written(one.cached, 4)
        await until(lambda: known(there) == 4, "word of them")
        assert await ask(there, task(ASKED, system="Be 2.")) == b"answer"


async def test_who_was_away_when_all_was_forgotten_learns_it_later(redis: RedisServer) -> None:
    async with two(redis, "semantic") as (here, there, one, other):
        one.cached.cleared, other.cached.cleared = here.clear, there.clear
        await one.cached.catch_up()
        await other.cached.catch_up()
        for number in range(300):
            put(one.cached, ME + b"%d" % number)
        await keep(there, task(ASKED))
        await written(one.cached, 300)
        await until(lambda: known(here), "word of it")
        other.news.cleared = lambda _: None  # it does not hear it
        assert await one.cached.clear() >= 300
        assert await get(one.cached, ME + b"7") is None
        assert await ask(there, task(ASKED)) == b"answer"
        await other.cached.catch_up()
        assert await ask(there, task(ASKED)) is None
        assert known(there) == 0
        await other.cached.catch_up()
        await keep(there, task(ASKED), b"new")
        await other.cached.catch_up()  # forgets nothing that came later
        assert await ask(there, task(ASKED)) == b"new"


async def test_those_who_ask_at_a_time_are_answered_together(redis: RedisServer) -> None:
    async with joined(redis) as one:
        here = shared(one)
        for number in range(50):
            put(here, ME + b"%d" % number, b"%d" % number)
        await written(here, 50)
        with Client.from_url(redis.url) as client:
            before = calls(client)
            asked = [get(here, ME + b"%d" % number) for number in range(50)]
            assert await asyncio.gather(*asked) == [b"%d" % number for number in range(50)]
            assert calls(client) - before < 10


def calls(client: Any) -> int:
    """How often Redis was asked to run a script."""
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])
