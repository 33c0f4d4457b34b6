"""What budgets have spent, counted in one process or by several workers of one machine."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tierwise.errors import StateUnavailable
from tierwise.state.budgets import Account, Balance, Reserved

log = logging.getLogger("tierwise.state")

_NONE = Balance()


class _Lease(Struct):
    """What is set aside for one request, until a Unix time in seconds."""

    names: tuple[str, ...]
    usd: float
    until: float


class InProcess:
    """The books of one process.

    Args:
        now: Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._balances: dict[str, Balance] = {}
        self._leases: dict[str, _Lease] = {}

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none."""
        names = tuple(account.name for account in accounts)
        result = _weighed(accounts, [self._balances.get(name) for name in names], usd)
        if result.full and self._expire():
            result = _weighed(accounts, [self._balances.get(name) for name in names], usd)
        if result.done:
            self._leases[lease] = _Lease(names, usd, until)
            self._add(names, 0.0, usd)
        return result

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before."""
        self._balances.setdefault(account.name, Balance(spent_usd))

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside and books what was spent instead."""
        held = self._leases.pop(lease, None)
        aside = held.usd if held is not None else 0.0
        self._add([account.name for account in accounts], usd, -aside)

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""
        return tuple(self._balances.get(account.name) for account in accounts)

    def _expire(self) -> bool:
        """Frees what was set aside for too long; whether there was any."""
        now = self._now()
        late = [name for name, lease in self._leases.items() if lease.until <= now]
        for name in late:
            lease = self._leases.pop(name)
            self._add(lease.names, 0.0, -lease.usd)
        return bool(late)

    def _add(self, names: Sequence[str], spent: float, aside: float) -> None:
        for name in names:
            old = self._balances.get(name, _NONE)
            set_aside = max(0.0, old.set_aside_usd + aside)
            self._balances[name] = Balance(old.spent_usd + spent, set_aside)


_TABLES = (
    "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, spent REAL NOT NULL, "
    "aside REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS leases (lease TEXT, name TEXT, usd REAL NOT NULL, "
    "until REAL NOT NULL, pid INTEGER NOT NULL, PRIMARY KEY (lease, name)) WITHOUT ROWID",
)
_LOOK_S = 1.0
"""How often those who find a budget full look for leases of processes that are gone."""


class InFolder:
    """The books of several workers: a small database in a folder that they share.

    It lives as long as they do, and what is in it can be counted anew from the ledger, so nothing
    waits for the disk.

    Args:
        folder: that all can write to.
        now: Unix time in seconds.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._bills: list[tuple[str, tuple[str, ...], float]] = []
        self._looked_at = float("-inf")
        self._connection = sqlite3.connect(
            folder / "budgets.db", timeout=5.0, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        for statement in _TABLES:
            self._connection.execute(statement)

    async def reserve(
        self, lease: str, accounts: Sequence[Account], usd: float, until: float
    ) -> Reserved:
        """Sets an amount aside in all accounts, or in none.

        Raises:
            StateUnavailable: the folder cannot be written, as on a full disk.
        """
        with _writable():
            self._pay()
        with _writable(), _Transaction(self._connection):
            result = _weighed(accounts, self._read(accounts), usd)
            if result.full and self._expire():
                result = _weighed(accounts, self._read(accounts), usd)
            if result.done:
                names = [account.name for account in accounts]
                self._connection.executemany(
                    "UPDATE accounts SET aside = aside + ? WHERE name = ?",
                    [(usd, name) for name in names],
                )
                self._connection.executemany(
                    "INSERT INTO leases VALUES (?, ?, ?, ?, ?)",
                    [(lease, name, usd, until, os.getpid()) for name in names],
                )
        return result

    async def open(self, account: Account, spent_usd: float) -> None:
        """Makes an account known with what was spent before. Raises as `reserve` does."""
        with _writable():
            self._connection.execute(
                "INSERT OR IGNORE INTO accounts VALUES (?, ?, 0)", (account.name, spent_usd)
            )

    def settle(self, lease: str, accounts: Sequence[Account], usd: float) -> None:
        """Frees what was set aside and books what was spent instead.

        If that cannot be written it is with the next one that can: the answer is there, and its
        record must get to the ledger.
        """
        self._bills.append((lease, tuple(account.name for account in accounts), usd))
        try:
            self._pay()
        except sqlite3.OperationalError as error:
            if len(self._bills) == 1:
                log.error("bills of budgets wait, because they cannot be written: %s", error)

    def _pay(self) -> None:
        """Books all bills that wait."""
        if not self._bills:
            return
        with _Transaction(self._connection):
            for lease, names, usd in self._bills:
                freed = self._connection.execute(
                    "DELETE FROM leases WHERE lease = ? RETURNING name, usd", (lease,)
                ).fetchall()
                self._free(freed)
                self._connection.executemany(
                    "UPDATE accounts SET spent = spent + ? WHERE name = ?",
                    [(usd, name) for name in names],
                )
        self._bills.clear()

    async def balances(self, accounts: Sequence[Account]) -> tuple[Balance | None, ...]:
        """Of each account; None of one that is not known yet."""
        return tuple(self._read(accounts))

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    def _read(self, accounts: Sequence[Account]) -> list[Balance | None]:
        found: list[Balance | None] = []
        for account in accounts:
            row = self._connection.execute(
                "SELECT spent, aside FROM accounts WHERE name = ?", (account.name,)
            ).fetchone()
            found.append(None if row is None else Balance(*row))
        return found

    def _expire(self) -> bool:
        """Frees what was set aside for too long, or by workers that are gone."""
        now = self._now()
        if now - self._looked_at < _LOOK_S:
            return False
        self._looked_at = now
        workers = self._connection.execute("SELECT DISTINCT pid FROM leases").fetchall()
        gone = [pid for (pid,) in workers if not _lives(pid)]
        marks = ", ".join("?" * len(gone))
        freed = self._connection.execute(
            f"DELETE FROM leases WHERE until <= ? OR pid IN ({marks}) "  # noqa: S608 - only marks
            "RETURNING name, usd",
            (now, *gone),
        ).fetchall()
        self._free(freed)
        return bool(freed)

    def _free(self, freed: Sequence[tuple[str, float]]) -> None:
        self._connection.executemany(
            "UPDATE accounts SET aside = max(0, aside - ?) WHERE name = ?",
            [(usd, name) for name, usd in freed],
        )


@contextmanager
def _writable() -> Iterator[None]:
    """Says what it means if the folder cannot be written."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StateUnavailable(
            f"What this key has left of its budgets is not known: {error}. The operator must make "
            "room in the folder for temporary files."
        ) from error


class _Transaction:
    """One that others wait for; it is taken back if the block raises."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # a full disk may have ended it
                self._connection.execute("ROLLBACK")


def _weighed(
    accounts: Sequence[Account], balances: Sequence[Balance | None], usd: float
) -> Reserved:
    """Whether there is room for an amount everywhere. What costs nothing always has."""
    full = tuple(
        place
        for place, (account, balance) in enumerate(zip(accounts, balances, strict=True))
        if usd > 0
        and balance is not None
        and account.budget.hard_usd is not None
        and balance.taken_usd + usd > account.budget.hard_usd
    )
    unopened = tuple(place for place, balance in enumerate(balances) if balance is None)
    return Reserved(tuple(balance or _NONE for balance in balances), full, unopened)


def _lives(pid: int) -> bool:
    """Whether there is still a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
