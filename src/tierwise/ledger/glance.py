"""What the first page of a dashboard reads, and those that look into the newest records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, literal, select, union_all

from tierwise.ledger import bundles as packed
from tierwise.ledger.asked import FEW, Asked, bounds_of, part_of
from tierwise.ledger.newest import in_time, newest
from tierwise.ledger.rolled import alike, open_ended, read_marks
from tierwise.ledger.rollup import DAY_S, Part
from tierwise.ledger.tables import bundles, feedback, requests, shapes
from tierwise.types import Record

RATINGS = 5000
"""So many ratings tell how good answers are."""
_LABELS = ("status", "policy", "model", "deployment", "tier", "failovers")
_SUMMED = (
    *("requests", "cost_usd", "reference_cost_usd", "wasted_usd", "latency_s"),
    *("cost_squares", "reference_squares", "saving_squares"),
)
_MODEL = ("model",)
BUNDLES = 32
"""So many bundles of records are unpacked for a page at most."""


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


class Amount(Struct, frozen=True):
    """So many requests, and what they cost in USD, beside what the reference would have cost."""

    requests: int
    cost_usd: float
    reference_cost_usd: float

    def with_more(self, requests: int, cost_usd: float, reference_cost_usd: float) -> Amount:
        """These and others."""
        return Amount(
            self.requests + int(requests),
            self.cost_usd + cost_usd,
            self.reference_cost_usd + reference_cost_usd,
        )


NOTHING = Amount(0, 0.0, 0.0)


def by_labels(
    connection: Connection, asked: Asked, by: Literal["hour", "day"]
) -> tuple[list[Sum], dict[int, Amount]]:
    """The requests by their labels, and by the hour or day; both are read in one go."""
    known = read_marks(connection)
    only = bounds_of(connection, asked)
    span, part = open_ended(connection, requests, (asked.since, asked.until)), part_of(only, _MODEL)
    if by == "hour" and part is Part.BOTH and only.shape is None:
        # Of these no hours are known, but of their owners.
        labelled = alike(span, known, part, only=only).c
        timed = alike(span, known, Part.OWNERS, only=only, by_hour=True).c
        time = timed.hour
    else:
        c = alike(span, known, part, only=only, by_hour=by == "hour").c
        hour = c.hour if by == "hour" else c.hour - c.hour % DAY_S
        # The database adds up both ways: there are thousands of shapes in an hour or day.
        sums = [func.sum(c[name]).label(name) for name in _SUMMED]
        both = select(c.shape, hour.label("time"), *sums).group_by(c.shape, "time").cte("both").c
        labelled = timed = both
        time = both.time
    rows = union_all(
        select(literal(True), labelled.shape, *_sums(labelled)).group_by(labelled.shape),
        select(literal(False), time, *_sums(timed)).group_by(time),
    )
    shapes_of: dict[int, list[float]] = {}
    times: dict[int, Amount] = {}
    for is_shape, number, *found in connection.execute(rows):
        if not found[0]:
            continue
        if is_shape:
            shapes_of[number] = list(map(float, found))
        else:
            times[int(number)] = NOTHING.with_more(*found[:3])
    return _labelled(connection, shapes_of), times


def _sums(columns: Any) -> list[ColumnElement[Any]]:
    return [func.sum(columns[name]) for name in _SUMMED]


def _labelled(connection: Connection, shaped: Mapping[int, Sequence[float]]) -> list[Sum]:
    # The few shapes are looked up afterwards, so that the many rows are grouped by one number.
    wanted = list(shaped)
    labels = [shapes.c.id, *(shapes.c[name] for name in _LABELS), shapes.c.escalated]
    made = []
    for first in range(0, len(wanted), FEW):
        chosen = select(*labels).where(shapes.c.id.in_(wanted[first : first + FEW]))
        for one in connection.execute(chosen):
            fields: dict[str, Any] = {name: getattr(one, name) for name in _LABELS}
            fields |= dict(zip(_SUMMED, shaped[one.id], strict=True))
            fields |= {"escalated": bool(one.escalated), "requests": int(fields["requests"])}
            made.append(Sum(**fields))
    return made


def records(connection: Connection, asked: Asked, *, limit: int) -> list[Record]:
    """The records of the newest requests that are meant; one that cannot be read is left out.

    Those that lie far apart, such as of somebody who asks seldom among many who ask often, are as
    few as can be read in a moment: a record is unpacked with its whole bundle.
    """
    only = bounds_of(connection, asked)
    c = requests.c
    rows = connection.execute(
        select(c.bundle, c.slot)
        .where(*newest(connection, only, asked.since, asked.until, limit))
        .order_by(c.at.desc(), c.seq.desc())
        .limit(limit)
    ).all()
    numbers = list(dict.fromkeys(row.bundle for row in rows))[:BUNDLES]
    chosen = select(bundles.c.id, bundles.c.codec, bundles.c.records)
    found = {
        number: packed.readable(number, codec, data)
        for number, codec, data in connection.execute(chosen.where(bundles.c.id.in_(numbers)))
    }
    made = (packed.record(found.get(row.bundle, []), row.bundle, row.slot) for row in rows)
    return [record for record in made if record is not None]


def by_slot(connection: Connection, asked: Asked, slot_s: int) -> dict[int, Amount]:
    """What was spent in slots of so many seconds, for periods of an hour or so: rows are read."""
    only = bounds_of(connection, asked)
    c = requests.c
    at = cast(c.at, BigInteger)  # which one server rounds and another cuts off: a second at most
    place = (at - at % slot_s).label("place")
    sums = (func.count(), func.sum(c.cost_usd), func.sum(c.reference_cost_usd))
    rows = connection.execute(
        select(place, *sums)
        .where(*in_time(c.at, asked.since, asked.until))
        .where(*only.rows(c.shape, c.owner))
        .group_by(place)
    )
    return {int(at): NOTHING.with_more(*figures) for at, *figures in rows}


def rated(connection: Connection, asked: Asked) -> tuple[int, float | None]:
    """How many of the answers were rated, and their mean score; the latest rating counts.

    Only the newest `RATINGS` of all are looked at, so that many of them do not keep a page waiting.
    """
    names = ("seq", "request_id", "score", "asked_at", "shape", "owner")
    chosen = select(*(feedback.c[name] for name in names)).order_by(feedback.c.seq.desc())
    said = chosen.limit(RATINGS).cte("newest").c
    latest = said.seq.in_(select(func.max(said.seq)).group_by(said.request_id))
    only = bounds_of(connection, asked)
    span = asked.since, asked.until
    known = select(said.score).where(
        latest, said.shape.is_not(None), *in_time(said.asked_at, *span),
        *only.rows(said.shape, said.owner),
    )  # fmt: skip
    # Of the others nobody has looked the request up yet.
    c = requests.c
    fresh = select(said.score).where(
        latest, said.shape.is_(None), c.id == said.request_id, *in_time(c.at, *span),
        *only.rows(c.shape, c.owner),
    )  # fmt: skip
    scores = union_all(known, fresh).subquery("scores").c
    count, mean = connection.execute(select(func.count(), func.avg(scores.score))).one()
    return int(count), None if mean is None else float(mean)
