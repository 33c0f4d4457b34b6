"""What each gate and each gated tier did, how often it was right, and whether it paid.

A gate earns what is saved because somebody dared to ask a cheaper model first: the saving of the
requests that ended at a gated tier with an answer that the gates accepted. It costs the probes
that it caused and the drafts that it rejected. Each of these is booked once:

    saved   over the requests that ended well with an answer which this gate judged and its tier's
            gates accepted: reference cost less all that the request cost, every probe and draft
            included (so it may be negative)
    earned  saved, less the probes and the rejected drafts of this gate in all other requests

It is the comparison with the same traffic without this gate, where nobody would have trusted those
answers and the reference had answered. Gates that judge the same answers share one saving, so the
figures of several gates do not add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from tierwise.ledger.rows import Check
from tierwise.ledger.sums import Calls, Labels, Sum

FEWEST_CASES = 30
"""A gate with fewer verdicts or probes is not called one that does not pay: one escalation alone
would look so."""


class GateFigures(Struct, frozen=True, kw_only=True):
    """One gate. Money in USD, fractions in [0, 1].

    It gave `verdicts` and `passed` of them reached their tier's threshold; `pass_rate` is their
    fraction, None without verdicts. `precision` is the mean label of the `labelled_passed` answers
    that clients got, that it passed and that were rated; `label_failed` that of the
    `labelled_failed` that it did not pass and that clients got all the same, because other gates
    outweighed it or nobody else could answer. Both are None without labels.

    It caused `probes`, which cost `cost_usd`; `rejected_usd` is what the `rejected` drafts that it
    did not pass had cost. For `saved_usd` and `earned_usd` see the module's text.
    """

    verdicts: int
    passed: int
    pass_rate: float | None
    labelled_passed: int
    precision: float | None
    labelled_failed: int
    label_failed: float | None
    probes: int
    cost_usd: float
    rejected: int
    rejected_usd: float
    saved_usd: float
    earned_usd: float


class TierFigures(Struct, frozen=True, kw_only=True):
    """One tier, counted from 1, as its gates see it. Fractions in [0, 1].

    Gates judged `judged` answers of it and `accepted` some; `accept_rate` is None if there are no
    gates. `precision` is the mean label of the `labelled_accepted` rated answers that clients got
    from it, accepted or not judged at all; `label_rejected` that of the `labelled_rejected` that
    clients got although they were rejected. Both are None without labels.
    """

    judged: int
    accepted: int
    accept_rate: float | None
    labelled_accepted: int
    precision: float | None
    labelled_rejected: int
    label_rejected: float | None


def by_gate(
    sums: Sequence[Sum], calls: Sequence[Calls], labels: Sequence[Labels]
) -> dict[str, GateFigures]:
    """The figures of every gate that judged or probed, the busiest first."""
    judged = list(_judged(sums, calls))
    names = {name for check, _ in judged for name in check.passed}
    names.update(call.gate for call in calls if call.is_probe and call.gate)
    figures = {name: _gate(name, judged, sums, calls, labels) for name in names}
    return dict(sorted(figures.items(), key=lambda pair: (-pair[1].verdicts, pair[0])))


def by_judged_tier(
    sums: Sequence[Sum], calls: Sequence[Calls], labels: Sequence[Labels]
) -> dict[str, TierFigures]:
    """The figures of every tier that was judged or rated, in order."""
    judged = list(_judged(sums, calls))
    tiers = {check.tier for check, _ in judged} | {label.shape.tier for label in labels}
    return {str(tier): _tier(tier, judged, labels) for tier in sorted(tiers)}


def not_paying(gates: dict[str, GateFigures]) -> list[str]:
    """The gates that cost more than they earned, the worst first."""
    losing = {
        name: gate.earned_usd
        for name, gate in gates.items()
        if gate.earned_usd < 0 and max(gate.verdicts, gate.probes) >= FEWEST_CASES
    }
    return sorted(losing, key=lambda name: (losing[name], name))


def mean_label(labels: Iterable[Labels]) -> float | None:
    """The mean score of rated answers, None if there are none."""
    found = list(labels)
    answers = sum(label.answers for label in found)
    return math.fsum(label.total for label in found) / answers if answers else None


def _judged(sums: Sequence[Sum], calls: Sequence[Calls]) -> Iterator[tuple[Check, int]]:
    """What gates said, and of how many answers."""
    for item in sums:
        if item.shape.plain and item.check is not None:  # else it has rows in `attempts`
            yield item.check, item.requests
    for call in calls:
        if call.check is not None and not call.is_probe:
            yield call.check, call.attempts


def _gate(
    name: str,
    judged: Sequence[tuple[Check, int]],
    sums: Sequence[Sum],
    calls: Sequence[Calls],
    labels: Sequence[Labels],
) -> GateFigures:
    verdicts = sum(count for check, count in judged if name in check.passed)
    passed = sum(count for check, count in judged if check.passed.get(name))
    probes = [call for call in calls if call.is_probe and call.gate == name]
    drafts = [
        call
        for call in calls
        if call.outcome in ("rejected", "abandoned")
        and call.check is not None
        and call.check.passed.get(name) is False
    ]
    saved = math.fsum(
        item.reference_cost_usd - item.cost_usd
        for item in sums
        if _kept(item) and item.check is not None and name in item.check.passed
    )
    in_vain = math.fsum(call.cost_usd for call in (*probes, *drafts) if not _quits(call, name))
    right = [x for x in labels if x.check is not None and x.check.passed.get(name)]
    wrong = [x for x in labels if x.check is not None and x.check.passed.get(name) is False]
    return GateFigures(
        verdicts=verdicts,
        passed=passed,
        pass_rate=passed / verdicts if verdicts else None,
        labelled_passed=sum(label.answers for label in right),
        precision=mean_label(right),
        labelled_failed=sum(label.answers for label in wrong),
        label_failed=mean_label(wrong),
        probes=sum(call.attempts for call in probes),
        cost_usd=math.fsum(call.cost_usd for call in probes),
        rejected=sum(call.attempts for call in drafts),
        rejected_usd=math.fsum(call.cost_usd for call in drafts),
        saved_usd=saved,
        earned_usd=saved - in_vain,
    )


def _kept(item: Sum) -> bool:
    """Whether these requests ended well with answers that gates accepted."""
    return item.shape.status == "ok" and item.check is not None and item.check.outcome == "accepted"


def _quits(call: Calls, gate: str) -> bool:
    return call.check is not None and gate in call.check.quits


def _tier(tier: int, judged: Sequence[tuple[Check, int]], labels: Sequence[Labels]) -> TierFigures:
    here = [(check, count) for check, count in judged if check.tier == tier]
    total = sum(count for _, count in here)
    accepted = sum(count for check, count in here if check.outcome == "accepted")
    rated = [label for label in labels if label.shape.tier == tier]
    kept = [x for x in rated if x.check is None or x.check.outcome == "accepted"]
    others = [x for x in rated if x.check is not None and x.check.outcome != "accepted"]
    return TierFigures(
        judged=total,
        accepted=accepted,
        accept_rate=accepted / total if total else None,
        labelled_accepted=sum(label.answers for label in kept),
        precision=mean_label(kept),
        labelled_rejected=sum(label.answers for label in others),
        label_rejected=mean_label(others),
    )
