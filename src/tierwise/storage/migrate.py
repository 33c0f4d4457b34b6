"""Brings a database up to date: the migrations of all packages, in one order.

A file in `migrations/versions` is written once, changes nothing that was released, and runs on
SQLite and PostgreSQL alike with alembic's `op`. Tables of the ledger are the exception: in SQLite a
plain `tierwise serve` makes them without alembic, so their migrations take the same steps there
(`sqlite_ledger`), or find them taken. That is how a ledger of any age is adopted.
"""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from typing import cast

from alembic.command import upgrade as run
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tierwise.errors import ConfigError
from tierwise.storage import sqlite_ledger
from tierwise.storage.engine import at_once, open_engine, unusable

_LOCK = 0x7469_6572_0001
"""Of PostgreSQL's advisory locks: one process migrates at a time, and the others wait."""


def upgrade(url: str, revision: str = "head") -> None:
    """Creates the tables, or brings older ones up to date. May be called by many at once.

    Raises:
        ConfigError: the database cannot be used, or a newer version has written it.
    """
    engine = open_engine(url)
    try:
        upgrade_engine(engine, revision)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine, revision: str = "head") -> None:
    """As `upgrade`, for a database that is open."""
    try:
        with at_once(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            found = version(connection)
            if found is not None and found not in _known():
                raise ConfigError(
                    f"the database is of version {found}, and this Tierwise knows up to {newest()}",
                    field="ledger",
                    remedy="Upgrade Tierwise, or name another database.",
                )
            config = _config()
            config.attributes["connection"] = connection
            run(config, revision)
    except DBAPIError as error:
        raise unusable(engine, error) from None


def current(url: str) -> str | None:
    """The version that a database is of, None if it is empty or of before there were versions.

    Raises:
        ConfigError: the database cannot be used.
    """
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return version(connection)
    except DBAPIError as error:
        raise unusable(engine, error) from None
    finally:
        engine.dispose()


def newest() -> str:
    """The version that `upgrade` leads to."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return cast("str", head)


def reach_sqlite(connection: Connection, version: int) -> bool:
    """Takes the ledger's steps up to a version, if this is SQLite; for migrations."""
    if connection.dialect.name != "sqlite":
        return False
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - what the dialect's name says
    name = connection.engine.url.database or ":memory:"
    sqlite_ledger.reach(raw, name, version)
    return True


def version(connection: Connection) -> str | None:
    """As `current`, of a database that is open."""
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> set[str]:
    return {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("tierwise.storage") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
