"""Reads what reports are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select, union_all

from tierwise.ledger import histogram
from tierwise.ledger.feedback import SOURCES
from tierwise.ledger.rolled import Marks, alike, calls_alike, times_alike
from tierwise.ledger.rollup import Part
from tierwise.ledger.rows import Check, Shape, read_check
from tierwise.ledger.schema import SHAPE_COLUMNS
from tierwise.ledger.sums import Calls, Labels, Span, Sum
from tierwise.ledger.tables import checks, feedback, requests, shapes

EXACT = 100_000
"""Percentiles of so many requests are exact; of more they are read from a histogram."""

_SUMS = (
    *("requests", "cost_usd", "reference_cost_usd", "wasted_usd", "input_tokens"),
    *("output_tokens", "cached_input_tokens", "cache_write_tokens"),
)


def read_sums(connection: Connection, span: Span, known: Marks) -> list[Sum]:
    """The requests of a period."""
    said, labels = _checks(connection), _shapes(connection)
    found = alike(span, known, Part.SHAPES)
    rows = connection.execute(
        select(
            found.c.shape, found.c.checks, *(func.sum(found.c[name]).label(name) for name in _SUMS)
        ).group_by(found.c.shape, found.c.checks)
    )
    return [
        Sum(
            labels[row.shape],
            said.get(row.checks),
            int(row.requests),
            row.cost_usd,
            row.reference_cost_usd,
            row.wasted_usd,
            # PostgreSQL adds whole numbers up to decimals.
            int(row.input_tokens),
            int(row.output_tokens),
            int(row.cached_input_tokens),
            int(row.cache_write_tokens),
        )
        for row in rows
    ]


def read_calls(connection: Connection, span: Span, known: Marks) -> list[Calls]:
    """The calls behind the requests of a period, but for single ones that were accepted."""
    said = _checks(connection)
    found = calls_alike(span, known)
    keys = (found.c.deployment, found.c.outcome, found.c.gate, found.c.checks)
    rows = connection.execute(
        select(*keys, func.sum(found.c.calls), func.sum(found.c.cost_usd)).group_by(*keys)
    )
    return [
        Calls(deployment, outcome, gate or None, said.get(check), int(calls), cost_usd)
        for deployment, outcome, gate, check, calls, cost_usd in rows
    ]


def read_labels(connection: Connection, span: Span) -> list[Labels]:
    """What was said later, whenever that was, of the whole answers of a period.

    Of each answer one opinion counts, as in `feedback.decisive`.
    """
    said, labels = _checks(connection), _shapes(connection)
    rank = case({source: place for place, source in enumerate(SOURCES)}, value=feedback.c.source)
    place = func.row_number().over(
        partition_by=feedback.c.request_id,
        order_by=(rank, feedback.c.at.desc(), feedback.c.seq.desc()),
    )
    copied = ("asked_at", "shape", "checks")
    opinions = (
        select(
            feedback.c.request_id,
            feedback.c.score,
            *(feedback.c[name] for name in copied),
            place.label("place"),
        )
        .where(feedback.c.source.in_(SOURCES))
        .cte("opinions")  # which both halves below read
    )
    c, r = opinions.c, requests.c
    known = select(c.shape, c.checks, c.score).where(
        c.place == 1, c.shape.is_not(None), _within(c.asked_at, span)
    )
    # Of the others nobody has looked the request up yet.
    fresh = (
        select(r.shape, r.checks, c.score)
        .join_from(opinions, requests, r.id == c.request_id)
        .where(c.place == 1, c.shape.is_(None), _within(r.at, span))
    )
    found = union_all(known, fresh).subquery("rated")
    keys = (found.c.shape, found.c.checks)
    rows = connection.execute(select(*keys, func.count(), func.sum(found.c.score)).group_by(*keys))
    return [
        Labels(labels[shape], said.get(check), answers, total)
        for shape, check, answers, total in rows
        if labels[shape].status == "ok"
    ]


def read_percentiles(
    connection: Connection,
    span: Span,
    known: Marks,
    measure: str,
    fractions: Sequence[float],
    ok: int,
) -> list[float | None]:
    """Nearest-rank percentiles of `latency` or `ttft` over the ok requests of a period.

    Args:
        ok: how many of those there are.
    """
    gone = known.pruned and span[0] < known.pruned
    if ok <= EXACT and not gone:
        return _exact(connection, span, measure, fractions)
    found = times_alike(span, known, measure)
    rows = connection.execute(
        select(found.c.bucket, func.sum(found.c.requests)).group_by(found.c.bucket)
    )
    return histogram.percentiles({bucket: int(n) for bucket, n in rows}, fractions)


def _exact(
    connection: Connection, span: Span, measure: str, fractions: Sequence[float]
) -> list[float | None]:
    column = requests.c.latency_s if measure == "latency" else requests.c.ttft_s
    ranked = (
        select(
            column.label("value"),
            func.row_number().over(order_by=column).label("place"),
            func.count().over().label("total"),
        )
        .where(_within(requests.c.at, span), column.is_not(None))
        .where(requests.c.shape.in_(select(shapes.c.id).where(shapes.c.status == "ok")))
        .subquery("ranked")
    )
    total = connection.execute(select(func.max(ranked.c.total))).scalar()
    if not total:
        return [None] * len(fractions)
    places = [max(1, math.ceil(fraction * total)) for fraction in fractions]
    wanted: Select[tuple[int, float]] = select(ranked.c.place, ranked.c.value)
    rows = connection.execute(wanted.where(ranked.c.place.in_(places)))
    found = {row.place: row.value for row in rows}
    return [found[place] for place in places]


def _within(at: ColumnElement[float], span: Span) -> ColumnElement[bool]:
    since, until = span
    return at <= until if since == -math.inf else and_(at >= since, at <= until)


def _checks(connection: Connection) -> dict[int | None, Check]:
    """All that gates have ever said, by number: few, however many answers there were."""
    return {row.id: read_check(row.said) for row in connection.execute(select(checks))}


def _shapes(connection: Connection) -> dict[int, Shape]:
    wanted = select(shapes.c.id, *(shapes.c[name] for name in SHAPE_COLUMNS))
    return {row.id: Shape._make(row[1:]) for row in connection.execute(wanted)}
