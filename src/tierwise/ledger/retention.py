"""Taking old rows out of a ledger. What they added up to stays: `hourly`, `daily` and the rest.

Requests for no answer of older versions, of which only the caller's name is known, stay too:
budgets look them up by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Table,
    delete,
    exists,
    not_,
    or_,
    select,
    update,
)

from tierwise.ledger.bundles import MAX_RECORDS
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.rolled import read_marks
from tierwise.ledger.rollup import HOUR_S
from tierwise.ledger.tables import asides, attempts, bundles, feedback, marks, requests
from tierwise.storage.engine import at_once, file_url, is_url, open_engine

AT_ONCE = 5_000
"""Rows in one transaction, so that a gateway which writes meanwhile never waits for long."""

Tell = Callable[[int], bool | None]
"""Is told after each transaction how many requests are out; with False it goes no further."""


class Pruned(Struct, frozen=True, kw_only=True):
    """What was taken out, and the Unix time before which there is nothing now."""

    before: float
    requests: int
    attempts: int
    bundles: int
    feedback: int
    asides: int


def prune(place: str, before: float, tell: Tell = lambda _: None) -> Pruned:
    """Takes out the rows and records of whole hours before a Unix time; the gateway may be running.

    Args:
        place: a file, or the URL of a PostgreSQL database.

    Raises:
        ConfigError: the database cannot be used.
    """
    catch_up(place)
    engine = opened(place)
    try:
        return take_out(engine, before, AT_ONCE, tell)
    finally:
        engine.dispose()


def opened(place: str) -> Engine:
    """The ledger, to take rows out of it."""
    # SQLite has no index by which it could check quickly that no request points to a bundle.
    return open_engine(place if is_url(place) else file_url(place), checks_keys=False)


def take_out(engine: Engine, before: float, rows: int, tell: Tell) -> Pruned:
    """As `prune`, so many rows at once, and of those that are added up already."""
    cut = math.floor(before / HOUR_S) * HOUR_S
    with at_once(engine) as connection:
        known = read_marks(connection)
        later = update(marks).where(marks.c.name == "pruned", marks.c.value < cut)
        connection.execute(later.values(value=cut))  # first, so that no report trusts rows
    # The last row stays, however old: SQLite would give its number to the next one, which would
    # then count as added up.
    gone = {
        requests: [requests.c.at < cut, requests.c.seq < known.requests],
        attempts: [attempts.c.at < cut, attempts.c.seq < known.attempts],
        asides: [
            asides.c.at < cut,
            asides.c.seq < known.asides,
            or_(asides.c.owner.is_not(None), asides.c.caller.is_(None)),
        ],
        feedback: [
            feedback.c.at < cut,
            not_(exists().where(requests.c.id == feedback.c.request_id)),
        ],
    }
    counts = dict.fromkeys(("requests", "attempts", "asides", "feedback", "bundles"), 0)
    for table, which in gone.items():
        while found := _some(engine, table, which, rows):
            counts[table.name] += found[0]
            counts["bundles"] += found[1]
            if tell(counts["requests"]) is False:
                return Pruned(before=cut, **counts)
    return Pruned(before=cut, **counts)


def _some(
    engine: Engine, table: Table, which: Sequence[ColumnElement[bool]], rows: int
) -> tuple[int, int] | None:
    """Takes out some rows that this holds for, with the bundles that nothing points to any more.

    Returns:
        how many of both, None if there are no such rows.
    """
    told = [table.c.seq, *([table.c.bundle] if table is requests else [])]
    with at_once(engine) as connection:
        chosen = select(table.c.seq).where(*which).limit(rows)
        taken = connection.execute(delete(table).where(table.c.seq.in_(chosen)).returning(*told))
        found = taken.all()
        if not found:
            return None
        return len(found), _bundles(connection, found) if table is requests else 0


def _bundles(connection: Connection, gone: Sequence[Row[Any]]) -> int:
    """Takes out those bundles of requests that are gone to which no other request points."""
    mine = sorted({row.bundle for row in gone})
    if connection.dialect.name == "sqlite":
        # Without an index on what points to them; but the requests of a bundle are neighbours.
        near = requests.c.seq.between(
            min(row.seq for row in gone) - MAX_RECORDS, max(row.seq for row in gone) + MAX_RECORDS
        )
        used = set(connection.scalars(select(requests.c.bundle).where(near)))
        mine = [one for one in mine if one not in used]
        return connection.execute(delete(bundles).where(bundles.c.id.in_(mine))).rowcount
    empty = not_(exists().where(requests.c.bundle == bundles.c.id))
    return connection.execute(delete(bundles).where(bundles.c.id.in_(mine), empty)).rowcount
