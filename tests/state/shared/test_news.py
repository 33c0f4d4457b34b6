"""What one replica finds out or is ordered reaches all others, also those that come later."""

from __future__ import annotations

import random
import time

import pytest

from builders import a_deployment
from replicated import RedisServer, joined, until
from tierwise.errors import OutOfService, RateLimited, ServerFailed, UpstreamError
from tierwise.state.breaker import FAILURES_IN_ROW
from tierwise.state.health import Health
from tierwise.state.orders import Order
from tierwise.state.shared.replicas import Replicas
from tierwise.types import Deployment

PLACE = a_deployment("small", "near", api_key="the account's key")


def health_of(replicas: Replicas, deployment: Deployment = PLACE) -> Health:
    health = Health([deployment], time.monotonic, random.Random(1))
    replicas.attach(health, [deployment])
    return health


def fails(health: Health, error: UpstreamError, times: int = 1) -> None:
    for _ in range(times):
        health.started(PLACE)
        health.left(PLACE)
        health.failed(PLACE, error)


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (RateLimited("slow down", status=429, retry_after=30), 1),
        (OutOfService("no such key", status=401), 1),
        (ServerFailed("broken", status=500), FAILURES_IN_ROW),
    ],
    ids=["rate limit", "bad key", "breaker"],
)
async def test_what_keeps_calls_away_from_a_deployment_at_one_does_so_at_all(
    redis: RedisServer, error: UpstreamError, times: int
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = health_of(one), health_of(other)
        assert there.available(PLACE)
        fails(here, error, times)
        await until(lambda: not there.available(PLACE), "the hint")


async def test_a_breaker_elsewhere_counts_little_against_answers_here(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = health_of(one), health_of(other)
        there.started(PLACE)
        there.left(PLACE)
        there.succeeded(PLACE, 0.1, None)
        fails(here, ServerFailed("broken", status=500), FAILURES_IN_ROW)
        fails(here, RateLimited("slow down", status=429, retry_after=30))
        # They come in order, so that the breaker was heard of too.
        await until(lambda: not there.available(PLACE), "the rate limit")
        assert there.states[PLACE.id].breaker.closed


async def test_a_hint_is_about_the_account_and_not_about_its_name(redis: RedisServer) -> None:
    same_name = a_deployment("small", "near", api_key="another account's key")
    async with joined(redis) as one, joined(redis) as other, joined(redis) as third:
        here, there, last = health_of(one), health_of(other, same_name), health_of(third)
        fails(here, RateLimited("slow down", status=429, retry_after=30))
        await until(lambda: not last.available(PLACE), "the hint")
        assert there.available(same_name)


@pytest.mark.parametrize("away", [False, True])
async def test_who_comes_later_or_was_away_reads_what_still_holds(
    lasting_redis: RedisServer, away: bool
) -> None:
    async with joined(lasting_redis) as one:
        here = health_of(one)
        fails(here, RateLimited("slow down", status=429, retry_after=30))
        one.news.order(Order(PLACE.id, drained=True))
        await until(lambda: not one.link.waiting, "it to be told")
        if away:
            lasting_redis.kill()
            lasting_redis.start()
        other = Replicas(one.link.config)
        there, orders = health_of(other), list[Order]()
        other.news.ordered = orders.append
        await other.start()
        try:
            await until(lambda: not there.available(PLACE), "the hint")
            assert 20 < there.next_return_s([PLACE]) <= 30
            assert orders == [Order(PLACE.id, drained=True)]
        finally:
            await other.close()


async def test_an_order_that_is_given_while_redis_is_away_is_told_when_it_is_back(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        health_of(one)
        orders: list[Order] = []
        other.news.ordered = orders.append
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        one.news.order(Order(PLACE.id, drained=True))
        redis.start()
        await until(lambda: Order(PLACE.id, drained=True) in orders, "the order")


async def test_what_is_found_out_while_redis_is_away_is_told_for_as_long_as_it_holds(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here, there = health_of(one), health_of(other)
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        fails(here, RateLimited("slow down", status=429, retry_after=30))
        redis.start()
        await until(lambda: not there.available(PLACE), "the hint")
        assert there.next_return_s([PLACE]) <= 30


async def test_all_hear_that_accounts_have_changed(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        heard: list[str] = []
        one.news.accounts_changed = lambda: heard.append("one")
        other.news.accounts_changed = lambda: heard.append("other")
        one.news.change_accounts()
        await until(lambda: heard == ["other"], "the news")
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        redis.start()
        # Who was away may have missed something.
        await until(lambda: sorted(heard) == ["one", "other", "other"], "a look")
