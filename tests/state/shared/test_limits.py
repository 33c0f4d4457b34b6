"""What clients may ask for is counted for all replicas, and goes on while Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from replicated import RedisServer, joined, until
from tierwise.errors import Overloaded
from tierwise.state.allowances import Allowances, Taking
from tierwise.state.shared import limits as shared_limits
from tierwise.state.shared.connection import Link
from tierwise.state.shared.replicas import Replicas
from tierwise.types import Limits, Usage


def allowances(replicas: Replicas, **limits: float) -> Allowances:
    return Allowances(Limits(**limits), {}, replicas.limits)  # type: ignore[arg-type]


async def asked(of: Allowances, tokens: int = 0) -> Taking | None:
    """What a request takes; None if it is refused."""
    try:
        return await of.admit("me", tokens, asyncio.get_running_loop().time())
    except Overloaded:
        return None


async def many(of: Allowances, times: int) -> int:
    """How many of so many requests are let in, each over at once."""
    let_in = 0
    for _ in range(times):
        taken = await asked(of)
        if taken is not None:
            with taken:
                let_in += 1
    return let_in


def refilled(began: float) -> float:
    """Requests that a limit of 60 a minute has room for again, since then."""
    return time.monotonic() - began


async def both_there(one: Replicas, other: Replicas) -> None:
    await until(lambda: one.members == other.members == 2, "both replicas")


async def test_two_replicas_let_in_together_what_one_would(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        a, b = allowances(one, rpm=60), allowances(other, rpm=60)
        began = time.monotonic()
        let_in = await asyncio.gather(many(a, 50), many(b, 50))
    assert 60 <= sum(let_in) <= 61 + refilled(began)


async def test_calls_at_a_time_are_those_of_all_replicas(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        a, b = allowances(one, concurrency=2), allowances(other, concurrency=2)
        first, second = await asked(a), await asked(b)
        assert first is not None
        assert second is not None
        assert await asked(a) is None
        with first:
            pass
        assert await asked(b) is not None


async def test_calls_of_a_killed_replica_end(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_limits, "LEASE_S", 0.2)
    async with joined(redis) as other:
        killed = Replicas(other.link.config)
        await killed.start()
        assert await asked(allowances(killed, concurrency=1)) is not None
        await killed.close()
        b = allowances(other, concurrency=1)
        assert await asked(b) is None
        await until(lambda: asked(b), "the lease of the killed replica to end")


async def test_tokens_that_were_not_used_are_given_back_to_all(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        a, b = allowances(one, tpm=1000), allowances(other, tpm=1000)
        taken = await asked(a, 1000)
        assert taken is not None
        assert await asked(b, 500) is None
        with taken:
            taken.used(Usage(input_tokens=100, output_tokens=100))
        await until(lambda: asked(b, 500), "the tokens to be given back")


async def test_who_has_no_limits_never_asks_redis(redis: RedisServer) -> None:
    async with joined(redis) as one:
        free = Allowances(Limits(), {"bounded": Limits(rpm=1)}, one.limits)
        redis.hang()
        for _ in range(1000):
            with await free.admit("me", 10, 0.0):
                pass
        redis.go_on()
        assert one.link.up


@pytest.mark.parametrize("keeps", [False, True])
async def test_without_redis_replicas_let_in_their_parts_of_what_is_left_and_add_it_afterwards(
    redis: RedisServer, lasting_redis: RedisServer, keeps: bool
) -> None:
    server = lasting_redis if keeps else redis
    async with joined(server) as one, joined(server) as other:
        a, b = allowances(one, rpm=60), allowances(other, rpm=60)
        await both_there(one, other)
        began = time.monotonic()
        assert await many(a, 20) == 20
        assert await many(b, 20) == 20
        await one.limits.look()
        server.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        # 20 are left, and what is refilled meanwhile; each may have half of that.
        alone = await many(a, 30) + await many(b, 30)
        assert 18 <= alone <= 22 + refilled(began)
        server.start()
        await until(lambda: one.link.up and other.link.up, "the return")
        more = await many(a, 60) + await many(b, 60)
        assert 40 + alone + more <= 62 + refilled(began)


async def test_redis_that_hangs_is_waited_for_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with joined(redis, timeout_s=0.1) as one:
        waited: list[int] = []
        made = Link._make

        async def make(link: Link, batch: Sequence[object]) -> None:
            waited.append(len(batch))
            await made(link, batch)  # type: ignore[arg-type]

        monkeypatch.setattr(Link, "_make", make)
        a = allowances(one, rpm=10_000)
        redis.hang()
        assert await many(a, 200) == 200
        assert len(waited) == 1
        redis.go_on()
        await until(lambda: one.link.up, "the return")
