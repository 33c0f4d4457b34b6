"""The books of one replica while Redis is away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from tierwise.state.books import InProcess
from tierwise.state.budgets import Account, Balance, Reserved


class Alone:
    """As `state.budgets.Books`. What the others may spend of an account counts as spent here, and
    is left out of what is said.

    Args:
        known: balances, by account, as they were last.
        held: what was set aside here before: by lease its accounts and the amount in USD, which is
            part of what is known.
        members: how many replicas there are.
        now: Unix time in seconds.
    """

    def __init__(
        self,
        known: Mapping[str, Balance],
        held: Mapping[str, tuple[Sequence[Account], float]],
        members: int,
        now: Callable[[], float],
    ) -> None:
        self._known = dict(known)
        self._held = {lease: usd for lease, (_, usd) in held.items()}
        self._own: defaultdict[str, float] = defaultdict(float)
        for accounts, usd in held.values():
            for account in accounts:
                self._own[account.name] += usd
        self._members = max(1, members)
        self._books = InProcess(now)
        self._others: dict[str, float] = {}

    def part_of(self, account: Account) -> float | None:
        """What each of the others may spend of an account by itself, in USD: its part of what was
        left, and what it had set aside. None if nothing is known of the account."""
        hard, balance = account.budget.hard_usd, self._known.get(account.name)
        if hard is None or balance is None:
            return None
        left = max(0.0, hard - balance.taken_usd)
        others = max(0.0, balance.set_aside_usd - self._own[account.name])
        return left / self._members + others / max(1, self._members - 1)

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none."""
        for account in accounts:
            balance = self._known.get(account.name)
            if balance is not None:
                await self.open(account, balance.taken_usd)
        reserved = await self._books.reserve(lease, accounts, usd, until)
        said = zip(accounts, reserved.balances, strict=True)
        balances = tuple(self._said(account, balance) for account, balance in said)
        return Reserved(balances, reserved.full, reserved.unopened)

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before."""
        if account.name in self._others:
            return
        self._known.setdefault(account.name, Balance(spent_usd))
        hard = account.budget.hard_usd
        left = 0.0 if hard is None else max(0.0, hard - spent_usd)
        others = self._others[account.name] = left * (1.0 - 1.0 / self._members)
        await self._books.open(account, spent_usd + others)

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside and books what was spent instead."""
        self._books.settle(lease, accounts, usd - self._held.pop(lease, 0.0))

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""
        found = await self._books.balances(accounts)
        return tuple(
            self._known.get(account.name) if one is None else self._said(account, one)
            for account, one in zip(accounts, found, strict=True)
        )

    def _said(self, account: Account, balance: Balance) -> Balance:
        others = self._others.get(account.name, 0.0)
        return Balance(max(0.0, balance.spent_usd - others), balance.set_aside_usd)
