"""Opens a ledger to read from, be it a file or a server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from tierwise.errors import ConfigError
from tierwise.ledger.store import connect_to_read
from tierwise.storage import migrate
from tierwise.storage.engine import for_sqlite, is_url, open_engine, shown, unusable


@contextmanager
def reading(place: str | Path) -> Iterator[Connection]:
    """A connection which can only read, and sees one moment of the ledger.

    Args:
        place: a file, or the URL of a PostgreSQL database.

    Raises:
        ConfigError: there is no ledger, or none that this version reads.
    """
    with moments(place) as moment, moment() as connection:
        yield connection


@contextmanager
def moments(place: str | Path) -> Iterator[Callable[[], AbstractContextManager[Connection]]]:
    """As `reading`, of as many moments as are asked for, one after the other."""
    place = str(place)
    if not is_url(place):
        raw = connect_to_read(place)
        try:
            yield partial(one_moment, raw_engine(raw))
        finally:
            raw.close()
        return
    engine = open_engine(place)
    try:
        with engine.connect() as connection:
            check_current(connection, place)
        yield partial(one_moment, engine)
    except DBAPIError as error:
        raise unusable(engine, error) from None
    finally:
        engine.dispose()


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """All that is read inside is of the same moment, whatever is written meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        with connection.begin() as transaction:
            yield connection
            transaction.rollback()


def raw_engine(connection: sqlite3.Connection) -> Engine:
    """SQLAlchemy's way to a SQLite ledger that is open."""
    return for_sqlite(create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool))


def check_current(connection: Connection, url: str) -> None:
    """Raises `ConfigError` if a database is not of this version."""
    found, newest = migrate.version(connection), migrate.newest()
    if found != newest:
        raise ConfigError(
            f"the ledger in {shown(url)} is of version {found or 'none'}, not {newest}",
            field="ledger.url",
            remedy="`tierwise db migrate` brings it up to date, and so does `tierwise serve`.",
        )
