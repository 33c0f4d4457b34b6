"""Takes old rows out of a ledger by itself, by one process at a time, in small steps.

Whoever finds that it is time says so in the mark `pruning`, which is the Unix time from which on it
is somebody's turn: ten minutes later while it works, so that another goes on if it is killed, and
an hour later when it is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from tierwise.errors import TierwiseError
from tierwise.ledger.retention import Pruned, opened, take_out
from tierwise.ledger.tables import marks
from tierwise.storage.engine import at_once

log = logging.getLogger("tierwise.ledger")

DAY_S = 86_400
AT_ONCE = 1_000
"""Rows in one transaction: a writer waits for some milliseconds at most."""
CLAIM_S = 600
EVERY_S = 3600
_REST_S = 2.0
"""The longest pause between two transactions, in seconds."""


def tend(
    place: str,
    keep_days: float,
    *,
    now: Callable[[], float] = time.time,
    going: Callable[[], bool] = lambda: True,
    rest: Callable[[float], None] = time.sleep,
) -> Pruned | None:
    """Takes out what is older than so many days, if it is time and nobody else does it.

    Between two transactions it rests as long as the last one took, so that it takes no more than
    half of a disk. Rows that are not added up yet are left for the next time.

    Args:
        place: a file, or the URL of a PostgreSQL database, which is up to date.
        going: whether to go on; asked after every transaction.

    Returns:
        what is out; None if it was not done, for the database is away, too, which the log says.
    """
    try:
        engine = opened(place)
        try:
            return _tended(engine, keep_days, now, going, rest)
        finally:
            engine.dispose()
    except (SQLAlchemyError, TierwiseError) as error:
        log.warning("old rows of the ledger cannot be taken out just now: %s", error)
        return None


def _tended(
    engine: Engine,
    keep_days: float,
    now: Callable[[], float],
    going: Callable[[], bool],
    rest: Callable[[float], None],
) -> Pruned | None:
    if not _claimed(engine, now()):
        return None
    began = time.monotonic()

    def tell(_: int) -> bool:
        nonlocal began
        rest(min(_REST_S, time.monotonic() - began))
        _next_turn(engine, now() + CLAIM_S)
        began = time.monotonic()
        return going()

    done = take_out(engine, now() - keep_days * DAY_S, AT_ONCE, tell)
    # Whoever stops in the middle leaves the rest to whoever comes next.
    _next_turn(engine, now() + (EVERY_S if going() else 0))
    if done.requests or done.asides:
        log.info(
            "%d requests and %d for no answer of before %s, which is %g days ago, are out of the "
            "ledger; what they added up to stays",
            *(done.requests, done.asides),
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(done.before)),
            keep_days,
        )
    return done


def _claimed(engine: Engine, now: float) -> bool:
    """Whether it is time, and this process is the first to say so."""
    turn = marks.c.name == "pruning", marks.c.value <= int(now)
    with engine.connect() as connection:
        # Most of the time that is all, and SQLite's writers are not kept waiting for it.
        if connection.scalar(select(marks.c.value).where(*turn)) is None:
            return False
    with at_once(engine) as connection:
        claim = update(marks).where(*turn).values(value=int(now + CLAIM_S))
        return connection.execute(claim).rowcount == 1


def _next_turn(engine: Engine, at: float) -> None:
    with at_once(engine) as connection:
        connection.execute(update(marks).where(marks.c.name == "pruning").values(value=int(at)))
