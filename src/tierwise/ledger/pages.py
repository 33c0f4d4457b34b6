"""What the pages of a dashboard show: totals, savings, and requests that are searched for.

All take a connection of `reading` or `Ledger.reading`, and an `Asked` that says which requests are
meant; what is left out of it does not matter. Totals come from `hourly` and `daily`, so they stay
quick however many requests there were; a search reads rows, by an index.
"""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    func,
    select,
    tuple_,
)

from tierwise.ledger.asked import Asked, bounds_of, part_of
from tierwise.ledger.newest import in_time, newest
from tierwise.ledger.rolled import alike, open_ended, read_marks
from tierwise.ledger.rollup import DAY_S
from tierwise.ledger.schema import OWNER_COLUMNS, SHAPE_COLUMNS
from tierwise.ledger.tables import (
    owners,
    requests,
    shapes,
)

_Z = 1.959963984540054
"""Of the normal distribution, 95 % lies within so many standard deviations of its mean."""
BY = frozenset({"hour", "day", "owner", *SHAPE_COLUMNS, *OWNER_COLUMNS})
"""What totals may be grouped by."""


class Total(Struct, frozen=True, kw_only=True):
    """Requests that have `names` in common, in the order in which they were asked for.

    Money in USD; `latency_s` is the mean. Hours and days are Unix times of their beginnings, in
    UTC; '' and -1 mean "none".
    """

    names: tuple[str | int, ...]
    requests: int
    cost_usd: float
    reference_cost_usd: float
    saving_usd: float
    wasted_usd: float
    input_tokens: int
    output_tokens: int
    latency_s: float


class Saving(Struct, frozen=True, kw_only=True):
    """What was saved against the reference, with its 95 % interval.

    `usd` is the sum over `requests`, `fraction` its share of the reference cost, None where that is
    0. What varies is which requests came: the interval is the normal approximation from the sums
    and the sums of squares of single requests; that of the fraction is of a ratio of two sums, by
    the delta method. With few requests or very unequal ones it is too narrow.
    """

    requests: int
    usd: float
    usd_low: float
    usd_high: float
    fraction: float | None
    fraction_low: float | None
    fraction_high: float | None


class Found(Struct, frozen=True, kw_only=True):
    """One request of a search. Money in USD, times in seconds, `at` a Unix time."""

    id: str
    at: float
    status: str
    policy: str
    model: str
    deployment: str
    tier: int
    kind: str
    domain: str
    escalated: bool
    failovers: int
    error: str
    cost_usd: float
    reference_cost_usd: float
    latency_s: float
    ttft_s: float | None
    input_tokens: int
    output_tokens: int
    key: str | None
    user: str | None
    team: str | None
    org: str | None


class Page(Struct, frozen=True, kw_only=True):
    """Some of what was found, the newest first; `next` continues, None at the end."""

    found: tuple[Found, ...]
    next: tuple[float, int] | None


def totals(connection: Connection, asked: Asked, *by: str) -> list[Total]:
    """The requests by any of `BY`, one or several together; all in one without any."""
    known = read_marks(connection)
    only = bounds_of(connection, asked)
    span = open_ended(connection, requests, (asked.since, asked.until))
    found = alike(span, known, part_of(only, by), only=only, by_hour="hour" in by)
    columns = [_column(found, name).label(f"by_{place}") for place, name in enumerate(by)]
    tables = found
    if any(name in shapes.c for name in by):
        tables = tables.join(shapes, shapes.c.id == found.c.shape)
    if any(name in OWNER_COLUMNS for name in by):
        tables = tables.outerjoin(owners, owners.c.id == found.c.owner)
    sums = [func.sum(found.c[name]).label(name) for name in SUMS]
    wanted = select(*columns, *sums).select_from(tables).group_by(*columns).order_by(*columns)
    return [total_of(row, len(by)) for row in connection.execute(wanted) if row.requests]


def saving(connection: Connection, asked: Asked) -> Saving:
    """What the requests saved against the reference, with its 95 % interval.

    Answers out of the cache are left out, unless they are asked for: what they saved is what they
    cost when they were made.
    """
    if asked.cache is None:
        asked = replace(asked, cache=False)
    known = read_marks(connection)
    only = bounds_of(connection, asked)
    span = open_ended(connection, requests, (asked.since, asked.until))
    found = alike(span, known, part_of(only), only=only)
    names = ("requests", "cost_usd", "reference_cost_usd")
    squares = ("cost_squares", "reference_squares", "saving_squares")
    row = connection.execute(
        select(*(func.coalesce(func.sum(found.c[n]), 0).label(n) for n in (*names, *squares)))
    ).one()
    return saving_of(
        int(row.requests),
        float(row.cost_usd),
        float(row.reference_cost_usd),
        (float(row.cost_squares), float(row.reference_squares), float(row.saving_squares)),
    )


def saving_of(
    count: int, cost: float, reference: float, squares: tuple[float, float, float]
) -> Saving:
    """The same from sums over so many requests.

    Args:
        squares: sums of squares of costs, reference costs and savings.
    """
    cost_squares, reference_squares, saving_squares = squares
    usd = reference - cost
    half = _Z * math.sqrt(_spread(count, usd, saving_squares))
    fraction = usd / reference if reference else None
    part = 0.0
    if fraction is not None:
        # (reference - cost) / reference = 1 - cost / reference, and a product of two is known
        # from their squares and that of their difference.
        product = (cost_squares + reference_squares - saving_squares) / 2
        ratio = cost / reference
        residual = cost_squares - 2 * ratio * product + ratio * ratio * reference_squares
        part = _Z * math.sqrt(_spread(count, 0.0, residual)) / reference
    return Saving(
        requests=count,
        usd=usd,
        usd_low=usd - half,
        usd_high=usd + half,
        fraction=fraction,
        fraction_low=None if fraction is None else fraction - part,
        fraction_high=None if fraction is None else fraction + part,
    )


def search(
    connection: Connection,
    asked: Asked,
    *,
    id_begins: str = "",
    before: tuple[float, int] | None = None,
    limit: int = 50,
) -> Page:
    """The newest requests that are meant.

    Args:
        id_begins: the beginning of their ids.
        before: `next` of the page before this one.
        limit: how many at most.
    """
    only = bounds_of(connection, asked)
    c = requests.c
    until = asked.until if before is None else min(asked.until, before[0])
    if id_begins:
        which = [*in_time(c.at, asked.since, until), *only.rows(c.shape, c.owner)]
        which += [c.id >= id_begins, c.id < id_begins + "\U0010ffff"]
    else:
        which = newest(connection, only, asked.since, until, limit + 1)
    wanted = (
        select(c.seq, *(c[name] for name in _FIGURES), *_labels())
        .join_from(requests, shapes, shapes.c.id == c.shape)
        .outerjoin(owners, owners.c.id == c.owner)
        .where(*which)
        .order_by(c.at.desc(), c.seq.desc())
        .limit(limit + 1)
    )
    if before is not None:
        wanted = wanted.where(tuple_(c.at, c.seq) < tuple_(*before))
    rows = connection.execute(wanted).all()
    shown = rows[:limit]
    following = (shown[-1].at, shown[-1].seq) if len(rows) > limit else None
    return Page(found=tuple(_found(row) for row in shown), next=following)


SUMS = (
    *("requests", "cost_usd", "reference_cost_usd", "wasted_usd", "input_tokens"),
    *("output_tokens", "latency_s"),
)
_FIGURES = (
    *("id", "at", "cost_usd", "reference_cost_usd", "latency_s", "ttft_s"),
    *("input_tokens", "output_tokens"),
)
_SHAPE_FIELDS = tuple(name for name in SHAPE_COLUMNS if name not in ("small", "plain"))
_OWNER_FIELDS = ("key", "user", "team", "org")


def _column(found: FromClause, name: str) -> ColumnElement[Any]:
    if name == "day":
        return found.c.hour - found.c.hour % DAY_S
    if name in ("hour", "owner"):
        return found.c[name]
    if name in OWNER_COLUMNS:
        return func.coalesce(owners.c[name], "")
    return shapes.c[name]


def _labels() -> list[ColumnElement[Any]]:
    return [
        *(shapes.c[name] for name in _SHAPE_FIELDS),
        *(owners.c[name] for name in _OWNER_FIELDS),
    ]


def total_of(row: Any, names: int) -> Total:
    count = int(row.requests)
    return Total(
        names=tuple(row[:names]),
        requests=count,
        cost_usd=row.cost_usd,
        reference_cost_usd=row.reference_cost_usd,
        saving_usd=row.reference_cost_usd - row.cost_usd,
        wasted_usd=row.wasted_usd,
        input_tokens=int(row.input_tokens),
        output_tokens=int(row.output_tokens),
        latency_s=row.latency_s / count,
    )


def _found(row: Any) -> Found:
    said = row._mapping
    labels: dict[str, Any] = {name: said[name] for name in (*_SHAPE_FIELDS, *_FIGURES)}
    whose = {name: said[name] or None for name in _OWNER_FIELDS}
    return Found(**{**labels, **whose, "escalated": bool(row.escalated)})


def _spread(count: int, total: float, squares: float) -> float:
    """The variance of a sum of so many values, from their sum and the sum of their squares."""
    if count < 2:
        return 0.0
    return max(0.0, (squares - total * total / count) * count / (count - 1))
