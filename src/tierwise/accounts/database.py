"""The accounts' part of the database: reading it, and acts that the audit log has each one of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import IntegrityError

from tierwise.accounts.tables import audit, generation
from tierwise.accounts.types import Actor
from tierwise.errors import NameTaken
from tierwise.storage.engine import at_once, open_engine
from tierwise.storage.migrate import upgrade_engine

Told = Callable[[int], None]
"""Is called with the number of each act, once it is committed."""


class Act:
    """One administrative act: its transaction, and what the audit log is to say of it."""

    def __init__(self, connection: Connection, actor: Actor, number: int, at: float) -> None:
        self.connection = connection
        self.at = at
        self._actor = actor
        self._number = number

    def note(
        self,
        action: str,
        target: str,
        org: str | None,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Says in the audit log what was done; to be called once.

        Args:
            action: such as `key.create`.
            target: the id of what it was done to.
            before, after: what has changed of it; no secrets.
        """
        self.connection.execute(
            insert(audit).values(
                id=self._number,
                at=self.at,
                org=org,
                actor=self._actor.name,
                action=action,
                target=target,
                before=None if before is None else msgspec.to_builtins(before),
                after=None if after is None else msgspec.to_builtins(after),
            )
        )


class Database:
    """Where accounts are kept.

    Args:
        url: `sqlite:///path` or `postgresql://...`.
        now: Unix time in seconds.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(self, url: str, now: Callable[[], float] = time.time) -> None:
        self.engine: Engine = open_engine(url)
        self.now = now
        self.told: list[Told] = []

    def prepare(self) -> None:
        """Creates the tables, or brings older ones up to date.

        Raises:
            ConfigError: the database cannot be used.
        """
        upgrade_engine(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def act(self, actor: Actor) -> Iterator[Act]:
        """An act in a transaction of its own; all of it is done, audit log included, or nothing.

        Raises:
            NameTaken: there is one already where there may only be one.
        """
        try:
            with at_once(self.engine) as connection:
                # First of all, so that acts come one after another: directories see all up to
                # a number, and no other act with a lower one can be committed later.
                number: int = connection.execute(
                    update(generation)
                    .where(generation.c.id == 1)
                    .values(value=generation.c.value + 1)
                    .returning(generation.c.value)
                ).scalar_one()
                yield Act(connection, actor, number, self.now())
        except IntegrityError as error:
            raise NameTaken(
                "There is one of this name here already, or a budget of this owner and period. "
                "Choose another name, or change the one that there is."
            ) from error
        for tell in self.told:
            tell(number)

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()


def new_id(prefix: str, now: float) -> str:
    """An id that sorts by time; the rest of it is random."""
    return f"{prefix}_{int(now * 1000):011x}{secrets.token_hex(6)}"
