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

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from tierwise.accounts.counter import Counter
from tierwise.accounts.database import Database
from tierwise.accounts.holders import budgets_of, changed_since, ids_of, read_holders
from tierwise.accounts.tables import generation, keys
from tierwise.accounts.types import DEFAULT_ORG, Holder
from tierwise.budget import Budget

log = logging.getLogger("tierwise.accounts")

_MOST_ACTS = 100
_MOST_KEYS = 500
"""After more acts, or where they are about more keys, everything is read: databases bound how much
a statement may name."""


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
        self.shared: tuple[Budget, ...] = ()
        """The budgets of the default organisation, which bound keys of the configuration too."""
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
        """Reads it again: what has changed since the last time, or all if that is not known."""
        with self._lock:
            seen = self._counter.read()  # before the database: a change in between is seen later
            try:
                with self._database.reading() as connection:
                    self._read(connection)
            except SQLAlchemyError as error:
                self._failed(error)
            self._seen = seen

    def _read(self, connection: Connection) -> None:
        number = connection.execute(select(generation.c.value)).scalar_one()
        acts = number - self._generation
        if acts == 0 and self.last_error is None:
            return
        changed = None
        if self._generation >= 0 and 0 < acts <= _MOST_ACTS:
            changed = ids_of(connection, changed_since(connection, self._generation))
        if changed is not None and len(changed) <= _MOST_KEYS:
            fresh = read_holders(connection, self._now(), keys.c.id.in_(changed))
            kept = {d: one for d, one in self._holders.items() if one.key.id not in changed}
            self._holders = {**kept, **fresh}
        else:
            self._holders = read_holders(connection, self._now())
        self.shared = budgets_of(connection, DEFAULT_ORG)
        self._generation = number
        self.version += 1
        if self.last_error is not None:
            log.warning("accounts are read again")
        self.last_error = None

    def _failed(self, error: SQLAlchemyError) -> None:
        if self.last_error is None:
            log.error("accounts cannot be read, what is known of them stays good: %s", error)
        self.last_error = type(error).__name__
