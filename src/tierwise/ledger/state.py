"""What is in a ledger, and how far it is added up."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, func, select, text

from tierwise.ledger.reading import reading
from tierwise.ledger.rolled import read_marks
from tierwise.ledger.rollup import Part
from tierwise.ledger.tables import asides, attempts, bundles, daily, feedback, hourly, requests
from tierwise.storage.engine import is_url, shown


class State(Struct, frozen=True, kw_only=True):
    """What is in a ledger.

    `requests` were ever recorded, and of `kept` there are rows, as of `asides` for no answer.
    `since` and `until` are the Unix times of the oldest and newest row of an answer, None without
    rows. `waiting` of those were not added up yet; `pruned` is the Unix time before which rows are
    out, None if none are. `size` is in bytes.
    """

    place: str
    requests: int
    kept: int
    asides: int
    attempts: int
    bundles: int
    feedback: int
    hours: int
    since: float | None
    until: float | None
    waiting: int
    pruned: int | None
    size: int


def state(place: str) -> State:
    """What is in a ledger.

    Raises:
        ConfigError: there is none, or none that this version reads.
    """
    with reading(place) as connection:
        known = read_marks(connection)

        def count(table: object) -> int:
            return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]

        rolled = connection.scalar(
            select(func.coalesce(func.sum(daily.c.requests), 0)).where(
                daily.c.part == int(Part.SHAPES)
            )
        )
        fresh = select(func.count()).where(requests.c.seq > known.requests)
        waiting = connection.scalar(fresh) or 0
        since, until = connection.execute(
            select(func.min(requests.c.at), func.max(requests.c.at))
        ).one()
        return State(
            place=shown(place) if is_url(place) else place,
            requests=int(rolled or 0) + waiting,
            kept=count(requests),
            asides=count(asides),
            attempts=count(attempts),
            bundles=count(bundles),
            feedback=count(feedback),
            hours=connection.scalar(select(func.count(hourly.c.hour.distinct()))) or 0,
            since=since,
            until=until,
            waiting=waiting,
            pruned=known.pruned or None,
            size=_size(connection, place),
        )


def _size(connection: Connection, place: str) -> int:
    if is_url(place):
        return connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return Path(place).stat().st_size
