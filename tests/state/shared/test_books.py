"""Budgets are kept to by all replicas together, with Redis, without it and when it is back."""

from __future__ import annotations

import asyncio
import random

import pytest

from replicated import RedisServer, joined, until
from tierwise.budget import Budget
from tierwise.errors import BudgetExceeded
from tierwise.state.budgets import Budgets, Purse
from tierwise.state.shared import books as shared_books
from tierwise.state.shared.replicas import Replicas

KEY = Budget(id="b1", org="o", scope="key", owner="k1", period="total", hard_usd=1.0)
TEAM = Budget(id="b2", org="o", scope="team", owner="t1", period="day", hard_usd=0.5)


class Ledger:
    """What was spent, as the ledger knows it."""

    def __init__(self) -> None:
        self.usd = 0.0
        self.asked = 0

    def __call__(self, *_: object) -> float:
        self.asked += 1
        return self.usd


def budgets(replicas: Replicas, ledger: Ledger | None = None) -> Budgets:
    return Budgets(replicas.books, ledger or Ledger())


async def reserved(of: Budgets, usd: float | None, *from_: Budget) -> Purse | None:
    """A purse with so much set aside; None where there is no room."""
    purse = of.purse(from_ or (KEY,))
    assert purse is not None
    try:
        await purse.reserve(usd)
    except BudgetExceeded:
        return None
    return purse


async def spent(of: Budgets, budget: Budget = KEY) -> tuple[float, float]:
    (balance,) = await of.balances([budget])
    return balance.spent_usd, balance.set_aside_usd


async def spend(of: Budgets, times: int, draw: random.Random) -> float:
    """Requests that cost what was expected of them; what those cost that were let in."""
    total = 0.0
    for _ in range(times):
        purse = await reserved(of, 0.01)
        if purse is None:
            continue
        await asyncio.sleep(0.001 * draw.random())
        purse.settle(0.01)
        total += 0.01
    return total


async def test_two_replicas_spend_together_what_the_budget_has(redis: RedisServer) -> None:
    draw = random.Random(1)
    async with joined(redis) as one, joined(redis) as other:
        a, b = budgets(one), budgets(other)
        totals = await asyncio.gather(*(spend(of, 20, draw) for of in (a, b) * 5))
        assert sum(totals) == pytest.approx(1.0)
        await until(lambda: _settled(a), "all to be settled")
        assert await spent(b) == (pytest.approx(1.0), 0.0)


async def _settled(of: Budgets) -> bool:
    return (await spent(of))[1] == 0.0


async def test_what_costs_nobody_knows_what_is_refused_by_all_once_nothing_is_left(
    redis: RedisServer,
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        a, b = budgets(one), budgets(other)
        purse = await reserved(a, None)
        assert purse is not None
        purse.settle(1.0)
        await until(lambda: _settled(b), "all to be settled")
        assert await reserved(b, None) is None


async def test_it_is_set_aside_in_all_budgets_or_in_none(redis: RedisServer) -> None:
    async with joined(redis) as one, joined(redis) as other:
        a, b = budgets(one), budgets(other)
        assert await reserved(a, 0.4, KEY, TEAM) is not None
        assert await reserved(b, 0.2, KEY, TEAM) is None
        assert await spent(b, KEY) == (0.0, pytest.approx(0.4))
        assert await spent(b, TEAM) == (0.0, pytest.approx(0.4))


async def test_what_was_spent_before_is_read_in_the_ledger_once_for_all(
    redis: RedisServer,
) -> None:
    ledger = Ledger()
    ledger.usd = 0.995
    async with joined(redis) as one, joined(redis) as other:
        a, b = budgets(one, ledger), budgets(other, ledger)
        assert await reserved(a, 0.01) is None
        assert await reserved(b, 0.01) is None
        assert ledger.asked == 1


async def test_what_a_killed_replica_had_set_aside_is_free_again(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_books, "LEASE_S", 0.3)
    async with joined(redis) as other:
        killed = Replicas(other.link.config)
        await killed.start()
        assert await reserved(budgets(killed), 1.0) is not None
        await killed.close()
        b = budgets(other)
        assert await reserved(b, 1.0) is None
        await until(lambda: reserved(b, 1.0), "the lease to end")


async def test_a_bill_that_comes_twice_is_booked_once(redis: RedisServer) -> None:
    async with joined(redis) as one:
        a = budgets(one)
        purse = await reserved(a, 0.1)
        assert purse is not None
        purse.settle(0.05)
        for _ in range(3):
            one.books.back()  # tells all that it knows
        await until(lambda: _settled(a), "the bill")
        assert await spent(a) == (pytest.approx(0.05), 0.0)


@pytest.mark.parametrize("keeps", [False, True])
async def test_without_redis_the_budget_holds_and_the_sums_are_right_when_it_is_back(
    redis: RedisServer,
    lasting_redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    keeps: bool,
) -> None:
    server = lasting_redis if keeps else redis
    ledger = Ledger()
    async with joined(server) as one, joined(server) as other:
        a, b = budgets(one, ledger), budgets(other, ledger)
        await until(lambda: one.members == other.members == 2, "both replicas")

        async def pay(of: Budgets, usd: float) -> bool:
            purse = await reserved(of, usd)
            if purse is None:
                return False
            purse.settle(usd)
            ledger.usd += usd
            return True

        assert await pay(a, 0.2)
        assert await pay(b, 0.2)
        under_way = await reserved(a, 0.1)
        assert under_way is not None
        await one.books.look()
        await other.books.look()
        server.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        # 0.5 USD are left, a half for each.
        assert [await pay(a, 0.1) for _ in range(4)] == [True, True, False, False]
        assert [await pay(b, 0.1) for _ in range(4)] == [True, True, False, False]
        server.start()
        await until(lambda: one.link.up and other.link.up, "the return")
        await until(lambda: _is(b, 0.8, 0.1), "what was spent without Redis")
        assert not await pay(b, 0.11)
        under_way.settle(0.1)
        await until(lambda: _is(b, 0.9, 0.0), "the request that was under way all the time")
        await until(lambda: pay(a, 0.1), "the time in which each keeps to its part to be over")
        assert not await pay(b, 0.01)
    assert ledger.usd == pytest.approx(0.9)  # but for the one that was settled by itself


@pytest.mark.parametrize("keeps", [False, True])
async def test_who_finds_redis_first_leaves_to_the_others_what_they_may_have_spent_without_it(
    redis: RedisServer,
    lasting_redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    keeps: bool,
) -> None:
    server = lasting_redis if keeps else redis
    async with joined(server) as one, joined(server) as other:
        a, b = budgets(one), budgets(other)
        await until(lambda: one.members == other.members == 2, "both replicas")
        first = await reserved(a, 0.2)
        assert first is not None
        first.settle(0.2)
        await until(lambda: _is(b, 0.2, 0.0), "what was spent")
        await one.books.look()
        await other.books.look()
        server.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        # 0.8 USD are left, a half for each; b spends its half, and finds Redis later than a.
        assert [await paid(b, 0.2) for _ in range(3)] == [True, True, False]
        connect, found = other.link._connect, asyncio.Event()

        async def late() -> bool:
            return found.is_set() and await connect()

        monkeypatch.setattr(other.link, "_connect", late)
        server.start()
        await until(lambda: one.link.up, "the return")
        assert [await paid(a, 0.2) for _ in range(3)] == [True, True, False]
        found.set()
        await until(lambda: other.link.up, "the return to the other one")
        ledger_knows = Ledger()
        ledger_knows.usd = 1.0
        for of in (budgets(one, ledger_knows), budgets(other, ledger_knows)):
            await until(lambda of=of: _is(of, 1.0, 0.0), "all bills")
            assert await reserved(of, 0.01) is None


async def paid(of: Budgets, usd: float) -> bool:
    """Whether there was room for a request, which then cost what was expected."""
    purse = await reserved(of, usd)
    if purse is not None:
        purse.settle(usd)
    return purse is not None


async def test_what_was_set_aside_before_redis_was_lost_is_spent_once(redis: RedisServer) -> None:
    async with joined(redis) as one:
        a = budgets(one)
        under_way = await reserved(a, 0.6)
        assert under_way is not None
        redis.kill()  # before anybody has looked again
        await until(lambda: not one.link.up, "the loss")
        assert not await paid(a, 0.5)
        under_way.settle(0.1)
        assert await paid(a, 0.8)
        assert not await paid(a, 0.2)


async def _is(of: Budgets, usd: float, aside: float) -> bool:
    return await spent(of) == (pytest.approx(usd), pytest.approx(aside))


async def test_every_key_ends_by_itself(redis: RedisServer) -> None:
    from redis import Redis as Client

    async with joined(redis) as one:
        a = budgets(one)
        purse = await reserved(a, 0.1, KEY, TEAM)
        assert purse is not None
        purse.settle(0.1)
        assert await reserved(a, 0.1) is not None
        await until(lambda: _is(a, 0.1, 0.1), "the bill")
        client = Client.from_url(redis.url)
        keys = client.keys("*")
        assert len(keys) >= 4
        assert [key for key in keys if client.ttl(key) < 0] == []
        client.close()
