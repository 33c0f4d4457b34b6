"""Taking old rows out of a ledger. What they added up to stays: `hourly`, `daily` and the rest.

Requests for no answer (`asides`) stay too: they are few and hold no content, and nothing adds them
up, so that totals would change without them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import ColumnElement, Engine, Table, delete, exists, func, not_, select, update

from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.rolled import read_marks
from tierwise.ledger.rollup import HOUR_S
from tierwise.ledger.tables import attempts, bundles, feedback, marks, requests
from tierwise.storage.engine import at_once, file_url, is_url, open_engine

AT_ONCE = 5_000
"""Rows in one transaction, so that a gateway which writes meanwhile never waits for long."""


class Pruned(Struct, frozen=True, kw_only=True):
    """What was taken out, and the Unix time before which there is nothing now."""

    before: float
    requests: int
    attempts: int
    bundles: int
    feedback: int


def prune(place: str, before: float, tell: Callable[[int], None] = lambda _: None) -> Pruned:
    """Takes out the rows and records of whole hours before a Unix time; the gateway may be running.

    Args:
        place: a file, or the URL of a PostgreSQL database.
        tell: is told how many requests are out.

    Raises:
        ConfigError: the database cannot be used.
    """
    catch_up(place)
    cut = math.floor(before / HOUR_S) * HOUR_S
    # SQLite has no index by which it could check quickly that no request points to a bundle.
    engine = open_engine(place if is_url(place) else file_url(place), checks_keys=False)
    try:
        return _prune(engine, cut, tell)
    finally:
        engine.dispose()


def _prune(engine: Engine, cut: int, tell: Callable[[int], None]) -> Pruned:
    with at_once(engine) as connection:
        known = read_marks(connection)
        later = update(marks).where(marks.c.name == "pruned", marks.c.value < cut)
        connection.execute(later.values(value=cut))  # first, so that no report trusts rows
    # The last row stays, however old: SQLite would give its number to the next one, which would
    # then count as added up.
    gone = top = 0
    which = (requests.c.at < cut, requests.c.seq < known.requests)
    while numbers := _some(engine, requests, requests.c.bundle, *which):
        gone += len(numbers)
        top = max(top, *numbers)
        tell(gone)
    calls = 0
    while some := _some(
        engine, attempts, attempts.c.seq, attempts.c.at < cut, attempts.c.seq < known.attempts
    ):
        calls += len(some)
    said = not_(exists().where(requests.c.id == feedback.c.request_id))
    return Pruned(
        before=cut,
        requests=gone,
        attempts=calls,
        bundles=_bundles(engine, top) if gone else 0,
        feedback=_all(engine, feedback, feedback.c.at < cut, said),
    )


def _some(
    engine: Engine, table: Table, told: ColumnElement[int], *which: ColumnElement[bool]
) -> list[int]:
    """Takes out some rows that this holds for, and says a column of them."""
    chosen = select(table.c.seq).where(*which).limit(AT_ONCE)
    with at_once(engine) as connection:
        taken = delete(table).where(table.c.seq.in_(chosen)).returning(told)
        return list(connection.scalars(taken))


def _bundles(engine: Engine, top: int) -> int:
    """Takes out the bundles up to one that no request points to any more."""
    if engine.dialect.name == "sqlite":
        # Without an index on what points to them, looking once through all is quickest.
        used = select(requests.c.bundle).where(requests.c.bundle <= top)
        return _all(engine, bundles, bundles.c.id <= top, bundles.c.id.not_in(used))
    empty = not_(exists().where(requests.c.bundle == bundles.c.id))
    gone = 0
    with engine.connect() as connection:
        low = connection.scalar(select(func.min(bundles.c.id))) or 0
    for begin in range(low, top + 1, AT_ONCE):
        some = bundles.c.id.between(begin, min(begin + AT_ONCE - 1, top))
        gone += _all(engine, bundles, some, empty)
    return gone


def _all(engine: Engine, table: Table, *which: ColumnElement[bool]) -> int:
    with at_once(engine) as connection:
        return connection.execute(delete(table).where(*which)).rowcount
