"""The demo's figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from tierwise.demo.drive import Outcome
from tierwise.fleet import Fleet, WorkItem


class AddedLatency(Struct, frozen=True, kw_only=True):
    """Milliseconds that a request takes longer through the gateway than asked directly."""

    p50: float
    p99: float


class Offline(Struct, frozen=True, kw_only=True):
    """What the offline evaluation says of the same requests, every call billed as recorded."""

    saving: float
    quality_rel: float


class Result(Struct, frozen=True, kw_only=True):
    """What a run of the demo showed. Money in USD, fractions in [0, 1].

    `reference_cost_usd` is what the reference model would have cost for the same requests, and
    `saving` the fraction of it that was not spent; `cost_usd` bears every attempt, failed and
    rejected ones included. `quality` is the mean score of the answers, `quality_rel` its fraction
    of the mean score of the reference's answers to the same requests. `small_share` is the share
    of the requests that a cheaper model than the reference answered. `wrong` counts answers that
    differ from what their model says to that prompt. `failovers` are calls that failed and were
    made good by another path. `learned_from` is the number of prompts, none of them among the
    requests, that the router was trained on; 0 if it follows rules. `offline` is there if it judges
    answers too: what it should come to. `simulated` says that models and scores are made up.
    """

    simulated: bool
    policy: str
    reference: str
    learned_from: int
    requests: int
    failed: int
    wrong: int
    failovers: int
    escalations: int
    cost_usd: float
    reference_cost_usd: float
    saving: float
    quality: float
    quality_reference: float
    quality_rel: float
    small_share: float
    added_latency_ms: AddedLatency
    killed: str
    by_model: dict[str, int]
    seconds: float
    errors: list[str]
    offline: Offline | None = None


def summarise(
    fleet: Fleet,
    outcomes: Sequence[Outcome],
    *,
    policy: str,
    learned_from: int,
    failovers: int,
    escalations: int,
    added_s: Sequence[float],
    killed: str,
    seconds: float,
    offline: Offline | None = None,
) -> Result:
    """The figures of a run.

    Args:
        failovers: failed calls, as the gateway's ledger counts them.
        added_s: pairwise differences in latency, in seconds.
    """
    answered = [o for o in outcomes if o.status == 200]
    scores = [o.score or 0.0 for o in outcomes]
    reference_scores = [_reference_score(fleet, o.item) for o in outcomes]
    cost = math.fsum(o.cost_usd for o in answered)
    reference_cost = math.fsum(fleet.reference_cost(o.item) for o in outcomes)
    quality = _mean(scores)
    quality_reference = _mean(reference_scores)
    small = sum(1 for o in answered if o.model != fleet.reference)
    return Result(
        simulated=fleet.simulated_answers,
        policy=policy,
        reference=fleet.reference,
        learned_from=learned_from,
        requests=len(outcomes),
        failed=len(outcomes) - len(answered),
        wrong=sum(1 for o in answered if not o.right),
        failovers=failovers,
        escalations=escalations,
        cost_usd=cost,
        reference_cost_usd=reference_cost,
        saving=1.0 - cost / reference_cost if reference_cost else 0.0,
        quality=quality,
        quality_reference=quality_reference,
        quality_rel=quality / quality_reference if quality_reference else 0.0,
        small_share=small / len(outcomes),
        added_latency_ms=AddedLatency(
            p50=1000 * percentile(added_s, 0.5), p99=1000 * percentile(added_s, 0.99)
        ),
        killed=killed,
        by_model=dict(Counter(o.model for o in answered if o.model).most_common()),
        seconds=seconds,
        errors=sorted({o.error for o in outcomes if o.error})[:5],
        offline=offline,
    )


def _reference_score(fleet: Fleet, item: WorkItem) -> float:
    return fleet.score(item, fleet.reference, fleet.expected(item, fleet.reference)) or 0.0


def percentile(values: Sequence[float], fraction: float) -> float:
    """The nearest-rank percentile; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
