"""Connections to the database, whichever it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tierwise.errors import ConfigError


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://user:password@host/name`.

    Raises:
        ConfigError: the URL cannot be used, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "this is no URL of a database",
            field="ledger.url",
            remedy="Write postgresql://user:password@host:5432/name, or leave it out for SQLite.",
        ) from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(
            f"{parsed.get_backend_name()} is not supported",
            field="ledger.url",
            remedy="Use PostgreSQL, or `ledger.path` for SQLite.",
        )
    try:
        engine = create_engine(parsed, pool_pre_ping=True)
    except ImportError as error:
        raise ConfigError(
            "the driver for PostgreSQL is not installed",
            field="ledger.url",
            remedy="pip install 'tierwise[postgres]'",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.close()
