"""Budgets at work: what a request may cost is set aside before it, and its bill is settled after.

A hard budget has room for a request as long as what is spent, what is set aside for requests under
way, and what this one is expected to cost, come to no more than the budget. So it is overspent at
most by what requests under way cost beyond what was expected of them.

What was spent before this process began is asked for once for each budget and period, when the
first request of it comes (`Spent`); from then on the `Books` count.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from tierwise.budget import Budget, Scope, began_at, renews_at, written
from tierwise.errors import AccountsAway, BudgetExceeded

log = logging.getLogger("tierwise.budgets")

LEASE_S = 900.0
"""For how long something is set aside if nobody settles it: its process has crashed."""
SOON_S = 3600.0
"""A budget that is whole again within this time is worth another try, in seconds."""
LEAST_USD = 1e-9
"""What is set aside for a request whose cost nobody knows before: there is room for it until a
budget is used up, and no unit of money is smaller in any books."""
_MOST_SAID = 10_000


class Account(Struct, frozen=True):
    """A budget in one of its periods, which began at a Unix time in seconds."""

    budget: Budget
    began_at: float

    @property
    def name(self) -> str:
        """What books call it."""
        return f"{self.budget.id}@{self.began_at:.0f}"


class Balance(Struct, frozen=True):
    """What an account has spent, and what is set aside for requests under way, in USD."""

    spent_usd: float = 0.0
    set_aside_usd: float = 0.0

    @property
    def taken_usd(self) -> float:
        """Both together."""
        return self.spent_usd + self.set_aside_usd


class Reserved(Struct, frozen=True):
    """How setting something aside went: `balances` of all accounts, as they were before it.

    `full` are the places of those that have no room, `unopened` of those that the books do not know
    yet. Nothing was set aside unless both are empty.
    """

    balances: tuple[Balance, ...]
    full: tuple[int, ...] = ()
    unopened: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        """Whether it is set aside."""
        return not (self.full or self.unopened)


class Books(Protocol):
    """Where balances are kept. Each call is atomic, among all who share the books."""

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none.

        Args:
            lease: a name of its own, for `settle`.
            until: when it is free again if nobody settles it, as Unix time in seconds.
        """

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before; one that is known stays as it is."""

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside, if that is still so, and books what was spent instead."""

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""


class Spent(Protocol):
    """What the ledger knows of spending. May block; is called in a thread.

    Raises `AccountsAway` where that cannot be looked up.
    """

    def __call__(self, scope: Scope, owner: str, since: float) -> float:
        """What an owner has spent since a Unix time, in USD."""


class Budgets:
    """The budgets of all callers.

    Args:
        spent: what was spent before; None where nobody knows.
        now: Unix time in seconds.
    """

    def __init__(
        self,
        books: Books,
        spent: Spent | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.books = books
        self._spent = spent
        self.now = now
        self._process = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._said: set[str] = set()

    def purse(self, budgets: Sequence[Budget], lease_s: float = LEASE_S) -> Purse | None:
        """What one request is paid from; None where no budget bounds it.

        Args:
            lease_s: how long the request may take, in seconds.
        """
        return Purse(self, budgets, lease_s) if budgets else None

    async def balances(self, budgets: Sequence[Budget]) -> tuple[Balance, ...]:
        """What is spent and set aside of each in its present period."""
        accounts = self.accounts(budgets)
        found = await self.books.balances(accounts)
        if None in found:
            for account, balance in zip(accounts, found, strict=True):
                if balance is None:
                    await self.open(account)
            found = await self.books.balances(accounts)
        return tuple(balance or Balance() for balance in found)

    def accounts(self, budgets: Sequence[Budget]) -> tuple[Account, ...]:
        """The budgets in their present periods."""
        now = self.now()
        return tuple(Account(one, began_at(one.period, now)) for one in budgets)

    async def open(self, account: Account) -> None:
        """Tells the books of an account that they do not know.

        Raises:
            AccountsAway: what was spent is to be looked up, and cannot be.
        """
        budget = account.budget
        before = 0.0
        if self._spent is not None:
            try:
                before = await asyncio.to_thread(
                    self._spent, budget.scope, budget.owner, account.began_at
                )
            except AccountsAway:
                if budget.hard_usd is not None and not await self._was_counted(account):
                    raise
                log.error("what was spent of %s (%s) is not known", budget.words, budget.id)
        await self.books.open(account, before)

    async def _was_counted(self, account: Account) -> bool:
        """Whether the books counted until this period began, and so know all that is spent."""
        budget = account.budget
        if account.began_at <= 0:
            return False
        before = Account(budget, began_at(budget.period, account.began_at - 1))
        return (await self.books.balances([before]))[0] is not None

    async def reserve(
        self, accounts: Sequence[Account], usd: float | None, lease_s: float
    ) -> tuple[str, tuple[str, ...]]:
        """Sets an amount aside; gives the lease's name, and a warning for each soft budget passed.

        Args:
            usd: None where nobody knows; then only a budget that is used up has no room.

        Raises:
            BudgetExceeded: a hard budget has no room for it.
        """
        known, usd = usd is not None, LEAST_USD if usd is None else usd
        lease = f"{self._process}.{next(self._numbers)}"
        until = self.now() + lease_s
        done = await self.books.reserve(lease, accounts, usd, until)
        while done.unopened:
            for place in done.unopened:
                await self.open(accounts[place])
            done = await self.books.reserve(lease, accounts, usd, until)
        if done.full:
            place = done.full[0]
            expected = f"this request is expected to cost {usd:.6g}"
            asks = expected if known else "what this request will cost is not known"
            raise self._exceeded(accounts[place], done.balances[place], asks)
        warnings = [
            self._warning(account, balance.taken_usd + usd)
            for account, balance in zip(accounts, done.balances, strict=True)
            if account.budget.soft_usd is not None
            and balance.taken_usd + usd > account.budget.soft_usd
        ]
        return lease, tuple(warnings)

    def _warning(self, account: Account, taken: float) -> str:
        budget = account.budget
        text = f"{budget.words} ({budget.id}): {taken:.6g} of {budget.soft_usd:.6g} USD"
        if account.name not in self._said:
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said.add(account.name)
            log.warning("a soft limit is passed: %s", text)
        return text

    def _exceeded(self, account: Account, balance: Balance, asks: str) -> BudgetExceeded:
        budget, now = account.budget, self.now()
        renews = renews_at(budget.period, now)
        when = f"It renews at {written(renews)}." if renews is not None else "It does not renew."
        aside = f" and {balance.set_aside_usd:.6g} set aside" if balance.set_aside_usd else ""
        wait = renews - now if renews is not None and renews - now <= SOON_S else None
        return BudgetExceeded(
            f"The {budget.words} ({budget.id}) is {budget.hard_usd:.6g} USD, of which "
            f"{balance.spent_usd:.6g} are spent{aside}; {asks}. {when} Ask whoever keeps the "
            "budget, or for a cheaper model.",
            retry_after=wait,
        )


class Purse:
    """What one request is paid from. `warnings` are of soft budgets that it has passed."""

    __slots__ = ("_accounts", "_budgets", "_lease", "_lease_s", "warnings")

    def __init__(self, budgets: Budgets, of: Sequence[Budget], lease_s: float) -> None:
        self._budgets = budgets
        self._accounts = budgets.accounts(of)
        self._lease_s = lease_s
        self._lease: str | None = None
        self.warnings: tuple[str, ...] = ()

    async def reserve(self, usd: float | None) -> None:
        """Sets aside what a request is expected to cost; None where nobody knows.

        Raises:
            BudgetExceeded: a hard budget has no room for it.
        """
        self._lease, self.warnings = await self._budgets.reserve(self._accounts, usd, self._lease_s)

    def settle(self, usd: float) -> None:
        """The request is over and has cost so much. Said again, the first counts."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._budgets.books.settle(lease, self._accounts, usd)
