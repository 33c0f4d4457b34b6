"""What Redis forgets is put together again, whoever comes back first, and nobody overspends."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis import Redis

from replicated import RedisServer, joined, until
from tierwise.budget import Budget
from tierwise.errors import BudgetExceeded
from tierwise.state.budgets import Budgets, Purse
from tierwise.state.shared import books as shared_books
from tierwise.state.shared import circle
from tierwise.state.shared import replicas as shared_replicas
from tierwise.state.shared.replicas import Replicas

KEY = Budget(id="b1", org="o", scope="key", owner="k1", period="total", hard_usd=1.0)


class Ledger:
    """What was spent, as far as it is written. It is behind if `writes` is false."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes
        self.usd = 0.0

    def __call__(self, *_: object) -> float:
        return self.usd

    def write(self, usd: float) -> None:
        if self._writes:
            self.usd += usd


class Payer:
    """One replica, as far as budgets are concerned. `usd` is all that was spent at it."""

    def __init__(self, replicas: Replicas, ledger: Ledger) -> None:
        self.replicas = replicas
        self._ledger = ledger
        self._budgets = Budgets(replicas.books, ledger)
        self._connect = replicas.link._connect
        self._found = asyncio.Event()
        self._found.set()
        self.usd = 0.0

    async def begin(self, usd: float) -> Purse | None:
        purse = self._budgets.purse([KEY])
        assert purse is not None
        try:
            await purse.reserve(usd)
        except BudgetExceeded:
            return None
        return purse

    def end(self, purse: Purse, usd: float) -> None:
        purse.settle(usd)
        self._ledger.write(usd)
        self.usd += usd

    async def pay(self, usd: float) -> bool:
        purse = await self.begin(usd)
        if purse is not None:
            self.end(purse, usd)
        return purse is not None

    async def balance(self) -> tuple[float, float]:
        (balance,) = await self._budgets.balances([KEY])
        return balance.spent_usd, balance.set_aside_usd

    async def says(self, usd: float) -> bool:
        """Whether that is spent, and nothing is set aside."""
        return await self.balance() == (pytest.approx(usd), pytest.approx(0.0))

    @property
    def up(self) -> bool:
        return self.replicas.link.up

    def keep_away(self) -> None:
        """It does not find Redis again before `let_back`."""
        self._found.clear()

        async def connect() -> bool:
            return self._found.is_set() and await self._connect()

        self.replicas.link._connect = connect  # type: ignore[method-assign]

    def let_back(self) -> None:
        self._found.set()

    def lose(self) -> None:
        """It loses Redis, which others have as before."""
        self.keep_away()
        self.replicas.link._lose("the network")


@asynccontextmanager
async def payers(redis: RedisServer, ledger: Ledger, number: int) -> AsyncIterator[list[Payer]]:
    async with AsyncExitStack() as stack:
        found = [
            Payer(await stack.enter_async_context(joined(redis)), ledger) for _ in range(number)
        ]
        await until(lambda: all(p.replicas.members == number for p in found), "all replicas")
        yield found


async def lost(server: RedisServer, all_of_them: list[Payer]) -> None:
    server.kill()
    await until(lambda: not any(one.up for one in all_of_them), "the loss")


async def one_returns(server: RedisServer, first: Payer, other: Payer) -> None:
    """Redis is there again, and one finds it before the other does."""
    other.keep_away()
    server.start()
    await until(lambda: first.up, "the return of one")


async def all_look(all_of_them: list[Payer]) -> None:
    """Each hears what the others have spent."""
    for one in all_of_them:
        await one.replicas.books.look()


async def all_say(all_of_them: list[Payer], usd: float) -> None:
    for one in all_of_them:
        await until(lambda one=one: one.says(usd), f"{usd} to be spent")


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_what_was_spent_is_known_to_the_cent_in_whatever_order_replicas_come_back(
    redis: RedisServer, order: tuple[int, ...], writes: bool
) -> None:
    draw = random.Random(str(order))
    async with payers(redis, Ledger(writes=writes), 3) as three:

        async def pay() -> None:
            await draw.choice(three).pay(draw.choice((0.01, 0.02, 0.03)))

        for _ in range(6):
            await pay()
        under_way = [await one.begin(0.02) for one in three]
        await lost(redis, three)
        for _ in range(6):
            await pay()
        for one in three:
            one.keep_away()
        redis.start()
        for number in order:
            three[number].let_back()
            await until(lambda n=number: three[n].up, "the return")
            for _ in range(4):
                await pay()
            purse = under_way[number]
            assert purse is not None
            three[number].end(purse, 0.015)
        await all_say(three, sum(one.usd for one in three))


async def test_bills_that_nobody_had_heard_of_when_redis_was_lost_are_not_forgotten(
    redis: RedisServer,
) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await a.pay(0.2)
        await until(lambda: a.says(0.2), "the bill")
        await lost(redis, [a, b])
        redis.start()
        await until(lambda: a.up and b.up, "the return")
        await all_say([a, b], 0.2)


async def test_the_part_of_one_that_is_yet_to_come_back_is_kept_however_long_it_takes(
    redis: RedisServer,
) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await a.pay(0.2)
        await all_look([a, b])
        await lost(redis, [a, b])
        await one_returns(redis, a, b)
        # 0.8 USD are left, a half for each; more than the time in which others look is over.
        assert [await a.pay(0.2) for _ in range(3)] == [True, True, False]
        await asyncio.sleep(4.0)
        assert not await a.pay(0.2)
        assert [await b.pay(0.2) for _ in range(3)] == [True, True, False]
        b.let_back()
        await until(lambda: b.up, "the other one")
        await all_say([a, b], 1.0)


async def test_what_one_left_of_its_part_is_everybody_s_when_it_is_back(
    redis: RedisServer,
) -> None:
    async with payers(redis, Ledger(writes=True), 2) as (a, b):
        assert await a.pay(0.2)
        await all_look([a, b])
        await lost(redis, [a, b])
        await one_returns(redis, a, b)
        assert not await a.pay(0.7)
        b.let_back()
        await until(lambda: a.pay(0.7), "the other one's part")
        await all_say([a, b], 0.9)


async def test_the_part_of_one_that_is_back_is_not_kept_beside_its_bills(
    redis: RedisServer,
) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await a.pay(0.2)
        await all_look([a, b])
        await lost(redis, [a, b])
        assert await b.pay(0.3)
        await one_returns(redis, a, b)
        b.let_back()
        await until(lambda: a.says(0.5), "the other one's bill")
        assert await a.pay(0.5)


async def test_one_that_alone_loses_redis_is_left_its_part(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circle, "MEMBER_S", 2.0)
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await b.pay(0.2)
        await b.replicas.books.look()
        b.lose()
        await until(lambda: a.replicas.books._circle.missing, "it to be missed")
        assert [await a.pay(0.2) for _ in range(3)] == [True, True, False]
        assert [await b.pay(0.2) for _ in range(3)] == [True, True, False]
        b.let_back()
        await until(lambda: b.up, "the return")
        await all_say([a, b], 1.0)


async def test_a_killed_one_s_part_is_everybody_s_after_a_while(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circle, "MEMBER_S", 2.0)
    monkeypatch.setattr(circle, "MISSED_S", 3.0)
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await b.pay(0.2)
        await a.replicas.books.look()
        b.lose()
        await until(lambda: a.replicas.books._circle.missing, "it to be missed")
        assert not await a.pay(0.8)
        await until(lambda: a.pay(0.8), "its part")


async def test_one_that_ends_is_not_missed(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circle, "MEMBER_S", 2.0)
    async with payers(redis, Ledger(writes=False), 1) as (a,):
        async with joined(redis) as other:
            await until(lambda: a.replicas.members == 2, "the other one")
            assert await Payer(other, Ledger(writes=False)).pay(0.2)
        await until(lambda: a.replicas.members == 1, "its end")
        await asyncio.sleep(2.5)
        assert not a.replicas.books._circle.missing
        assert await a.pay(0.8)


async def test_redis_that_is_emptied_while_all_are_connected_is_told_again(
    redis: RedisServer,
) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await a.pay(0.2)
        assert await b.pay(0.3)
        await a.replicas.books.look()
        with Redis.from_url(redis.url) as client:
            client.flushdb()
        assert await b.pay(0.1)
        assert await a.pay(0.1)
        await all_say([a, b], 0.7)


async def test_who_has_not_used_a_budget_for_a_while_asks_the_ledger_when_redis_is_lost(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_books, "_OF_LATE_S", 0.0)
    monkeypatch.setattr(shared_books, "_FRESH_S", 0.0)
    async with payers(redis, Ledger(writes=True), 2) as (a, b):
        assert await b.pay(0.1)
        assert await a.pay(0.7)
        await lost(redis, [a, b])
        # 0.2 USD are left, a half for each.
        assert [await b.pay(0.1) for _ in range(2)] == [True, False]


async def test_what_only_the_ledger_knows_counts_too(redis: RedisServer) -> None:
    ledger = Ledger(writes=True)
    async with payers(redis, ledger, 1) as (a,):
        assert await a.pay(0.2)
        await a.replicas.books.look()
        ledger.usd += 0.3  # of one that was killed together with Redis
        await lost(redis, [a])
        redis.start()
        await until(lambda: a.up, "the return")
        assert not await a.pay(0.6)
        assert await a.pay(0.5)
        await all_say([a], 1.0)


async def test_what_was_spent_since_the_last_look_is_overspent_by_the_others_part_of_it_at_most(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await b.pay(0.1)
        monkeypatch.setattr(shared_replicas, "_PRESENT_EVERY", 1_000_000)
        await asyncio.sleep(2 * shared_replicas.ROUND_S)
        assert await a.pay(0.4)
        await lost(redis, [a, b])
        while any([await a.pay(0.01), await b.pay(0.01)]):
            pass
        # b took 0.9 USD to be left, and a 0.5.
        total = a.usd + b.usd
        assert 1.1 < total < 0.5 + 0.45 + 0.25 + 0.001
        redis.start()
        await until(lambda: a.up and b.up, "the return")
        await all_say([a, b], total)
        assert not await a.pay(0.01)


async def test_before_one_is_missed_its_part_is_overspent_at_most(redis: RedisServer) -> None:
    async with payers(redis, Ledger(writes=False), 2) as (a, b):
        assert await b.pay(0.2)
        await b.replicas.books.look()
        b.lose()
        while any([await a.pay(0.1), await b.pay(0.1)]):
            pass
        assert a.usd + b.usd == pytest.approx(1.0 + 0.8 / 2)
        b.let_back()
        await until(lambda: b.up, "the return")
        await all_say([a, b], 1.4)
        assert not await a.pay(0.01)
