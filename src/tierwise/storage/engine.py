"""Connections to the database, whichever it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from tierwise.errors import ConfigError
from tierwise.storage import sqlite_ledger

CONNECT_S = 5
"""How long a connection to PostgreSQL may take to be made, in seconds."""
SILENCE_S = 10
"""After so many seconds without a word a server counts as gone, not slow."""


def open_engine(url: str, *, checks_keys: bool = True) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://user:password@host/name`.

    Transactions of SQLite begin with BEGIN, so that all that is read in one is of one moment.

    Args:
        checks_keys: whether SQLite checks foreign keys. Without, whoever deletes rows must know
            that nothing refers to them.

    Raises:
        ConfigError: the URL cannot be used, or its driver is not installed. It never shows a
            password.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return for_sqlite(create_engine(parsed), checks_keys=checks_keys)
    try:
        # A connection that has died is replaced when it is wanted next.
        return create_engine(
            parsed, pool_pre_ping=True, hide_parameters=True, connect_args=_patience(parsed)
        )
    except ImportError:
        raise ConfigError(
            "the driver for PostgreSQL is not installed",
            field="ledger.url",
            remedy="pip install 'tierwise[postgres]'",
        ) from None


def file_url(path: str | Path) -> str:
    """The URL of a SQLite file, for `open_engine`."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def is_url(place: str) -> bool:
    """Whether this names a server, and no file."""
    return "://" in place


def shown(url: str) -> str:
    """A URL for messages: without its user, password and options."""
    own = _parsed(url)
    bare = URL.create("postgresql", host=own.host, port=own.port, database=own.database)
    return bare.render_as_string()


def for_sqlite(engine: Engine, *, checks_keys: bool = True) -> Engine:
    """Lets SQLAlchemy, and not `sqlite3`, say when a transaction begins."""

    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        sqlite_ledger.give_logarithm(connection)
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if checks_keys else 'OFF'}")
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def at_once(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes. SQLite locks at its beginning, so that it never fails midway."""
    with engine.connect().execution_options(at_once=True) as connection, connection.begin():
        yield connection


def unusable(engine: Engine, error: DBAPIError) -> ConfigError:
    """What to tell whoever named a database that cannot be used."""
    sqlite = engine.dialect.name == "sqlite"
    said = str(error.orig).strip().splitlines()
    return ConfigError(
        f"the database {engine.url.database if sqlite else shown(str(engine.url))} cannot be used:"
        f" {said[0] if said else type(error.orig).__name__}",
        field="ledger.path" if sqlite else "ledger.url",
        remedy="Name a file that this user may write."
        if sqlite
        else "Check that PostgreSQL runs there, and the name, user and password in the URL.",
    )


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "this is no URL of a database",
            field="ledger.url",
            remedy="Write postgresql://user:password@host:5432/name, or leave it out for SQLite.",
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigError(
            f"{parsed.drivername} is not supported",
            field="ledger.url",
            remedy="Use postgresql://..., or `ledger.path` for SQLite.",
        )
    return parsed


def _patience(url: URL) -> dict[str, Any]:
    """How long to wait for the server, where the URL does not say."""
    wanted = {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": SILENCE_S * 1000,
        "keepalives_idle": SILENCE_S,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "tierwise",
        # A prepared statement is planned for any values sooner or later, and for a month that is
        # another plan than for an hour: pages took seconds at their tenth time. Connection pools
        # between us and the server can do without, too.
        "prepare_threshold": None,
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _begin(connection: Connection) -> None:
    now = connection.get_execution_options().get("at_once")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if now else "BEGIN")
