"""The first page: what was spent, saved and how well it was answered; it renews itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection
from starlette.responses import Response

from tierwise.dashboard import charts, words
from tierwise.dashboard.context import Visit
from tierwise.dashboard.face import Visitor
from tierwise.dashboard.periods import PERIODS, USUAL, Period
from tierwise.dashboard.scope import asked_by
from tierwise.ledger import aside_figures
from tierwise.ledger.aside_figures import read_beside
from tierwise.ledger.asides import EMBEDDINGS
from tierwise.ledger.asked import Asked, owners_of
from tierwise.ledger.glance import NOTHING, Amount, Sum, by_labels, by_slot, rated, records
from tierwise.ledger.pages import Saving, saving_of
from tierwise.types import CACHE, Record

SAMPLE = 200
"""So many of the newest records tell what quality was expected."""
_NONE = "no answer"


class Share(Struct, frozen=True, kw_only=True):
    """Some of the requests, as a part of all; money in USD."""

    name: str
    requests: int
    share: float
    cost_usd: float
    saving_usd: float


class Quality(Struct, frozen=True, kw_only=True):
    """How good answers are: as rated, and as expected beside what was expected of the reference."""

    rated: int
    score: float | None
    expected: float | None
    sampled: int


class Beside(Struct, frozen=True, kw_only=True):
    """Requests for no answer of a model, which are alike; money in USD.

    `unpriced` counts those of which nobody knows what they cost.
    """

    name: str
    requests: int
    failed: int
    cost_usd: float
    unpriced: int
    tokens: int


class Overview(Struct, frozen=True, kw_only=True):
    """Everything on the page.

    `requests` were for answers. `spent_usd` is all that is known to be spent: `beside_usd` of it on
    embeddings and on calls that were passed through, which are their own reference.

    `saving` is of the requests that left the choice to a policy and were answered by a model: what
    was given again is in `cached`, and who names a model has chosen for themselves.
    """

    period: Period
    requests: int
    spent_usd: float
    beside_usd: float
    reference_usd: float
    wasted_usd: float
    saving: Saving
    cached: Share
    quality: Quality
    by_tier: tuple[Share, ...]
    by_model: tuple[Share, ...]
    beside: tuple[Beside, ...]
    failed_over: int
    failovers: int
    escalated: int
    failed: int
    latency_s: float | None
    chart: charts.Columns
    narrow: charts.Columns
    slots: tuple[charts.Slot, ...]


async def show(visit: Visit) -> Response:
    """`GET /`; with `fragment` only what renews itself."""
    query = visit.request.query_params
    named = PERIODS.get(query.get("period", ""))
    now = time.time()

    def read(connection: Connection) -> Overview:
        found = overview(connection, visit.visitor, named or USUAL, now)
        if named is None and sum(1 for slot in found.slots if slot.requests) <= 1:
            return overview(connection, visit.visitor, PERIODS["1h"], now)
        return found

    found = await visit.reading(read)
    template = "_figures.html" if "fragment" in query else "overview.html"
    return visit.page(
        template, found=found, periods=PERIODS.values(), named=named, title="Overview"
    )


def overview(connection: Connection, visitor: Visitor, period: Period, now: float) -> Overview:
    """The figures of a period."""
    slot = period.slot_s
    since = (int(now) // slot + 1) * slot - period.lasts_s
    asked = asked_by(visitor, since=float(since), until=now)
    found, timed = by_labels(connection, asked, "hour" if period.by == "hour" else "day")
    if period.by == "slot":
        timed = by_slot(connection, asked, slot)
    requests = sum(one.requests for one in found)
    beside = read_beside(connection, (float(since), now), slot, owners_of(connection, asked))
    beside_usd = sum(one.cost_usd for one in beside)
    slots = _slots(timed, period, since, now, beside)
    return Overview(
        period=period,
        requests=requests,
        spent_usd=sum(one.cost_usd for one in found) + beside_usd,
        beside_usd=beside_usd,
        reference_usd=sum(one.reference_cost_usd for one in found) + beside_usd,
        wasted_usd=sum(one.wasted_usd for one in found),
        saving=_saving([one for one in found if one.policy and one.deployment != CACHE]),
        cached=_share("cache", [one for one in found if one.deployment == CACHE], requests),
        quality=_quality(connection, asked),
        by_tier=_shares(found, requests, _tier),
        by_model=_shares(found, requests, _model),
        beside=_beside(beside),
        failed_over=sum(one.requests for one in found if one.failovers),
        failovers=sum(one.requests * one.failovers for one in found),
        escalated=sum(one.requests for one in found if one.escalated),
        failed=sum(one.requests for one in found if one.status == "error"),
        latency_s=sum(one.latency_s for one in found) / requests if requests else None,
        chart=charts.columns(slots),
        narrow=charts.columns(slots, narrow=True),
        slots=tuple(slots),
    )


def _saving(some: Sequence[Sum]) -> Saving:
    return saving_of(
        sum(one.requests for one in some),
        sum(one.cost_usd for one in some),
        sum(one.reference_cost_usd for one in some),
        (
            sum(one.cost_squares for one in some),
            sum(one.reference_squares for one in some),
            sum(one.saving_squares for one in some),
        ),
    )


def _slots(
    timed: Mapping[int, Amount],
    period: Period,
    since: int,
    now: float,
    beside: Sequence[aside_figures.Beside],
) -> list[charts.Slot]:
    besides: dict[int, Amount] = {}
    for one in beside:
        more = one.requests, one.cost_usd, one.cost_usd
        besides[one.at] = besides.get(one.at, NOTHING).with_more(*more)
    made = []
    for at in range(since, int(now) + 1, period.slot_s):
        total, more_of = timed.get(at, NOTHING), besides.get(at, NOTHING)
        all_ = total.with_more(more_of.requests, more_of.cost_usd, more_of.reference_cost_usd)
        label = words.day(at) if period.by == "day" else words.moment(at)[11:16]
        slot = charts.Slot(label, all_.cost_usd, all_.reference_cost_usd, all_.requests)
        made.append(slot)
    return made


def _beside(found: Sequence[aside_figures.Beside]) -> tuple[Beside, ...]:
    groups: dict[str, list[aside_figures.Beside]] = {}
    for one in found:
        what = one.model if one.kind == EMBEDDINGS else one.provider
        groups.setdefault(f"{one.kind} · {what or 'no answer'}", []).append(one)
    made = [
        Beside(
            name=name,
            requests=sum(one.requests for one in some),
            failed=sum(one.requests for one in some if one.status == "error"),
            cost_usd=sum(one.cost_usd for one in some),
            unpriced=sum(one.unknown_cost for one in some),
            tokens=sum(one.input_tokens + one.output_tokens for one in some),
        )
        for name, some in groups.items()
    ]
    return tuple(sorted(made, key=lambda one: (-one.cost_usd, -one.requests, one.name)))


def _quality(connection: Connection, asked: Asked) -> Quality:
    count, score = rated(connection, asked)
    newest = records(connection, asked, limit=SAMPLE)
    pairs = [pair for record in newest if (pair := expected_of(record)) is not None]
    reference = sum(pair[1] for pair in pairs)
    return Quality(
        rated=count,
        score=score,
        expected=sum(pair[0] for pair in pairs) / reference if reference else None,
        sampled=len(pairs),
    )


def expected_of(record: Record) -> tuple[float, float] | None:
    """What was expected of the model that answered, and of the reference; None where unknown."""
    estimates = {c.model: c.estimate for c in record.decision.candidates}
    answered, reference = (
        estimates.get(record.model or ""),
        estimates.get(record.decision.reference),
    )
    if record.status != "ok" or answered is None or reference is None:
        return None
    return answered.quality, reference.quality


def _share(name: str, some: Sequence[Sum], requests: int) -> Share:
    count = sum(one.requests for one in some)
    cost = sum(one.cost_usd for one in some)
    return Share(
        name=name,
        requests=count,
        share=count / requests if requests else 0.0,
        cost_usd=cost,
        saving_usd=sum(one.reference_cost_usd for one in some) - cost,
    )


def _shares(found: Sequence[Sum], requests: int, name: Callable[[Sum], str]) -> tuple[Share, ...]:
    groups: dict[str, list[Sum]] = {}
    for one in found:
        groups.setdefault(name(one), []).append(one)
    shares = [_share(label, some, requests) for label, some in groups.items()]
    return tuple(sorted(shares, key=lambda share: (-share.requests, share.name)))


def _tier(one: Sum) -> str:
    if one.deployment == CACHE:
        return "from the cache"
    return _NONE if one.tier < 0 else f"tier {one.tier}"


def _model(one: Sum) -> str:
    if one.deployment == CACHE:
        return "from the cache"
    return one.model or _NONE
