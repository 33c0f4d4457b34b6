"""Single records and what was said of them, out of any database."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from tierwise.ledger import bundles as packed
from tierwise.ledger import tables
from tierwise.ledger.asides import Aside, guardrails_in, owner_in
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.schema import (
    ASIDE_COLUMNS,
    ATTEMPT_COLUMNS,
    FEEDBACK_COLUMNS,
    OWNER_COLUMNS,
)
from tierwise.ledger.tables import bundles, feedback, requests
from tierwise.types import Attempt, Record, Usage

_FEEDBACK_FIELDS = Feedback.__struct_fields__


def record(connection: Connection, decision_id: str) -> Record | None:
    """As `store.Store.get`."""
    row = connection.execute(
        select(bundles.c.id, bundles.c.codec, bundles.c.records, requests.c.slot)
        .join_from(requests, bundles, bundles.c.id == requests.c.bundle)
        .where(requests.c.id == decision_id)
        .order_by(requests.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else packed.wanted(decision_id, *row)


def opinions(connection: Connection, decision_id: str) -> list[Feedback]:
    """All opinions of a decision's answer, the oldest first."""
    rows = connection.execute(
        select(*(feedback.c[name] for name in FEEDBACK_COLUMNS))
        .where(feedback.c.request_id == decision_id)
        .order_by(feedback.c.at, feedback.c.seq)
    )
    return [Feedback(**dict(zip(_FEEDBACK_FIELDS, row, strict=True))) for row in rows]


def asides(connection: Connection, which: ColumnElement[bool], limit: int | None) -> list[Aside]:
    """Those that a condition holds for, newest first, with their attempts."""
    c, o = tables.asides.c, tables.owners.c
    wanted = (
        select(*(c[name] for name in ASIDE_COLUMNS), *(o[name] for name in OWNER_COLUMNS))
        .join_from(tables.asides, tables.owners, c.owner == o.id, isouter=True)
        .where(which)
    )
    rows = connection.execute(wanted.order_by(c.at.desc(), c.seq.desc()).limit(limit)).all()
    calls: dict[tuple[float, str], list[Attempt]] = {}
    a = tables.attempts.c
    for call in connection.execute(
        select(*(a[name] for name in ATTEMPT_COLUMNS))
        .where(a.at.in_([row.at for row in rows]), a.request_id.in_([row.id for row in rows]))
        .order_by(a.request_id, a.idx)
    ):
        calls.setdefault((call.at, call.request_id), []).append(_attempt(call))
    return [_aside(row, calls.get((row.at, row.id), [])) for row in rows]


def _aside(row: Any, attempts: list[Attempt]) -> Aside:
    given = {name: row._mapping[name] for name in ASIDE_COLUMNS}
    del given["failovers"], given["error_kind"]
    given["guardrails"] = guardrails_in(given["guardrails"])
    given["owner"] = owner_in(row[len(ASIDE_COLUMNS) :])
    return Aside(**given, attempts=tuple(attempts))


def _attempt(row: Any) -> Attempt:
    return Attempt(
        deployment=row.deployment,
        model=row.model,
        tier=row.tier,
        outcome=row.outcome,
        status=row.status,
        usage=Usage(input_tokens=row.input_tokens, output_tokens=row.output_tokens),
        cost_usd=row.cost_usd,
        latency_s=row.latency_s,
        error=row.error,
    )


def page(
    connection: Connection, *, since: float, before: tuple[float, int] | None, limit: int
) -> list[tuple[tuple[float, int], Record | None]]:
    """As `store.Store.page`."""
    c = requests.c
    wanted: Select[tuple[float, int, int, int]] = select(c.at, c.seq, c.bundle, c.slot)
    wanted = wanted.order_by(c.at.desc(), c.seq.desc()).limit(limit)
    if since > -math.inf:
        wanted = wanted.where(c.at >= since)
    if before is not None:
        at, seq = before
        # The first says nothing new, but an index on the time alone can use it.
        wanted = wanted.where(c.at <= at, tuple_(c.at, c.seq) < tuple_(at, seq))
    rows = connection.execute(wanted).all()
    numbers = sorted({row.bundle for row in rows})
    chosen = select(bundles.c.id, bundles.c.codec, bundles.c.records)
    found = {
        number: packed.readable(number, codec, data)
        for number, codec, data in connection.execute(chosen.where(bundles.c.id.in_(numbers)))
    }
    return [
        ((row.at, row.seq), packed.record(found[row.bundle], row.bundle, row.slot)) for row in rows
    ]
