"""Reads what is said of requests that are for no answer: from hours, days, and rows after those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from tierwise.ledger.asides import EMBEDDINGS, PassedGroup
from tierwise.ledger.newest import in_time
from tierwise.ledger.rolled import (
    Marks,
    Whole,
    besides,
    between,
    borders,
    open_ended,
    read_marks,
    whole_days,
)
from tierwise.ledger.rollup import ASIDE_FIGURES, DAY_S, HOUR_S
from tierwise.ledger.rows import Shape
from tierwise.ledger.schema import ASIDE_LABELS
from tierwise.ledger.sums import Span, Sum
from tierwise.ledger.tables import asides, daily_asides, hourly_asides


class Beside(Struct, frozen=True, kw_only=True):
    """Requests for no answer of a slot of time that are alike. Money in USD, `at` a Unix time.

    `unknown_cost` counts those of which nobody knows what they cost; '' stands for "none".
    """

    at: int
    kind: str
    provider: str
    model: str
    status: str
    requests: int
    cost_usd: float
    unknown_cost: int
    input_tokens: int
    output_tokens: int


def read_embedding_sums(connection: Connection, span: Span, known: Marks) -> list[Sum]:
    """The requests for embeddings of a period."""
    found = _alike(span, known)
    c = found.c
    labels = (c.status, c.model, c.deployment, c.failovers, c.error_kind)
    rows = connection.execute(
        select(
            *labels,
            func.sum(c.requests).label("requests"),
            func.sum(c.cost_usd).label("cost_usd"),
            func.sum(c.input_tokens).label("tokens"),
        )
        .where(c.kind == EMBEDDINGS)
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
            requests=int(row.requests),
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


def read_passed(connection: Connection, span: Span, known: Marks) -> dict[str, PassedGroup]:
    """The calls of a period that were passed through, by `provider/kind`, the most first."""
    found = _alike(span, known)
    c = found.c
    sums = [func.sum(c[name]).label(name) for name in ASIDE_FIGURES]
    counts = [
        func.sum(case((c.status == status, c.requests), else_=0)).label(name)
        for status, name in (("ok", "ok"), ("error", "errors"), ("cancelled", "cancelled"))
    ]
    rows = connection.execute(
        select(c.provider, c.kind, *sums, *counts)
        .where(c.kind != EMBEDDINGS)
        .group_by(c.provider, c.kind)
    )
    groups = {
        f"{row.provider}/{row.kind}": PassedGroup(
            requests=int(row.requests),
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
    return dict(sorted(groups.items(), key=lambda pair: (-pair[1].requests, pair[0])))


def read_beside(
    connection: Connection, span: Span, slot_s: int, owners: Sequence[int] | Select[Any] | None
) -> list[Beside]:
    """Those of a period by slots of so many seconds, and by what they were.

    Args:
        slot_s: a part of an hour, an hour, or a day.
        owners: whose; None for everybody's, also nobody's.
    """
    known = read_marks(connection)
    found = _alike(open_ended(connection, asides, span), known, slot_s, owners)
    c = found.c
    labels = (c.at, c.kind, c.provider, c.model, c.status)
    sums = [func.sum(c[name]).label(name) for name in ASIDE_FIGURES]
    rows = connection.execute(select(*labels, *sums).group_by(*labels))
    return [
        Beside(
            at=int(row.at),
            kind=row.kind,
            provider=row.provider,
            model=row.model,
            status=row.status,
            requests=int(row.requests),
            cost_usd=float(row.cost_usd),
            unknown_cost=int(row.unknown_cost),
            input_tokens=int(row.input_tokens),
            output_tokens=int(row.output_tokens),
        )
        for row in rows
    ]


def _alike(
    span: Span,
    known: Marks,
    slot_s: int = DAY_S,
    owners: Sequence[int] | Select[Any] | None = None,
) -> FromClause:
    """All of a period, those that are alike together: columns `at`, `ASIDE_LABELS`, and figures.

    `at` is the beginning of a slot of time.
    """
    time: ColumnElement[Any]
    if owners is None:
        edge, table, time = borders(span, known.pruned), hourly_asides, hourly_asides.c.hour
        whole = (edge.first_hour, edge.last_hour)
    else:
        edge, table, time = whole_days(span, known.pruned), daily_asides, daily_asides.c.day
        whole = (edge.first_day, edge.last_day)
    which = [] if owners is None else [asides.c.owner.in_(owners)]
    rows = _rows(slot_s).where(*which)
    if slot_s < HOUR_S or (owners is not None and slot_s < DAY_S):
        # So fine only rows tell.
        return rows.where(*in_time(asides.c.at, *span)).subquery("asides_alike")
    added = select(
        (time - time % slot_s).label("at"),
        *(table.c[name] for name in (*ASIDE_LABELS, *ASIDE_FIGURES)),
    ).where(between(time, *whole))
    if owners is not None:
        added = added.where(daily_asides.c.owner.in_(owners))
    after = besides(asides, known.asides, edge)
    return union_all(added, *(rows.where(which) for which in after)).subquery("asides_alike")


def _rows(slot_s: int) -> Select[Any]:
    """Rows of `asides` as if each were figures of its own."""
    c = asides.c
    second = cast(Whole(c.at), BigInteger)
    texts = ("provider", "model", "deployment")
    return select(
        (second - second % slot_s).label("at"),
        *(
            func.coalesce(c[name], "").label(name) if name in texts else c[name]
            for name in ASIDE_LABELS
        ),
        literal(1).label("requests"),
        func.coalesce(c.cost_usd, 0.0).label("cost_usd"),
        case((c.cost_usd.is_(None), 1), else_=0).label("unknown_cost"),
        func.coalesce(c.input_tokens, 0).label("input_tokens"),
        func.coalesce(c.output_tokens, 0).label("output_tokens"),
    )
