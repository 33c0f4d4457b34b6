"""What budgets have spent, counted for all replicas in Redis.

While Redis is away each replica may spend its part of what was left when it was last there, so that
all together keep within their budgets. What is settled meanwhile is told when Redis is back, each
bill once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from tierwise.state.books import InProcess
from tierwise.state.budgets import Account, Balance, Reserved
from tierwise.state.shared.connection import MOST_PAUSE_S, Link, Lost
from tierwise.state.shared.scripts import (
    BALANCES,
    HOLD,
    KNOWN,
    NANOS,
    OPEN,
    RESERVE,
    SETTLE,
)

LEASE_S = 60.0
"""What is set aside is free again if its replica has not been heard of for so long."""
KEPT_S = 2 * 86_400
"""An account that nobody has used for so long is counted anew from the ledger."""
_DONE_S = 3600
"""A bill that comes again within this time is known."""
_OLD_S = LEASE_S / 3
_OF_LATE_S = 60.0
_MOST_KNOWN = 10_000


def grace_s(timeout_s: float) -> float:
    """For how many seconds after Redis is back each replica still keeps to its own part of a
    budget, beside what Redis says: until then others may be yet to find it and to tell their bills.

    Only after that an account that Redis has forgotten is read in the ledger, which has those bills
    too.
    """
    return MOST_PAUSE_S + 4 * timeout_s  # one look that hangs, a pause, and one that does not


class _Lease(Struct):
    """What this replica has set aside for one request: 1e-9 USD, until a Unix time in seconds;
    `told_at` is when Redis heard of it last."""

    accounts: tuple[Account, ...]
    nanos: int
    until: float
    told_at: float


class SharedBooks:
    """As `state.budgets.Books`.

    Args:
        members: how many replicas there are.
        now: Unix time in seconds.
    """

    def __init__(
        self, link: Link, members: Callable[[], int], now: Callable[[], float] = time.time
    ) -> None:
        self._link = link
        self._members = members
        self._now = now
        self._leases: dict[str, _Lease] = {}
        self._known: dict[str, Balance] = {}
        self._used: dict[str, tuple[Account, float]] = {}
        self._alone: _Alone | None = None
        self._grace_until = 0.0

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none."""
        now, nanos = self._now(), math.ceil(usd * NANOS)
        for account in accounts:
            self._used[account.name] = account, now
        own = None
        if now < self._grace_until:
            own = await self._by_oneself().reserve(lease, accounts, usd, until)
            if not own.done:
                return own
        try:
            reserved = await self._in_redis(lease, accounts, nanos, until)
            told = True
        except Lost:
            reserved = own or await self._by_oneself().reserve(lease, accounts, usd, until)
            told = False
        else:
            if own is not None and reserved.unopened:
                reserved, told = own, False
            elif own is not None and not reserved.done:
                self._by_oneself().settle(lease, accounts, 0.0)
        if reserved.done:
            self._leases[lease] = _Lease(tuple(accounts), nanos, until, now if told else 0.0)
            if not told and self._link.up:
                self._tell_lease(lease)
        return reserved

    async def _in_redis(
        self, lease: str, accounts: Sequence[Account], nanos: int, until: float
    ) -> Reserved:
        """Raises `Lost` if Redis is away."""
        hards = [account.budget.hard_usd for account in accounts]
        *found, done = await self._link.call(
            RESERVE,
            self._keys(accounts),
            [
                lease,
                nanos,
                min(LEASE_S, until - self._now()),
                KEPT_S,
                *("" if hard is None else math.floor(hard * NANOS) for hard in hards),
            ],
        )
        balances = _balances(found)
        # What is told is how it was before.
        self._learn(accounts, balances, nanos / NANOS if done else 0.0)
        return _reserved(accounts, balances, nanos, bool(done))

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before."""
        if self._now() < self._grace_until:
            await self._by_oneself().open(account, spent_usd)
            return
        try:
            nanos = round(spent_usd * NANOS)
            await self._link.call(OPEN, self._keys([account]), [nanos, KEPT_S])
        except Lost:
            await self._by_oneself().open(account, spent_usd)

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside and books what was spent instead."""
        self._leases.pop(lease, None)
        if self._alone is not None:
            self._alone.settle(lease, accounts, usd)
        self._link.tell(
            SETTLE,
            [self._link.key("settled", lease), *self._keys(accounts)],
            [lease, round(usd * NANOS), _DONE_S],
            again=True,
        )

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""
        try:
            found = _balances(await self._link.call(BALANCES, self._keys(accounts), []))
        except Lost:
            return await self._by_oneself().balances(accounts)
        if None in found and self._now() < self._grace_until:
            return await self._by_oneself().balances(accounts)
        self._learn(accounts, found)
        return found

    async def look(self) -> None:
        """Learns what other replicas have spent from accounts that were used here of late, so that
        it is known when Redis is lost.

        Raises:
            Lost: Redis is away.
        """
        now = self._now()
        if now >= self._grace_until:
            self._alone = None
        since = now - _OF_LATE_S
        late = [account for account, at in self._used.values() if at >= since]
        self._used = {account.name: self._used[account.name] for account in late}
        if late:
            self._learn(late, _balances(await self._link.call(BALANCES, self._keys(late), [])))

    def renew(self) -> None:
        """Says what is still set aside."""
        self._tell_leases(_OLD_S)

    def back(self) -> None:
        """Redis is there, or there again. If it has forgotten what it knew, it is told."""
        if self._known:
            self._grace_until = self._now() + grace_s(self._link.config.timeout_s)
        for name, balance in self._known.items():
            spent = round(balance.spent_usd * NANOS)
            self._link.tell(KNOWN, [self._link.key("budget", name)], [spent, KEPT_S], again=True)
        self._tell_leases(0.0)

    def _tell_leases(self, older_s: float) -> None:
        now = self._now()
        for name, lease in list(self._leases.items()):
            if lease.until <= now:
                del self._leases[name]
            elif now - lease.told_at >= older_s:
                self._tell_lease(name)

    def _tell_lease(self, name: str) -> None:
        lease, now = self._leases[name], self._now()
        lease.told_at = now
        seconds = min(LEASE_S, lease.until - now)
        keys = self._keys(lease.accounts)
        self._link.tell(HOLD, keys, [name, lease.nanos, seconds, KEPT_S], again=True)

    def _by_oneself(self) -> _Alone:
        if self._alone is None:
            held = {name: lease.nanos / NANOS for name, lease in self._leases.items()}
            self._alone = _Alone(self._known, held, max(1, self._members()), self._now)
        return self._alone

    def _learn(
        self, accounts: Sequence[Account], found: Sequence[Balance | None], more_usd: float = 0.0
    ) -> None:
        """Keeps balances; `more_usd` has been set aside since."""
        for account, balance in zip(accounts, found, strict=True):
            if balance is not None:
                self._known.pop(account.name, None)
                aside = balance.set_aside_usd + more_usd
                self._known[account.name] = Balance(balance.spent_usd, aside)
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _keys(self, accounts: Sequence[Account]) -> list[str]:
        return [self._link.key("budget", account.name) for account in accounts]


class _Alone:
    """The books of one replica while Redis is away.

    What the others may spend of an account counts as spent here, and is left out of what is said.

    Args:
        held: what was set aside here before, in USD by lease: it is part of what is known.
    """

    def __init__(
        self,
        known: dict[str, Balance],
        held: dict[str, float],
        members: int,
        now: Callable[[], float],
    ) -> None:
        self._known = dict(known)
        self._held = held
        self._members = members
        self._books = InProcess(now)
        self._others: dict[str, float] = {}

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        for account in accounts:
            balance = self._known.get(account.name)
            if balance is not None:
                await self.open(account, balance.taken_usd)
        reserved = await self._books.reserve(lease, accounts, usd, until)
        said = zip(accounts, reserved.balances, strict=True)
        balances = tuple(self._said(account, balance) for account, balance in said)
        return Reserved(balances, reserved.full, reserved.unopened)

    async def open(self, account: Account, spent_usd: float) -> None:
        if account.name in self._others:
            return
        hard = account.budget.hard_usd
        left = 0.0 if hard is None else max(0.0, hard - spent_usd)
        others = self._others[account.name] = left * (1.0 - 1.0 / self._members)
        await self._books.open(account, spent_usd + others)

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        self._books.settle(lease, accounts, usd - self._held.pop(lease, 0.0))

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        found = await self._books.balances(accounts)
        return tuple(
            self._known.get(account.name) if one is None else self._said(account, one)
            for account, one in zip(accounts, found, strict=True)
        )

    def _said(self, account: Account, balance: Balance) -> Balance:
        others = self._others.get(account.name, 0.0)
        return Balance(max(0.0, balance.spent_usd - others), balance.set_aside_usd)


def _balances(found: Sequence[bytes]) -> tuple[Balance | None, ...]:
    pairs = zip(found[::2], found[1::2], strict=True)
    return tuple(
        None if spent == b"" else Balance(int(spent) / NANOS, int(aside) / NANOS)
        for spent, aside in pairs
    )


def _reserved(
    accounts: Sequence[Account], balances: Sequence[Balance | None], nanos: int, done: bool
) -> Reserved:
    """How it went. Redis has decided, in whole numbers; here it is only said which had no room."""
    said = tuple(balance or Balance() for balance in balances)
    unopened = tuple(n for n, balance in enumerate(balances) if balance is None)
    if done or unopened:
        return Reserved(said, (), unopened)
    full = [
        n
        for n, (account, balance) in enumerate(zip(accounts, said, strict=True))
        if account.budget.hard_usd is not None
        and round(balance.taken_usd * NANOS) + nanos > math.floor(account.budget.hard_usd * NANOS)
    ]
    return Reserved(said, tuple(full))
