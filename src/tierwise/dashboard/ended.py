"""Logins that somebody has ended, for as long as their cookies would be good.

They are kept in the database of the ledger, which the workers of a gateway share, and replicas if
it is PostgreSQL; where there is Redis, also there. A ledger in memory is of one process, so its
workers keep them in the folder that they share.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from tierwise.accounts.accounts import url_of
from tierwise.config.keeping import LedgerConfig
from tierwise.dashboard.sessions import Session
from tierwise.dashboard.tables import ended_logins
from tierwise.errors import ConfigError
from tierwise.state.promises import Crew
from tierwise.storage.engine import at_once, file_url, open_engine


class Elsewhere(Protocol):
    """What replicas tell each other of it."""

    def tell(self, name: bytes, lasts_s: float) -> None:
        """A login is ended."""

    async def told(self, name: bytes) -> bool:
        """Whether one has said so, as far as that can be known now."""


class Ended:
    """Those of one process and of all with which it shares a database.

    Args:
        url: of the database; None where there is none, and no other process.
        elsewhere: None where no replicas are known.
        now: Unix time in seconds.
    """

    def __init__(
        self,
        url: str | None,
        elsewhere: Elsewhere | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._elsewhere = elsewhere
        self._now = now
        self._here: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    async def end(self, session: Session) -> None:
        """From now on nobody is let in by this login.

        Raises:
            SQLAlchemyError: it cannot be written down, and so is not ended.
        """
        name = _name(session)
        if self._elsewhere is not None:
            self._elsewhere.tell(name, max(1.0, session.until - self._now()))
        await asyncio.to_thread(self._write, name, session.until)

    async def has(self, session: Session) -> bool:
        """Whether this login was ended.

        Raises:
            SQLAlchemyError: nobody can know now.
        """
        name = _name(session)
        if await asyncio.to_thread(self._read, name):
            return True
        return self._elsewhere is not None and await self._elsewhere.told(name)

    def close(self) -> None:
        """Closes the connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _write(self, name: bytes, until: float) -> None:
        now = self._now()
        engine = self._opened()
        if engine is None:
            with self._lock:
                kept = {one: over for one, over in self._here.items() if over > now}
                self._here = {**kept, name: until}
            return
        try:
            with at_once(engine) as connection:
                connection.execute(delete(ended_logins).where(ended_logins.c.until <= now))
                connection.execute(insert(ended_logins).values(name=name, until=until))
        except IntegrityError:
            pass  # somebody else has ended it at the same time

    def _read(self, name: bytes) -> bool:
        engine = self._opened()
        if engine is None:
            return name in self._here
        asked = select(ended_logins.c.name).where(ended_logins.c.name == name)
        with engine.connect() as connection:
            return connection.execute(asked).first() is not None

    def _opened(self) -> Engine | None:
        if self._url is None:
            return None
        with self._lock:
            if self._engine is None:
                engine = open_engine(self._url)
                if engine.dialect.name == "sqlite":
                    # A ledger in PostgreSQL has been migrated, one in SQLite needs no alembic.
                    _create(engine)
                self._engine = engine
            return self._engine


def ended_of(ledger: LedgerConfig, crew: Crew, elsewhere: Elsewhere | None) -> Ended:
    """Those of a gateway with this ledger, whose processes are these."""
    try:
        return Ended(url_of(ledger), elsewhere)
    except ConfigError:  # it is kept in memory
        shared: Path | None = crew.folder if crew.workers > 1 else None
        return Ended(None if shared is None else file_url(shared / "ended-logins"), elsewhere)


def _create(engine: Engine) -> None:
    with at_once(engine) as connection:
        connection.execute(CreateTable(ended_logins, if_not_exists=True))
        for index in ended_logins.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def _name(session: Session) -> bytes:
    return hashlib.sha256(session.mark).digest()
