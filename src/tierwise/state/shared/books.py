"""What budgets have spent, counted for all replicas in Redis.

Each replica tells Redis what it has billed of an account since it began, and knows as much of the
others as it has heard. So what Redis forgets is put together again from what they tell, whoever
comes first, and nothing counts twice however often it is told (`money` says how).

While Redis is away each replica may spend its part of what was left when it was last there, so that
all together keep within their budgets. When it is back, the part of those that have not found it
yet is kept for them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from tierwise.budget import renews_at
from tierwise.state.budgets import Account, Balance, Reserved
from tierwise.state.shared.alone import Alone
from tierwise.state.shared.circle import MISSED_S, Circle
from tierwise.state.shared.connection import Argument, Link, Lost
from tierwise.state.shared.loads import MEMBER_S
from tierwise.state.shared.scripts import (
    BALANCES,
    BILL,
    HOLD,
    JOIN,
    NANOS,
    OPEN,
    RESERVE,
    STATES,
)

LEASE_S = 60.0
"""What is set aside is free again if its replica has not been heard of for so long."""
KEPT_S = 2 * 86_400
"""An account that nobody has used for so long is read in the ledger anew."""
_OLD_S = LEASE_S / 3
_OF_LATE_S = 60.0
_FRESH_S = 3.0
"""What was known for longer when Redis was lost, as of an account that is seldom used here, is not
relied on: the ledger is asked instead. All others are looked at every second."""
_MOST_KNOWN = 10_000


class _Lease(Struct):
    """What this replica has set aside for one request: 1e-9 USD, until a Unix time in seconds;
    `told_at` is when Redis heard of it last."""

    accounts: tuple[Account, ...]
    nanos: int
    until: float
    told_at: float


class _Known(Struct):
    """What is known here of an account: how it was last, at a Unix time, what Redis calls
    its base in 1e-9 USD, as it writes that, and what each replica had billed."""

    balance: Balance
    at: float
    base: bytes = b""
    billed: dict[bytes, bytes] = field(default_factory=dict)


class _Bills(Struct):
    """All that this replica has billed of an account, in 1e-9 USD."""

    account: Account
    nanos: int = 0


class SharedBooks:
    """As `state.budgets.Books`.

    Args:
        circle: the replicas.
        now: Unix time in seconds.
    """

    def __init__(self, link: Link, circle: Circle, now: Callable[[], float] = time.time) -> None:
        self._link = link
        self._circle = circle
        self._now = now
        self._leases: dict[str, _Lease] = {}
        self._known: dict[str, _Known] = {}
        self._bills: dict[str, _Bills] = {}
        self._most_bills = _MOST_KNOWN
        self._used: dict[str, tuple[Account, float]] = {}
        self._alone: Alone | None = None
        self._was_alone: Alone | None = None

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none."""
        now, nanos = self._now(), math.ceil(usd * NANOS)
        for account in accounts:
            self._used[account.name] = account, now
        told = True
        try:
            reserved = await self._in_redis(lease, accounts, nanos, until)
        except Lost:
            reserved = await self._by_oneself().reserve(lease, accounts, usd, until)
            told = False
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
                *self._parts(accounts),
            ],
        )
        balances = _balances(found)
        for account, balance, base in zip(accounts, balances, found[2::3], strict=True):
            if balance is None:
                continue
            known = self._known.get(account.name)
            if known is not None and known.base and int(known.base) < int(base):
                # It was forgotten and opened anew, perhaps by one who knows less of it.
                self._tell_state(account.name)
            # What is told is how it was before.
            self._learn(account, balance, base, nanos if done else 0)
        return _reserved(accounts, balances, nanos, bool(done))

    def _parts(self, accounts: Sequence[Account]) -> list[Any]:
        """What those that are missing may spend by themselves, for `RESERVE`."""
        missing = self._circle.missing
        if not missing:
            return []
        told: list[Any] = [int(MISSED_S), self._circle.everybody]
        alone = self._was_alone
        parts = [None if alone is None else alone.part_of(account) for account in accounts]
        for name in missing:
            told += [name, *("" if one is None else math.ceil(one * NANOS) for one in parts)]
        return told

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before."""
        self._tell_state(account.name)
        try:
            nanos = round(spent_usd * NANOS)
            await self._link.call(OPEN, self._keys([account]), [nanos, KEPT_S])
        except Lost:
            await self._by_oneself().open(account, spent_usd)
            if account.budget.hard_usd is not None:  # else it may be a guess
                base = b"%d" % round(spent_usd * NANOS)
                known = _Known(Balance(spent_usd), self._now(), base)
                self._known.setdefault(account.name, known)

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside and books what was spent instead."""
        held = self._leases.pop(lease, None)
        aside = held.nanos / NANOS if held is not None and held.told_at > 0 else 0.0
        told = []
        for account in accounts:
            bills = self._bills.setdefault(account.name, _Bills(account))
            bills.nanos += round(usd * NANOS)
            told.append(bills.nanos)
            known = self._known.get(account.name)
            if known is not None:
                was = known.balance
                left = max(0.0, was.set_aside_usd - aside)
                known.balance = Balance(was.spent_usd + usd, left)
        if self._alone is not None:
            self._alone.settle(lease, accounts, usd)
        name = self._circle.name
        self._link.tell(BILL, self._keys(accounts), [lease, name, KEPT_S, *told], again=True)

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""
        try:
            found = await self._link.call(BALANCES, self._keys(accounts), [])
        except Lost:
            return await self._by_oneself().balances(accounts)
        return _balances(found)

    async def look(self) -> None:
        """Learns what other replicas have spent from accounts that were used here of late, so that
        it is known when Redis is lost.

        Raises:
            Lost: Redis is away.
        """
        if not self._circle.missing:
            self._was_alone = None
        since = self._now() - _OF_LATE_S
        late = [account for account, at in self._used.values() if at >= since]
        self._used = {account.name: self._used[account.name] for account in late}
        if late:
            states = await self._link.call(STATES, self._keys(late), [])
            for account, (spent, aside, base, billed) in zip(late, states, strict=True):
                if spent != b"":
                    counts = dict(zip(billed[::2], billed[1::2], strict=True))
                    untold = self._untold(account.name, counts)
                    balance = Balance((int(spent) + untold) / NANOS, int(aside) / NANOS)
                    self._learn(account, balance, base)
                    self._known[account.name].billed = counts
        self._alone = None
        self._forget_bills()

    def renew(self) -> None:
        """Says what is still set aside."""
        self._tell_leases(_OLD_S)

    def back(self) -> None:
        """Redis is there, or there again. If it has forgotten what it knew, it is told."""
        self._was_alone, self._alone = self._alone or self._begun_alone(), None
        for name in self._known.keys() | self._bills.keys():
            self._tell_state(name)
        self._tell_leases(0.0)

    def _tell_state(self, name: str) -> None:
        """Tells what is known of an account here."""
        known, bills = self._known.get(name), self._bills.get(name)
        if known is None and bills is None:
            return
        billed: dict[bytes, bytes | int] = {} if known is None else {**known.billed}
        if bills is not None:
            billed[self._circle.name.encode()] = bills.nanos
        base = b"" if known is None else known.base
        told: list[Argument] = [self._circle.name, KEPT_S, base, int(MEMBER_S)]
        told += [one for pair in billed.items() for one in pair]
        self._link.tell(JOIN, [self._link.key("budget", name)], told, again=True)

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

    def _by_oneself(self) -> Alone:
        if self._alone is None:
            self._alone = self._begun_alone()
        return self._alone

    def _begun_alone(self) -> Alone:
        held = {name: (lease.accounts, lease.nanos / NANOS) for name, lease in self._leases.items()}
        since = (self._now() if self._link.up else self._link.since) - _FRESH_S
        balances = {name: one.balance for name, one in self._known.items() if one.at >= since}
        return Alone(balances, held, self._circle.everybody, self._now)

    def _learn(self, account: Account, balance: Balance, base: bytes, more: int = 0) -> None:
        """Keeps how an account was; `more` has been set aside since, in 1e-9 USD."""
        now = self._now()
        known = self._known.pop(account.name, None) or _Known(balance, now)
        self._known[account.name] = known
        known.at = now
        aside = balance.set_aside_usd + more / NANOS
        known.balance = Balance(balance.spent_usd, aside)
        if not known.base or int(base) < int(known.base):
            known.base = base
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _untold(self, name: str, counts: Mapping[bytes, bytes]) -> int:
        """What this replica has billed and Redis has not heard or not taken, in 1e-9 USD."""
        bills = self._bills.get(name)
        told = int(counts.get(self._circle.name.encode(), 0))
        return 0 if bills is None else max(0, bills.nanos - told)

    def _forget_bills(self) -> None:
        """Forgets what was billed in periods that are long over."""
        if len(self._bills) < self._most_bills:
            return
        now = self._now() - KEPT_S
        for name, bills in list(self._bills.items()):
            ends = renews_at(bills.account.budget.period, bills.account.began_at)
            if ends is not None and ends < now:
                del self._bills[name]
        self._most_bills = max(_MOST_KNOWN, 2 * len(self._bills))

    def _keys(self, accounts: Sequence[Account]) -> list[str]:
        return [self._link.key("budget", account.name) for account in accounts]


def _balances(found: Sequence[bytes]) -> tuple[Balance | None, ...]:
    """Of what is told three by three: spent, set aside, base."""
    return tuple(
        None if spent == b"" else Balance(int(spent) / NANOS, int(aside) / NANOS)
        for spent, aside in zip(found[::3], found[1::3], strict=True)
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
