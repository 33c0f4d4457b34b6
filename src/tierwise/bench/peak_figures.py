"""What came of a peak: how good answers were, who gave them, and how often that changed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from tierwise.bench.peak_drive import Phases, Seen
from tierwise.bench.spread import percentile
from tierwise.types import Record

TURN = 0.2
"""A share of the traffic that changes by more than this from one second to the next has turned."""


class Priced(Struct, frozen=True):
    """What the reference's use cost others at a moment, in quality; `at` in seconds from start."""

    at: float
    price: float


class Course(Struct, frozen=True, kw_only=True):
    """A run: what clients saw, and what the gateway's ledger says.

    `busy_s` is how long the reference's calls of the peak took in all, in seconds. `difficulty` is
    what was predicted, by the task's id.
    """

    seen: Sequence[Seen]
    prices: Sequence[Priced]
    busy_s: float
    difficulty: Mapping[str, float]


class Figures(Struct, frozen=True, kw_only=True):
    """The figures of one run, of the peak's requests unless they say otherwise.

    `quality` is the mean score. `quality_rel` is it as a fraction of the unlimited run's, and
    `complex_rel` the same of the third that is predicted to be hardest, `needy_rel` of the tasks
    that the reference does right and the next two models do not. `use` is how much of its capacity
    was taken, None without a limit. `failed` counts all phases. `price_moves_per_min` are changes
    of its price between zero and more, in all phases; `turns_per_min` how often its share of
    answers changed by more than 20 points from one second to the next. `price_gone_s` is how long
    after the peak's end its price was last above zero, None if it never was.
    """

    requests: int
    quality: float
    quality_rel: float
    complex_rel: float
    needy_rel: float
    reference_share: float
    use: float | None
    cost_usd: float
    failed: int
    latency_p50_s: float
    latency_p99_s: float
    price_max: float
    price_moves_per_min: float
    turns_per_min: float
    price_gone_s: float | None


def course(
    seen: Sequence[Seen], records: Sequence[Record], reference: str, phases: Phases, began: float
) -> Course:
    """Reads a run.

    Args:
        records: of every request.
        began: when the first phase did, in Unix time.
    """
    prices, busy = [], 0.0
    items = {one.decision_id: one.arrival.item.id for one in seen}
    difficulty: dict[str, float] = {}
    for record in records:
        if record.decision.id in items:
            difficulty[items[record.decision.id]] = _difficulty(record)
        at = record.decision.at - began
        scarcity = [one.scarcity for one in record.decision.candidates if one.model == reference]
        prices.append(Priced(at, max(scarcity, default=0.0)))
        if phases.in_peak(at):
            calls = [one for one in record.attempts if one.model == reference]
            busy += math.fsum(one.latency_s for one in calls)
    return Course(seen=seen, prices=prices, busy_s=busy, difficulty=difficulty)


def figures(
    run: Course,
    unlimited: Course,
    *,
    reference: str,
    phases: Phases,
    calls: int | None,
    needy: Collection[str],
) -> Figures:
    """The figures of a run beside the one without limits.

    Args:
        calls: how many the reference takes at a time.
        needy: ids of tasks that the reference does right and the next two models do not.
    """
    peak = _peak(run, phases)
    hard = _hardest([one.arrival.item.id for one in peak], unlimited.difficulty)
    answered = [one for one in peak if one.model is not None]
    quality, complex_, needed = (
        _mean_score(run, phases, ids) for ids in (None, hard, frozenset(needy))
    )
    usual = [_mean_score(unlimited, phases, ids) for ids in (None, hard, frozenset(needy))]
    after = [one.at for one in run.prices if one.price > 0]
    end = phases.before_s + phases.peak_s
    times = [one.latency_s for one in answered] or [0.0]
    return Figures(
        requests=len(peak),
        quality=round(quality, 4),
        quality_rel=_ratio(quality, usual[0]),
        complex_rel=_ratio(complex_, usual[1]),
        needy_rel=_ratio(needed, usual[2]),
        reference_share=round(sum(one.model == reference for one in peak) / max(1, len(peak)), 4),
        use=None if calls is None else round(run.busy_s / (calls * phases.peak_s), 4),
        cost_usd=round(math.fsum(one.cost_usd for one in peak), 6),
        failed=sum(one.model is None for one in run.seen),
        latency_p50_s=round(percentile(times, 50), 3),
        latency_p99_s=round(percentile(times, 99), 3),
        price_max=round(max((one.price for one in run.prices), default=0.0), 4),
        price_moves_per_min=round(60 * _moves(run.prices) / phases.seconds, 2),
        turns_per_min=round(60 * _turns(peak, reference) / phases.peak_s, 2),
        price_gone_s=round(max(0.0, max(after) - end), 1) if after else None,
    )


def _difficulty(record: Record) -> float:
    """The one that was learned, or else the one that rules see."""
    estimates = (one.estimate for one in record.decision.candidates)
    learned = [one.difficulty for one in estimates if one is not None]
    known = [one for one in learned if one is not None]
    return known[0] if known else record.decision.profile.difficulty


def _peak(run: Course, phases: Phases) -> list[Seen]:
    return [one for one in run.seen if phases.in_peak(one.arrival.at)]


def _hardest(ids: Sequence[str], difficulty: Mapping[str, float]) -> frozenset[str]:
    """The third of these tasks that is predicted to be hardest."""
    ordered = sorted(set(ids), key=lambda one: (difficulty.get(one, 0.0), one))
    return frozenset(ordered[-max(1, len(ordered) // 3) :])


def _mean_score(run: Course, phases: Phases, ids: frozenset[str] | None) -> float:
    scores = [o.score for o in _peak(run, phases) if ids is None or o.arrival.item.id in ids]
    return math.fsum(scores) / max(1, len(scores))


def _ratio(value: float, usual: float) -> float:
    return round(value / usual, 4) if usual else 1.0


def _moves(prices: Sequence[Priced]) -> int:
    there = [one.price > 0 for one in sorted(prices, key=lambda one: one.at)]
    return sum(one != other for one, other in pairwise(there))


def _turns(peak: Sequence[Seen], reference: str) -> int:
    """Seconds without an answer are left out."""
    by_second: dict[int, list[bool]] = {}
    for one in peak:
        by_second.setdefault(int(one.arrival.at), []).append(one.model == reference)
    shares = [sum(hits) / len(hits) for _, hits in sorted(by_second.items())]
    return sum(abs(one - other) > TURN for one, other in pairwise(shares))
