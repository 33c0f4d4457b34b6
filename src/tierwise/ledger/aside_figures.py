"""Reads what a report says of requests that are for no answer."""

from __future__ import annotations

import math

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from tierwise.ledger.asides import EMBEDDINGS, PassedGroup
from tierwise.ledger.rows import Shape
from tierwise.ledger.sums import Span, Sum
from tierwise.ledger.tables import asides


def read_embedding_sums(connection: Connection, span: Span) -> list[Sum]:
    """The requests for embeddings of a period."""
    c = asides.c
    model = func.coalesce(c.model, "").label("model")
    deployment = func.coalesce(c.deployment, "").label("deployment")
    labels = (c.status, model, deployment, c.failovers, c.error_kind)
    rows = connection.execute(
        select(
            *labels,
            func.count().label("requests"),
            func.coalesce(func.sum(c.cost_usd), 0.0).label("cost_usd"),
            func.coalesce(func.sum(c.input_tokens), 0).label("tokens"),
        )
        .where(_within(span), c.kind == EMBEDDINGS)
        .group_by(*labels)
    )
    return [
        Sum(
            Shape(
                status=row.status,
                policy=EMBEDDINGS,
                model=row.model,
                deployment=row.deployment,
                tier=-1,
                kind=EMBEDDINGS,
                domain=EMBEDDINGS,
                small=0,
                plain=0,
                escalated=0,
                failovers=row.failovers,
                error=row.error_kind if row.status == "error" else "",
            ),
            check=None,
            requests=row.requests,
            cost_usd=row.cost_usd,
            reference_cost_usd=row.cost_usd,
            wasted_usd=0.0,
            input_tokens=int(row.tokens),
            output_tokens=0,
            cached_input_tokens=0,
            cache_write_tokens=0,
        )
        for row in rows
    ]


def read_passed(connection: Connection, span: Span) -> dict[str, PassedGroup]:
    """The calls of a period that were passed through, by `provider/kind`, the most first."""
    c = asides.c
    provider = func.coalesce(c.provider, "").label("provider")
    rows = connection.execute(
        select(
            provider,
            c.kind,
            func.count().label("requests"),
            _count(c.status == "ok").label("ok"),
            _count(c.status == "error").label("errors"),
            _count(c.status == "cancelled").label("cancelled"),
            func.coalesce(func.sum(c.cost_usd), 0.0).label("cost_usd"),
            _count(c.cost_usd.is_(None)).label("unknown_cost"),
            func.coalesce(func.sum(c.input_tokens), 0).label("input_tokens"),
            func.coalesce(func.sum(c.output_tokens), 0).label("output_tokens"),
        )
        .where(_within(span), c.kind != EMBEDDINGS)
        .group_by(provider, c.kind)
    )
    found = {
        f"{row.provider}/{row.kind}": PassedGroup(
            requests=row.requests,
            ok=int(row.ok),
            errors=int(row.errors),
            cancelled=int(row.cancelled),
            cost_usd=row.cost_usd,
            unknown_cost=int(row.unknown_cost),
            input_tokens=int(row.input_tokens),
            output_tokens=int(row.output_tokens),
        )
        for row in rows
    }
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].requests, pair[0])))


def _count(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((which, 1), else_=0))


def _within(span: Span) -> ColumnElement[bool]:
    since, until = span
    at = asides.c.at
    return at <= until if since == -math.inf else and_(at >= since, at <= until)
