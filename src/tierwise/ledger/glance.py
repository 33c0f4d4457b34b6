"""What the first page of a dashboard reads, and those that look into the newest records."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, cast, func, select

from tierwise.ledger import bundles as packed
from tierwise.ledger.asked import FEW, Asked, bounds_of, part_of
from tierwise.ledger.pages import SUMS, Total, in_time, reach, total_of
from tierwise.ledger.rolled import alike, read_marks
from tierwise.ledger.tables import bundles, feedback, requests, shapes
from tierwise.types import Record

RATINGS = 5000
"""So many ratings tell how good answers are."""
_LABELS = ("status", "policy", "model", "deployment", "tier", "failovers")
_SQUARES = ("cost_squares", "reference_squares", "saving_squares")


class Sum(Struct, frozen=True, kw_only=True):
    """Requests with the same labels. Money in USD; `latency_s` is a sum, as are the squares."""

    status: str
    policy: str
    model: str
    deployment: str
    tier: int
    failovers: int
    escalated: bool
    requests: int
    cost_usd: float
    reference_cost_usd: float
    wasted_usd: float
    latency_s: float
    cost_squares: float
    reference_squares: float
    saving_squares: float


def by_labels(connection: Connection, asked: Asked) -> list[Sum]:
    """The requests by their labels, read in one go: what a page makes of them costs nothing."""
    known = read_marks(connection)
    only = bounds_of(connection, asked)
    part = part_of(only, ("model",))
    found = alike((asked.since, asked.until), known, part, only=only)
    names = ("requests", "cost_usd", "reference_cost_usd", "wasted_usd", "latency_s", *_SQUARES)
    sums = [func.sum(found.c[name]).label(name) for name in names]
    rows = connection.execute(select(found.c.shape, *sums).group_by(found.c.shape)).all()
    # The few shapes are looked up afterwards, so that the many rows are grouped by one number.
    wanted = [row.shape for row in rows if row.requests]
    labels = [shapes.c.id, *(shapes.c[name] for name in _LABELS), shapes.c.escalated]
    said: dict[int, Any] = {}
    for first in range(0, len(wanted), FEW):
        chosen = select(*labels).where(shapes.c.id.in_(wanted[first : first + FEW]))
        said |= {one.id: one for one in connection.execute(chosen)}
    made = []
    for row in rows:
        if row.shape in said:
            fields: dict[str, Any] = {n: getattr(said[row.shape], n) for n in _LABELS}
            fields |= {name: float(getattr(row, name)) for name in names}
            fields |= {
                "escalated": bool(said[row.shape].escalated),
                "requests": int(row.requests),
            }
            made.append(Sum(**fields))
    return made


def records(connection: Connection, asked: Asked, *, limit: int) -> list[Record]:
    """The records of the newest requests that are meant; one that cannot be read is left out."""
    only = bounds_of(connection, asked)
    c = requests.c
    since = asked.since
    if only.any:
        since = max(since, reach(connection, only, asked.until, limit))
    rows = connection.execute(
        select(c.bundle, c.slot)
        .where(*in_time(c.at, since, asked.until))
        .where(*only.rows(c.shape, c.owner))
        .order_by(c.at.desc(), c.seq.desc())
        .limit(limit)
    ).all()
    found: dict[int, Any] = {}
    numbers = sorted({row.bundle for row in rows})
    for first in range(0, len(numbers), FEW):
        chosen = select(bundles.c.id, bundles.c.codec, bundles.c.records).where(
            bundles.c.id.in_(numbers[first : first + FEW])
        )
        for number, codec, data in connection.execute(chosen):
            found[number] = packed.readable(number, codec, data)
    made = (packed.record(found.get(row.bundle, []), row.bundle, row.slot) for row in rows)
    return [record for record in made if record is not None]


def by_slot(connection: Connection, asked: Asked, slot_s: int) -> list[Total]:
    """Totals by slots of so many seconds, for periods of an hour or so: rows are added up."""
    only = bounds_of(connection, asked)
    c = requests.c
    at = cast(c.at, BigInteger)  # which one server rounds and another cuts off: a second at most
    place = (at - at % slot_s).label("by_0")
    sums = [
        func.count().label("requests"),
        *(func.sum(c[name]).label(name) for name in SUMS if name != "requests"),
    ]
    wanted = (
        select(place, *sums)
        .where(*in_time(c.at, asked.since, asked.until))
        .where(*only.rows(c.shape, c.owner))
        .group_by(place)
        .order_by(place)
    )
    return [total_of(row, 1) for row in connection.execute(wanted) if row.requests]


def rated(connection: Connection, asked: Asked) -> tuple[int, float | None]:
    """How many of the answers were rated, and their mean score; the latest rating counts.

    Only the newest `RATINGS` of all are looked at, so that many of them do not keep a page waiting.
    """
    c, said = requests.c, feedback.c
    newest = select(said.seq, said.request_id).order_by(said.seq.desc()).limit(RATINGS).subquery()
    latest = select(func.max(newest.c.seq)).group_by(newest.c.request_id)
    row = connection.execute(
        select(func.count().label("answers"), func.avg(said.score).label("mean"))
        .join_from(feedback, requests, c.id == said.request_id)
        .where(said.seq.in_(latest), *in_time(c.at, asked.since, asked.until))
        .where(*bounds_of(connection, asked).rows(c.shape, c.owner))
    ).one()
    return int(row.answers), None if row.mean is None else float(row.mean)
