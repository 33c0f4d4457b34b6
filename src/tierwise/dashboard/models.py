"""Models: how they are, what they cost, and what quality costs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection
from starlette.responses import Response

from tierwise.dashboard import charts
from tierwise.dashboard.context import Visit
from tierwise.dashboard.overview import expected_of
from tierwise.dashboard.scope import asked_by
from tierwise.ledger.pages import Total, records, totals
from tierwise.state.status import DeploymentStatus
from tierwise.types import Model, Record

SAMPLE = 500
"""So many of the newest records tell what was expected of models."""
WEEK_S = 7 * 86_400


class Row(Struct, frozen=True, kw_only=True):
    """A model, and how its deployments are; `statuses` only for those who may know."""

    model: Model
    places: tuple[str, ...]
    available: bool
    statuses: tuple[DeploymentStatus, ...]
    shadow_price: float
    requests: int
    share: float
    latency_s: float | None


async def show(visit: Visit) -> Response:
    """`GET /dashboard/models`."""
    asked = asked_by(visit.visitor, since=time.time() - WEEK_S)

    def read(connection: Connection) -> tuple[list[Total], list[Record]]:
        return totals(connection, asked, "model"), records(connection, asked, limit=SAMPLE)

    found, newest = await visit.reading(read)
    plot = charts.plot(_placed(newest))
    return visit.page(
        "models.html", title="Models", rows=_rows(visit, found), plot=plot, sampled=len(newest)
    )


def _rows(visit: Visit, found: Sequence[Total]) -> list[Row]:
    orchestrator, visitor = visit.face.orchestrator, visit.visitor
    known = {str(total.names[0]): total for total in found}
    requests = sum(total.requests for total in found)
    statuses: dict[str, list[DeploymentStatus]] = {}
    for status in orchestrator.health.snapshot():
        statuses.setdefault(status.model, []).append(status)
    scarce = orchestrator.health.scarcity.prices
    rows = []
    for name, model in orchestrator.setup.models.items():
        if visitor.models and name not in visitor.models:
            continue
        total = known.get(name)
        mine = statuses.get(name, [])
        rows.append(
            Row(
                model=model,
                places=tuple(s.id for s in mine),
                available=any(s.state == "ready" for s in mine),
                statuses=tuple(mine) if visitor.watches or visitor.operates else (),
                shadow_price=scarce.get(name, 0.0),
                requests=total.requests if total is not None else 0,
                share=total.requests / requests if total is not None and requests else 0.0,
                latency_s=total.latency_s if total is not None else None,
            )
        )
    return sorted(rows, key=lambda row: (-row.requests, row.model.id))


def _placed(newest: Sequence[Record]) -> list[charts.Placed]:
    """Mean cost and quality of each model, as expected on the same requests, and of the router.

    The router's cost is what was billed, its quality what was expected of those who answered.
    """
    sums: dict[str, list[float]] = {}
    billed = quality = 0.0
    count = 0
    for record in newest:
        pair = expected_of(record)
        if pair is None:
            continue
        count += 1
        billed += record.cost_usd
        quality += pair[0]
        for candidate in record.decision.candidates:
            if candidate.estimate is not None:
                mine = sums.setdefault(candidate.model, [0.0, 0.0, 0.0])
                mine[0] += 1
                mine[1] += candidate.estimate.cost_usd
                mine[2] += candidate.estimate.quality
    # One that was a candidate for a few requests alone is measured on others than the rest.
    placed = [
        charts.Placed(name, cost / n, good / n)
        for name, (n, cost, good) in sums.items()
        if n >= 0.5 * count
    ]
    if count:
        placed.append(charts.Placed("Tierwise", billed / count, quality / count, routed=True))
    return placed
