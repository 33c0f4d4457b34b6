"""Brings a ledger up to date at once, and not bit by bit while it is written."""

from __future__ import annotations

from collections.abc import Callable

from tierwise.ledger.ledger import open_store

AT_ONCE = 200_000


def catch_up(place: str, tell: Callable[[int], None] = lambda _: None) -> None:
    """Migrates the tables and adds up all rows that were not added up yet.

    Args:
        place: a file, or the URL of a PostgreSQL database.
        tell: is told how many rows are left.

    Raises:
        ConfigError: the database cannot be used.
    """
    store = open_store(place)
    store.open()
    try:
        while left := store.roll(AT_ONCE):
            tell(left)
    finally:
        store.close()
