"""Who holds which secret, in memory: looked up by every request, read again when it has changed.

A change on this machine shows in a counter that is looked at with every request, so that what is
revoked there is refused by the next one. A change elsewhere shows in the database's generation,
which is asked for every second. Where the database is away, what is known goes on to be good.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from tierwise.accounts.counter import Counter
from tierwise.accounts.database import Database
from tierwise.accounts.kinds import BUDGET, KEY
from tierwise.accounts.tables import (
    budgets,
    generation,
    key_secrets,
    keys,
    organisations,
    teams,
    users,
)
from tierwise.accounts.types import ROLES, Holder, Key
from tierwise.budget import Budget

log = logging.getLogger("tierwise.accounts")


class Directory:
    """All secrets that are valid, by their digests.

    `version` changes with what is known: whatever was derived from it goes by that.
    """

    def __init__(
        self, database: Database, counter: Counter, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._counter = counter
        self._now = now
        self._lock = threading.Lock()
        self._holders: Mapping[bytes, Holder] = {}
        self._generation = -1
        self._seen = -1
        self.version = 0
        self.last_error: str | None = None

    def look(self) -> None:
        """Reads it again if something has changed on this machine; for every request."""
        if self._counter.read() != self._seen:
            self.refresh()

    def find(self, digest: bytes) -> Holder | None:
        """Whoever holds the secret of this digest; None where it is none, or over."""
        holder = self._holders.get(digest)
        if holder is None or (holder.until is not None and self._now() >= holder.until):
            return None
        return holder

    def poll(self) -> None:
        """Reads it again if the database says that something has changed, be it elsewhere."""
        try:
            with self._database.reading() as connection:
                now = connection.execute(select(generation.c.value)).scalar_one()
        except SQLAlchemyError as error:
            self._failed(error)
            return
        if now != self._generation or self.last_error is not None:
            self.refresh()

    def refresh(self) -> None:
        """Reads it again."""
        with self._lock:
            seen = self._counter.read()  # before the database: a change in between is seen later
            try:
                number, holders = _read(self._database, self._now())
            except SQLAlchemyError as error:
                self._failed(error)
            else:
                self._holders, self._generation = holders, number
                self.version += 1
                self.last_error = None
            self._seen = seen

    def _failed(self, error: SQLAlchemyError) -> None:
        if self.last_error is None:
            log.error("accounts cannot be read, what is known of them stays good: %s", error)
        self.last_error = type(error).__name__


def _read(database: Database, now: float) -> tuple[int, dict[bytes, Holder]]:
    """The generation of the accounts, and everything of it that is valid."""
    with database.reading() as connection:
        number: int = connection.execute(select(generation.c.value)).scalar_one()
        names = {
            ("team", row.id): row.name
            for row in connection.execute(select(teams).where(teams.c.ended_at.is_(None)))
        }
        people = {
            row.id: row
            for row in connection.execute(select(users).where(users.c.ended_at.is_(None)))
        }
        orgs = {
            row.id: row.name
            for row in connection.execute(
                select(organisations).where(organisations.c.ended_at.is_(None))
            )
        }
        owned: dict[tuple[str, str], list[Budget]] = {}
        for row in connection.execute(select(budgets)).mappings():
            one = BUDGET.read(row)
            owned.setdefault((one.scope, one.owner), []).append(one)
        valid = (
            select(keys, key_secrets.c.digest, key_secrets.c.expires_at.label("secret_expires_at"))
            .join(key_secrets, key_secrets.c.key == keys.c.id)
            .where(
                keys.c.revoked_at.is_(None),
                or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
                or_(key_secrets.c.expires_at.is_(None), key_secrets.c.expires_at > now),
            )
        )
        holders: dict[bytes, Holder] = {}
        for row in connection.execute(valid).mappings():
            key = KEY.read(row)
            user = people.get(key.user) if key.user is not None else None
            team = key.team or (user.team if user is not None else None)
            if (
                key.org not in orgs
                or (key.user is not None and user is None)
                or (team is not None and ("team", team) not in names)
            ):
                continue  # what it belongs to has ended
            key = msgspec.structs.replace(key, team=team)
            called = {
                "key": key.name,
                "user": user.name if user is not None else "",
                "team": names.get(("team", team or ""), ""),
                "org": orgs[key.org],
            }
            role = key.role if user is None else min(key.role, user.role, key=ROLES.index)
            ends = [at for at in (key.expires_at, row["secret_expires_at"]) if at is not None]
            holders[bytes(row["digest"])] = Holder(
                key=key,
                role=role,
                budgets=_budgets_of(key, owned, called),
                until=min(ends, default=None),
            )
    return number, holders


def _budgets_of(
    key: Key, owned: Mapping[tuple[str, str], list[Budget]], called: Mapping[str, str]
) -> tuple[Budget, ...]:
    """All budgets that a key spends from, with the names of their owners."""
    owners = (("key", key.id), ("user", key.user), ("team", key.team), ("org", key.org))
    return tuple(
        msgspec.structs.replace(one, owner_name=called[scope])
        for scope, owner in owners
        if owner is not None
        for one in owned.get((scope, owner), ())
    )
