"""Models: how they are, what they cost, and what quality costs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection
from starlette.responses import Response

from tierwise.catalog import cost
from tierwise.dashboard.context import Visit
from tierwise.dashboard.overview import expected_of
from tierwise.dashboard.paged import paged
from tierwise.dashboard.plot import NARROW, WIDE, Placed, plot
from tierwise.dashboard.scope import asked_by
from tierwise.ledger.glance import records
from tierwise.ledger.pages import Total, totals
from tierwise.state.status import DeploymentStatus, Standing
from tierwise.types import CACHE, Model, Record

SAMPLE = 500
"""So many of the newest records tell what was expected of models."""
WEEK_S = 7 * 86_400
ROUTER = "Tierwise"
"""What the plot calls it."""
STATES: Mapping[Standing, str] = {
    "ready": "ready",
    "full": "at its limit",
    "half_open": "being tried again",
    "resting": "resting",
    "open": "out",
    "ejected": "set aside",
    "drained": "drained",
}
"""How a deployment stands, as people read it."""


class Compared(Struct, frozen=True):
    """The router beside the best single model: its quality and cost as fractions of that one's."""

    best: str
    quality: float
    cost: float


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
    placed = _placed(newest, visit.face.orchestrator.setup.models)
    return visit.page(
        "models.html",
        title="Models",
        rows=paged(_rows(visit, found), visit.request.query_params, _texts),
        plots=[drawn for size in (WIDE, NARROW) if (drawn := plot(placed, size)) is not None],
        compared=_compared(placed),
        sampled=len(newest),
        states=STATES,
    )


def _texts(row: Row) -> Iterable[str]:
    """What a model is found by; its places only by those who are shown them."""
    return (row.model.id, *(status.id for status in row.statuses))


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


def _placed(newest: Sequence[Record], models: Mapping[str, Model]) -> list[Placed]:
    """Mean cost and quality of each model and of the router, on the same requests.

    A model's cost is what its list prices make of the tokens of the answer that was given, as the
    reference's is; its quality what was expected of it. The router's cost is all that was billed,
    its quality what was expected of those who answered.
    """
    sums: dict[str, list[float]] = {}
    billed = quality = 0.0
    count = 0
    for record in newest:
        pair = expected_of(record)
        if pair is None or record.deployment == CACHE:
            continue
        count += 1
        billed += record.cost_usd
        quality += pair[0]
        usage = msgspec.structs.replace(record.usage, cost_usd=None)
        for candidate in record.decision.candidates:
            model = models.get(candidate.model)
            if candidate.estimate is not None and model is not None:
                mine = sums.setdefault(candidate.model, [0.0, 0.0, 0.0])
                mine[0] += 1
                mine[1] += cost(usage, model.prices)
                mine[2] += candidate.estimate.quality
    # One that was a candidate for a few requests alone is measured on others than the rest.
    placed = [
        Placed(name, spent / n, good / n)
        for name, (n, spent, good) in sums.items()
        if n >= 0.5 * count
    ]
    if count:
        placed.append(Placed(ROUTER, billed / count, quality / count, routed=True))
    return placed


def _compared(placed: Sequence[Placed]) -> Compared | None:
    """The router beside the best single model; None where there is not both."""
    router = next((one for one in placed if one.routed), None)
    alone = [one for one in placed if not one.routed and one.cost > 0 and one.quality > 0]
    if router is None or not alone:
        return None
    best = max(alone, key=lambda one: (one.quality, -one.cost))
    return Compared(best.name, router.quality / best.quality, router.cost / best.cost)
