"""Limits of deployments are those of all replicas, and each has what it needs of them."""

from __future__ import annotations

import random
import time

import pytest

from builders import a_deployment
from replicated import RedisServer, joined
from tierwise.state.health import Health
from tierwise.state.shared.replicas import Replicas
from tierwise.types import Deployment, Limits


def place(**limits: float) -> Deployment:
    return a_deployment("small", "near", limits=Limits(**limits))  # type: ignore[arg-type]


def health_of(replicas: Replicas, deployment: Deployment) -> Health:
    health = Health([deployment], time.monotonic, random.Random(1))
    replicas.attach(health, [deployment])
    return health


def calls(health: Health, deployment: Deployment, times: int, tokens: int = 0) -> int:
    """How many of so many calls may begin; they are over at once."""
    begun = 0
    for _ in range(times):
        health.wanted(deployment.model, tokens)
        if health.order([deployment], tokens):
            health.started(deployment, tokens)
            health.left(deployment)
            begun += 1
    return begun


async def count(*replicas: Replicas) -> None:
    for one in replicas:
        await one._loads.count()


async def test_replicas_begin_together_as_many_calls_as_one_may(redis: RedisServer) -> None:
    limited = place(rpm=600)
    async with joined(redis) as one, joined(redis) as other:
        a, b = health_of(one, limited), health_of(other, limited)
        await count(one, other, one)
        begun, began = 0, time.monotonic()
        for _ in range(20):
            begun += calls(a, limited, 100) + calls(b, limited, 100)
            await count(one, other)
        # What one takes between two counts, the other does not know of yet; ten a second are
        # refilled.
        assert 560 <= begun <= 700 + 10 * (time.monotonic() - began)


async def test_tokens_are_counted_for_all(redis: RedisServer) -> None:
    limited = place(tpm=100_000)
    async with joined(redis) as one, joined(redis) as other:
        a, b = health_of(one, limited), health_of(other, limited)
        await count(one, other, one)
        assert calls(a, limited, 10, 4000) == 10
        await count(one, other)
        left = b.snapshot()[0].left
        assert left is not None
        assert left.tokens is not None
        # Of 60,000 tokens that are left, what is this one's part.
        assert left.tokens <= 60_000 * b.states[limited.id].share + 3000


async def test_who_has_more_to_do_gets_more_of_the_limit(redis: RedisServer) -> None:
    limited = place(rpm=6000)
    async with joined(redis) as one, joined(redis) as other:
        a, b = health_of(one, limited), health_of(other, limited)
        await count(one, other, one)
        assert a.states[limited.id].share == b.states[limited.id].share == 0.5
        calls(a, limited, 90)
        calls(b, limited, 10)
        await count(one, other, one)
        shares = a.states[limited.id].share, b.states[limited.id].share
        assert 0.8 < shares[0] <= 0.95
        assert 0.05 < shares[1] < 0.2
        # So both have the same shadow price: their parts are as busy.
        capacities = a.capacity("small", 0.0), b.capacity("small", 0.0)
        assert capacities == pytest.approx((shares[0] * 100, shares[1] * 100))


async def test_calls_at_a_time_are_left_to_who_has_room(redis: RedisServer) -> None:
    limited = place(concurrency=10)
    async with joined(redis) as one, joined(redis) as other:
        a, b = health_of(one, limited), health_of(other, limited)
        await count(one, other, one)
        running = 0
        for _ in range(4):
            for health in (a, b):
                while health.order([limited]):
                    health.started(limited)
                    running += 1
            await count(one, other)
        assert running == 10


async def test_a_part_stays_as_it_is_while_redis_is_away(redis: RedisServer) -> None:
    limited = place(rpm=600)
    async with joined(redis) as one, joined(redis) as other:
        a, b = health_of(one, limited), health_of(other, limited)
        await count(one, other, one)
        redis.kill()
        began = time.monotonic()
        begun = calls(a, limited, 600), calls(b, limited, 600)
        most = 302 + 10 * (time.monotonic() - began)
        assert 295 <= begun[0] <= most
        assert 295 <= begun[1] <= most


class Clock:
    """A time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def want(self, health: Health, model: str, a_second: int, seconds: int) -> None:
        """So many requests a second want a model."""
        for _ in range(10 * seconds):
            self.now += 0.1
            for _ in range(a_second // 10):
                health.wanted(model, 0)
            health.scarcity.now()


async def test_all_replicas_have_one_shadow_price_whoever_is_asked(redis: RedisServer) -> None:
    limited, clock = place(rpm=6000), Clock()
    async with joined(redis) as one, joined(redis) as other:
        a, b = (Health([limited], clock, random.Random(1)) for _ in range(2))
        one.attach(a, [limited])
        other.attach(b, [limited])
        clock.want(a, "small", 300, 30)
        b.wanted("small", 0)
        (found,) = a.scarcity.seen()
        assert found.counts
        assert found.price > 0.1
        await count(one, other, one)
        for health in (a, b):
            (seen,) = health.scarcity.seen()
            assert (seen.price, seen.counts) == (pytest.approx(found.price), True)
        # And it falls for all where the one that was asked sees that it is over.
        clock.want(a, "small", 10, 60)
        await count(one, other, one)
        (seen,) = b.scarcity.seen()
        assert seen.price < found.price / 2
