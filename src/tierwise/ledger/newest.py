"""How the newest of some requests are found without looking through all others."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from tierwise.ledger.asked import part_of
from tierwise.ledger.rolled import Bounds
from tierwise.ledger.rollup import DAY_S, HOUR_S, Part
from tierwise.ledger.tables import daily, hourly, requests

FEW = 2000
"""So many rows are sorted in no time, however they were found."""


def newest(
    connection: Connection, only: Bounds, since: float, until: float, count: int
) -> list[ColumnElement[bool]]:
    """What holds for the newest so many of these requests of a period, and for few others.

    It is said so that a database takes an index in which these are together: by itself it would
    look through the requests by time for what is rare, since it does not know how rare that is.
    """
    c = requests.c
    seen = 0
    if only.any:
        since, seen = _reach(connection, only, since, until, count)
    which = [*in_time(c.at, since, until), *only.rows(c.shape, c.owner)]
    if only.shape is None or only.owner is None or seen > FEW:
        return which
    found = select(c.seq).where(*which).cte("found").prefix_with("MATERIALIZED")
    return [c.seq.in_(select(found.c.seq))]


def in_time(at: ColumnElement[float], since: float, until: float) -> list[ColumnElement[bool]]:
    """What holds for times of a period."""
    bounds = []
    if since > -math.inf:
        bounds.append(at >= since)
    if until < math.inf:
        bounds.append(at <= until)
    return bounds


class _Reach(NamedTuple):
    """A time, and how many were seen since then."""

    since: float
    seen: int


def _reach(connection: Connection, only: Bounds, since: float, until: float, count: int) -> _Reach:
    """A time since which there are that many of these requests until another, if there are."""
    found = _enough(connection, daily, "day", DAY_S, only, since, until, count)
    if part_of(only) is Part.BOTH:
        return found
    return _enough(connection, hourly, "hour", HOUR_S, only, found.since, until, count)


def _enough(
    connection: Connection,
    table: Any,
    time: str,
    unit: int,
    only: Bounds,
    since: float,
    until: float,
    count: int,
) -> _Reach:
    column, part = table.c[time], part_of(only)
    bounds = []
    if not math.isinf(since):
        bounds.append(column >= math.floor(since / unit) * unit)
    if not math.isinf(until):
        # What lies partly after `until` may not count.
        bounds.append(column < math.floor(until / unit) * unit)
    found = connection.execute(
        select(column, func.sum(table.c.requests))
        .where(table.c.part == int(part), *bounds, *only.sums(table, part))
        .group_by(column)
        .order_by(column.desc())
    )
    seen = 0
    for at, requests_then in found:
        seen += int(requests_then)
        if seen >= count:
            return _Reach(max(since, float(at)), seen)
    return _Reach(since, seen)
