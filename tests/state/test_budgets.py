"""Budgets: what is set aside, what is spent, and that a hard one holds."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.budget import Budget, Period, began_at, renews_at
from tierwise.errors import AccountsAway, BudgetExceeded, StateUnavailable
from tierwise.state.books import InFolder, InProcess
from tierwise.state.budgets import Balance, Books, Budgets

NOW = datetime(2026, 11, 30, 22, 30, tzinfo=UTC).timestamp()
"""A Monday, the last day of a month, within the last hours of a day."""


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["in process", "in a folder"])
def books(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Books]:
    if request.param == "in process":
        yield InProcess(clock)
        return
    found = InFolder(tmp_path, clock)
    yield found
    found.close()


@pytest.fixture
def budgets(books: Books, clock: Clock) -> Budgets:
    return Budgets(books, now=clock)


def a_budget(**fields: Any) -> Budget:
    given: dict[str, Any] = {
        "id": "bud_1",
        "org": "default",
        "scope": "key",
        "owner": "key_1",
        "owner_name": "ci",
        "period": "month",
        **fields,
    }
    return Budget(**given)


async def spend(budgets: Budgets, budget: Budget, usd: float) -> None:
    purse = budgets.purse([budget])
    assert purse is not None
    await purse.reserve(usd)
    purse.settle(usd)


async def balance(budgets: Budgets, budget: Budget) -> Balance:
    (found,) = await budgets.balances([budget])
    return found


async def test_what_is_set_aside_is_spent_when_it_is_settled(budgets: Budgets) -> None:
    budget = a_budget(hard_usd=10)
    purse = budgets.purse([budget])
    assert purse is not None
    await purse.reserve(4)
    assert await balance(budgets, budget) == Balance(0, 4)
    purse.settle(3)
    assert await balance(budgets, budget) == Balance(3, 0)
    purse.settle(3)
    assert await balance(budgets, budget) == Balance(3, 0)


async def test_requests_under_way_count_before_they_are_settled(budgets: Budgets) -> None:
    budget = a_budget(hard_usd=10)
    first, second = budgets.purse([budget]), budgets.purse([budget])
    assert first is not None
    assert second is not None
    await first.reserve(6)
    with pytest.raises(BudgetExceeded):
        await second.reserve(5)
    first.settle(1)
    await second.reserve(5)
    assert await balance(budgets, budget) == Balance(1, 5)


async def test_one_that_has_no_room_leaves_nothing_set_aside_in_the_others(
    budgets: Budgets,
) -> None:
    wide, narrow = a_budget(hard_usd=10), a_budget(id="bud_2", scope="org", hard_usd=1)
    purse = budgets.purse([wide, narrow])
    assert purse is not None
    with pytest.raises(BudgetExceeded, match="bud_2"):
        await purse.reserve(2)
    purse.settle(2)
    assert await budgets.balances([wide, narrow]) == (Balance(), Balance())


async def test_what_costs_nothing_is_served_even_then(budgets: Budgets) -> None:
    budget = a_budget(hard_usd=1)
    await spend(budgets, budget, 1)
    await spend(budgets, budget, 0)
    with pytest.raises(BudgetExceeded):
        await spend(budgets, budget, 0.001)


async def test_what_costs_nobody_knows_what_is_served_until_nothing_is_left(
    budgets: Budgets,
) -> None:
    budget = a_budget(hard_usd=1)
    first, late, later = (budgets.purse([budget]) for _ in range(3))
    for purse in (first, late):
        assert purse is not None
        await purse.reserve(None)
    assert first is not None
    first.settle(1)
    assert later is not None
    with pytest.raises(BudgetExceeded, match="what this request will cost is not known"):
        await later.reserve(None)
    assert late is not None
    late.settle(0.5)
    assert await balance(budgets, budget) == Balance(1.5, 0)


async def test_the_refusal_says_what_is_spent_and_when_it_renews(budgets: Budgets) -> None:
    budget = a_budget(hard_usd=5)
    await spend(budgets, budget, 4.5)
    with pytest.raises(BudgetExceeded) as caught:
        await spend(budgets, budget, 0.75)
    message = str(caught.value)
    for said in ("monthly budget of key ci (bud_1)", "is 5 USD", "4.5 are spent", "0.75"):
        assert said in message
    assert "2026-12-01T00:00:00Z" in message
    assert caught.value.retry_after is None


async def test_a_budget_that_renews_soon_says_so(budgets: Budgets, clock: Clock) -> None:
    clock.now = NOW + 3600
    budget = a_budget(period="day", hard_usd=0)
    with pytest.raises(BudgetExceeded) as caught:
        await spend(budgets, budget, 1)
    assert caught.value.retry_after == 1800


async def test_a_new_period_begins_with_nothing_spent(budgets: Budgets, clock: Clock) -> None:
    budget = a_budget(period="day", hard_usd=1)
    await spend(budgets, budget, 1)
    clock.now += 2 * 3600
    await spend(budgets, budget, 1)
    assert await balance(budgets, budget) == Balance(1, 0)


async def test_what_was_begun_in_a_period_is_spent_in_it(budgets: Budgets, clock: Clock) -> None:
    budget = a_budget(period="day", hard_usd=1)
    purse = budgets.purse([budget])
    assert purse is not None
    await purse.reserve(1)
    clock.now += 2 * 3600
    purse.settle(1)
    assert await balance(budgets, budget) == Balance(0, 0)


async def test_a_soft_budget_warns_in_every_answer_and_once_in_the_log(
    budgets: Budgets, caplog: pytest.LogCaptureFixture
) -> None:
    budget = a_budget(soft_usd=1)
    await spend(budgets, budget, 1)
    for _ in range(3):
        purse = budgets.purse([budget])
        assert purse is not None
        with caplog.at_level(logging.WARNING):
            await purse.reserve(0.5)
        (warning,) = purse.warnings
        assert "bud_1" in warning
        purse.settle(0.5)
    assert len([one for one in caplog.records if "soft limit" in one.message]) == 1


async def test_what_the_ledger_knows_is_counted_from_the_start(books: Books, clock: Clock) -> None:
    asked: list[tuple[str, str, float]] = []

    def spent(scope: str, owner: str, since: float) -> float:
        asked.append((scope, owner, since))
        return 9.0

    budgets = Budgets(books, spent, now=clock)
    budget = a_budget(hard_usd=10)
    await spend(budgets, budget, 1)
    with pytest.raises(BudgetExceeded):
        await spend(budgets, budget, 1)
    assert asked == [("key", "key_1", datetime(2026, 11, 1, tzinfo=UTC).timestamp())]


async def test_where_the_ledger_is_away_a_hard_budget_is_not_guessed(
    books: Books, clock: Clock
) -> None:
    def spent(scope: str, owner: str, since: float) -> float:
        if away:
            raise AccountsAway("away")
        return 0.0

    away = True
    budgets = Budgets(books, spent, now=clock)
    with pytest.raises(AccountsAway):
        await spend(budgets, a_budget(hard_usd=10), 1)
    await spend(budgets, a_budget(id="bud_2", soft_usd=10), 1)
    away = False
    counted = a_budget(period="day", hard_usd=10)
    await spend(budgets, counted, 1)
    away = True
    clock.now += 86_400  # counted through midnight, nothing is unknown
    await spend(budgets, counted, 1)


async def test_what_a_request_that_never_ends_has_set_aside_is_free_again(
    budgets: Budgets, clock: Clock
) -> None:
    budget = a_budget(hard_usd=1)
    purse = budgets.purse([budget], lease_s=60)
    assert purse is not None
    await purse.reserve(1)
    with pytest.raises(BudgetExceeded):
        await spend(budgets, budget, 1)
    clock.now += 61
    await spend(budgets, budget, 1)
    purse.settle(1)  # it ended after all, and is spent though nothing was set aside any more
    assert await balance(budgets, budget) == Balance(2, 0)


async def test_what_a_worker_that_is_gone_had_set_aside_is_free_again(
    tmp_path: Path, clock: Clock
) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from tierwise.state.books import InFolder\n"
        "from tierwise.state.budgets import Budgets\n"
        "from tierwise.budget import Budget\n"
        f"now = {NOW}\n"
        "budgets = Budgets(InFolder(pathlib.Path(sys.argv[1]), lambda: now), now=lambda: now)\n"
        "budget = Budget(id='bud_1', org='default', scope='key', owner='key_1', period='month',"
        " hard_usd=1)\n"
        "asyncio.run(budgets.purse([budget]).reserve(1))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=30)
    books = InFolder(tmp_path, clock)
    budgets, budget = Budgets(books, now=clock), a_budget(hard_usd=1)
    assert await balance(budgets, budget) == Balance(0, 1)
    await spend(budgets, budget, 1)
    assert await balance(budgets, budget) == Balance(1, 0)
    books.close()


async def test_a_bill_that_cannot_be_written_is_written_with_the_next_one_that_can(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is there and its record is not written yet: a full disk must not get between."""
    books = InFolder(tmp_path, clock)
    budgets, budget = Budgets(books, now=clock), a_budget(hard_usd=9)
    first, second = budgets.purse([budget]), budgets.purse([budget])
    assert first is not None
    assert second is not None
    await first.reserve(1)
    await second.reserve(1)
    with closing(sqlite3.connect(tmp_path / "budgets.db", isolation_level=None)) as other:
        books._connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        first.settle(2)
        second.settle(3)
        with pytest.raises(StateUnavailable, match="is not known: database is locked"):
            await spend(budgets, budget, 1)
        with pytest.raises(StateUnavailable):
            await spend(budgets, a_budget(id="bud_2"), 1)
        assert await balance(budgets, budget) == Balance(0, 2)
        other.execute("ROLLBACK")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await spend(budgets, budget, 1)
    assert await balance(budgets, budget) == Balance(6, 0)
    books.close()


Costs = list[tuple[float, float]]


async def overspend(make: Callable[[], list[Budgets]], costs: Costs, hard: float) -> None:
    """Many requests at a time, each expected to cost one thing and costing another."""
    crew = make()
    budget = a_budget(hard_usd=hard)
    spent, beyond = 0.0, 0.0
    open_ = 0

    async def request(number: int, expected: float, cost: float) -> None:
        nonlocal spent, beyond, open_
        purse = crew[number % len(crew)].purse([budget])
        assert purse is not None
        try:
            await purse.reserve(expected)
        except BudgetExceeded:
            return
        for _ in range(number % 4):
            await asyncio.sleep(0)
        purse.settle(cost)
        spent += cost
        beyond += max(0.0, cost - expected)

    await asyncio.gather(*(request(n, *one) for n, one in enumerate(costs)))
    assert spent <= hard + beyond + 1e-6
    (left,) = await crew[0].balances([budget])
    assert left.spent_usd == pytest.approx(spent)
    assert left.set_aside_usd == pytest.approx(0, abs=1e-9)


amounts = st.floats(0, 3, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(amounts, amounts), max_size=40), st.floats(0, 10))
def test_a_hard_budget_is_overspent_by_no_more_than_requests_cost_beyond_what_was_expected(
    costs: Costs, hard: float
) -> None:
    asyncio.run(overspend(lambda: [Budgets(InProcess())], costs, hard))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(amounts, amounts), max_size=25), st.floats(0, 10))
def test_the_same_holds_for_several_workers(
    tmp_path_factory: pytest.TempPathFactory, costs: Costs, hard: float
) -> None:
    folder = tmp_path_factory.mktemp("books")
    asyncio.run(overspend(lambda: [Budgets(InFolder(folder)) for _ in range(3)], costs, hard))


@pytest.mark.process
def test_workers_in_processes_of_their_own_keep_to_one_budget(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from tierwise.budget import Budget\n"
        "from tierwise.errors import BudgetExceeded\n"
        "from tierwise.state.books import InFolder\n"
        "from tierwise.state.budgets import Budgets\n"
        "budgets = Budgets(InFolder(pathlib.Path(sys.argv[1])))\n"
        "budget = Budget(id='b', org='o', scope='key', owner='k', period='total', hard_usd=1)\n"
        "async def work():\n"
        "    done = 0\n"
        "    for _ in range(200):\n"
        "        purse = budgets.purse([budget])\n"
        "        try:\n"
        "            await purse.reserve(0.01)\n"
        "        except BudgetExceeded:\n"
        "            continue\n"
        "        purse.settle(0.01)\n"
        "        done += 1\n"
        "    print(done)\n"
        "asyncio.run(work())\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    done = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert 99 <= sum(done) <= 100


@pytest.mark.parametrize(
    ("period", "began", "renews"),
    [
        ("day", datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("week", datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 7, tzinfo=UTC)),
        ("month", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_periods_are_those_of_the_calendar(
    period: Period, began: datetime, renews: datetime
) -> None:
    assert began_at(period, NOW) == began.timestamp()
    assert renews_at(period, NOW) == renews.timestamp()


@given(st.floats(0, 4e9), st.sampled_from(["day", "week", "month"]))
def test_every_moment_lies_in_the_period_that_it_is_said_to(now: float, period: Period) -> None:
    renews = renews_at(period, now)
    assert renews is not None
    assert began_at(period, now) <= now < renews
    assert began_at(period, renews) == renews


def test_december_is_followed_by_january() -> None:
    late = datetime(2026, 12, 31, 23, tzinfo=UTC).timestamp()
    assert renews_at("month", late) == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert renews_at("total", late) is None
    assert began_at("total", late) == 0
