"""Ledgers as older versions left them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tierwise.storage import sqlite_ledger


def age(database: Path, version: int) -> None:
    """Turns a ledger of today into one of an older version with the same rows, as far as that
    version knew of them."""
    younger = database.with_suffix(".younger")
    database.rename(younger)
    with closing(sqlite3.connect(database, isolation_level=None)) as old:
        for statements in sqlite_ledger.MIGRATIONS[:version]:
            for statement in statements:
                old.execute(statement)
        old.execute(f"PRAGMA application_id = {sqlite_ledger.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        old.execute("ATTACH ? AS younger", (str(younger),))
        tables = old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = ", ".join(row[1] for row in old.execute(f"PRAGMA main.table_info({table})"))
            old.execute(
                f"INSERT OR REPLACE INTO main.{table} ({columns})"  # noqa: S608
                f" SELECT {columns} FROM younger.{table}"
            )
