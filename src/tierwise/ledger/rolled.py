"""The figures of any period as one selection: days, hours, and rows where those do not reach.

    daily       whole days (UTC) within the period
    hourly      whole hours before and after those
    requests    rows of the hours at its two ends, and all rows that were not added up yet

Each request is in exactly one of these, so sums are exact.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tierwise.ledger.histogram import LEAST_S, RATIO
from tierwise.ledger.rollup import DAY_S, FIGURES, HOUR_S, Part
from tierwise.ledger.sums import Span
from tierwise.ledger.tables import (
    attempts,
    daily,
    hourly,
    hourly_calls,
    hourly_times,
    marks,
    requests,
    shapes,
)


class Whole(FunctionElement[int]):
    """A number that is not negative, rounded down."""

    name = "whole"
    type = Integer()
    inherit_cache = True


@compiles(Whole, "sqlite")
def _cut(element: Whole, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS INTEGER)"


@compiles(Whole, "postgresql")
def _floor(element: Whole, compiler: Any, **options: Any) -> str:
    return f"CAST(floor({compiler.process(element.clauses, **options)}) AS BIGINT)"


class Marks(NamedTuple):
    """See `marks` in `tables`."""

    requests: int
    attempts: int
    asides: int
    pruned: int


def read_marks(connection: Connection) -> Marks:
    """How far rows are added up. Read it in the transaction in which it is used."""
    found = {row.name: row.value for row in connection.execute(select(marks))}
    return Marks(found["requests"], found["attempts"], found["asides"], found["pruned"])


def open_ended(connection: Connection, table: Table, span: Span) -> Span:
    """A period without its end, if there is nothing of a table after it, which is then the same.

    So it is when it ends now: the sums of this hour and day can be taken as they are.
    """
    since, until = span
    later = select(table.c.seq).where(table.c.at > until).limit(1)
    if math.isinf(until) or connection.execute(later).first() is not None:
        return span
    return since, math.inf


class Borders(NamedTuple):
    """The whole hours and days of a period, each from a Unix time until before another.

    Where there is no whole day, `first_day` and `last_day` are `last_hour`.
    """

    since: float
    first_hour: float
    first_day: float
    last_day: float
    last_hour: float
    until: float


def borders(span: Span, pruned: int = 0) -> Borders:
    """Where a period's whole hours and days are.

    If rows at its beginning may be gone, it begins with the hour.
    """
    since, until = span
    if pruned and since < pruned:
        since = _down(since, HOUR_S)
    last_hour = _down(until, HOUR_S)
    first_hour = min(_up(since, HOUR_S), last_hour)
    first_day, last_day = _up(first_hour, DAY_S), _down(last_hour, DAY_S)
    if first_day >= last_day:
        first_day = last_day = last_hour
    return Borders(since, first_hour, first_day, last_day, last_hour, until)


def whole_days(span: Span, pruned: int = 0) -> Borders:
    """As `borders`, where no hours are known: what is in no whole day counts as besides."""
    since, until = span
    if pruned and since < pruned:
        since = _down(since, DAY_S)
    first, last = _up(since, DAY_S), _down(until, DAY_S)
    if first >= last:
        first = last = since
    return Borders(since, first, first, last, last, until)


Numbers = list[int] | Select[Any]
"""Numbers of rows of `shapes` or `owners`, or what asks for them."""


class Bounds(NamedTuple):
    """What shapes and owners must be in; None where anything will do.

    `org` has, where `owner` has all owners of some organisations, those that stand for the whole of
    each (see `Part.ORGS`).
    """

    shape: Numbers | None = None
    owner: Numbers | None = None
    org: Numbers | None = None

    @property
    def any(self) -> bool:
        """Whether there are some."""
        return self.shape is not None or self.owner is not None

    def rows(self, shape: Any, owner: Any) -> list[ColumnElement[bool]]:
        """What must hold for these columns of single requests."""
        pairs = (shape, self.shape), (owner, self.owner)
        return [column.in_(some) for column, some in pairs if some is not None]

    def sums(self, table: Table, part: Part) -> list[ColumnElement[bool]]:
        """What must hold for the rows of a part of `hourly` or `daily`."""
        whose = self.org if part is Part.ORGS else self.owner
        pairs = (table.c.shape, self.shape), (table.c.owner, whose)
        return [column.in_(some) for column, some in pairs if some is not None]


ALL = Bounds()


def alike(
    span: Span, known: Marks, part: Part, *, only: Bounds = ALL, by_hour: bool = False
) -> FromClause:
    """All requests of a period, those that are alike together.

    Args:
        part: by what they are kept apart; only that may be used of the columns.
        by_hour: takes days apart into their hours.

    Returns:
        columns `hour` (that of the day for whole days), `shape`, `owner`, `checks`, and `FIGURES`.
    """
    pieces: list[Select[Any]] = []
    if part is Part.BOTH:
        edge = whole_days(span, known.pruned)
        if by_hour:  # which is known of rows alone
            since = edge.since
            edge = Borders(since, since, since, since, since, edge.until)
    else:
        edge = borders(_from_a_day(span, known) if part is Part.ORGS else span, known.pruned)
        hour = hourly.c.hour
        before = (edge.first_hour, edge.last_hour if by_hour else edge.first_day)
        after = (edge.last_day, edge.last_hour)
        which = between(hour, *before)
        if not by_hour:
            which = or_(which, between(hour, *after))
        pieces.append(_rolled(hourly, part, only).where(which))
    if not by_hour:
        days = between(daily.c.day, edge.first_day, edge.last_day)
        pieces.append(_rolled(daily, part, only).where(days))
    pieces += [_rows(only).where(which) for which in besides(requests, known.requests, edge)]
    return union_all(*pieces).subquery("alike")


def calls_alike(span: Span, known: Marks) -> FromClause:
    """All rows of `attempts` of a period, those that are alike together.

    Returns:
        the columns of `hourly_calls` but for the hour.
    """
    edge = borders(span, known.pruned)
    c = hourly_calls.c
    hours = select(c.deployment, c.outcome, c.gate, c.checks, c.calls, c.cost_usd).where(
        between(c.hour, edge.first_hour, edge.last_hour)
    )
    a = attempts.c
    rows = select(
        a.deployment,
        a.outcome,
        func.coalesce(a.gate, "").label("gate"),
        func.coalesce(a.checks, 0).label("checks"),
        literal(1).label("calls"),
        a.cost_usd,
    )
    after = besides(attempts, known.attempts, edge)
    return union_all(hours, *(rows.where(which) for which in after)).subquery("calls_alike")


def times_alike(span: Span, known: Marks, measure: str) -> FromClause:
    """How many ok requests of a period took how long: columns `bucket` and `requests`."""
    edge = borders(span, known.pruned)
    column = requests.c.latency_s if measure == "latency" else requests.c.ttft_s
    longer = case((column > LEAST_S, column), else_=LEAST_S)
    c = hourly_times.c
    hours = select(c.bucket, c.requests).where(
        c.measure == measure, between(c.hour, edge.first_hour, edge.last_hour)
    )
    rows = select(
        Whole(func.ln(longer / LEAST_S) / math.log(RATIO)).label("bucket"),
        literal(1).label("requests"),
    ).where(
        column.is_not(None),
        requests.c.shape.in_(select(shapes.c.id).where(shapes.c.status == "ok")),
    )
    after = besides(requests, known.requests, edge)
    return union_all(hours, *(rows.where(which) for which in after)).subquery("times_alike")


def _from_a_day(span: Span, known: Marks) -> Span:
    """A period that begins with the day if rows at its beginning may be gone.

    Of hours before a ledger knew organisations by the hour there are only rows.
    """
    since, until = span
    return (_down(since, DAY_S) if known.pruned and since < known.pruned else since), until


def _rolled(table: Any, part: Part, only: Bounds) -> Select[Any]:
    time = table.c.day if "day" in table.c else table.c.hour
    keys = (time.label("hour"), table.c.shape, table.c.owner, table.c.checks)
    chosen = select(*keys, *(table.c[name] for name in FIGURES))
    return chosen.where(table.c.part == int(part), *only.sums(table, part))


def _rows(only: Bounds) -> Select[Any]:
    """Rows of `requests` as if each were an hour's figures of its own."""
    r = requests.c
    saving = r.reference_cost_usd - r.cost_usd
    made: dict[str, ColumnElement[Any]] = {
        "requests": literal(1),
        "cost_squares": r.cost_usd * r.cost_usd,
        "reference_squares": r.reference_cost_usd * r.reference_cost_usd,
        "saving_squares": saving * saving,
        "latency_squares": r.latency_s * r.latency_s,
    }
    owner = func.coalesce(r.owner, 0)
    return select(
        (Whole(r.at / HOUR_S) * HOUR_S).label("hour"),
        r.shape,
        owner.label("owner"),
        func.coalesce(r.checks, 0).label("checks"),
        *(made[name].label(name) if name in made else r[name] for name in FIGURES),
    ).where(*only.rows(r.shape, r.owner))


def besides(table: Any, mark: int, edge: Borders) -> list[ColumnElement[bool]]:
    """Which rows of a period are in none of its whole hours, or not added up yet.

    One by one, so that each is found by an index.
    """
    at, seq = table.c.at, table.c.seq
    first = edge.since > -math.inf
    fresh = [seq > mark, at <= edge.until, *([at >= edge.since] if first else [])]
    found = [and_(*fresh)]
    if edge.last_hour < math.inf:
        found.append(and_(at >= max(edge.last_hour, edge.since), at <= edge.until, seq <= mark))
    if first and edge.first_hour > edge.since:
        found.append(and_(at >= edge.since, at < edge.first_hour, seq <= mark))
    return found


def between(column: ColumnElement[int], begin: float, end: float) -> ColumnElement[bool]:
    """From one time until before another. As whole numbers, so that an index can be used."""
    if begin >= end:
        return false()
    terms = [column >= int(begin)] if begin > -math.inf else []
    if end < math.inf:
        terms.append(column < int(end))
    return and_(true(), *terms)


def _down(at: float, unit: int) -> float:
    return at if math.isinf(at) else math.floor(at / unit) * unit


def _up(at: float, unit: int) -> float:
    return at if math.isinf(at) else math.ceil(at / unit) * unit
