"""One request, told from its beginning to its end."""

from __future__ import annotations

from msgspec import Struct

from tierwise.types import CACHE, Attempt, Candidate, Record

GOOD = frozenset({"accepted"})


class Step(Struct, frozen=True, kw_only=True):
    """One attempt as a bar: where it begins and how long it is, as fractions of the whole."""

    attempt: Attempt
    number: int
    begins: float
    lasts: float
    good: bool
    said: str


class Opened(Struct, frozen=True, kw_only=True):
    """What the page of a request shows."""

    why: str
    steps: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    saved_usd: float
    saved: float | None
    calls_s: float


def opened(record: Record) -> Opened:
    """A record as its page tells it."""
    total = sum(attempt.latency_s for attempt in record.attempts)
    whole = max(record.latency_s, total) or 1.0
    steps, at = [], max(0.0, record.latency_s - total)
    for number, attempt in enumerate(record.attempts, start=1):
        steps.append(
            Step(
                attempt=attempt,
                number=number,
                begins=min(1.0, (at if attempt.began_s is None else attempt.began_s) / whole),
                lasts=attempt.latency_s / whole,
                good=attempt.outcome in GOOD,
                said=_said(attempt),
            )
        )
        at += attempt.latency_s
    saved = record.reference_cost_usd - record.cost_usd
    return Opened(
        why=why(record),
        steps=tuple(steps),
        candidates=_in_order(record),
        saved_usd=saved,
        saved=saved / record.reference_cost_usd if record.reference_cost_usd else None,
        calls_s=total,
    )


def why(record: Record) -> str:
    """Why this model answered, in a sentence or two."""
    decision, model = record.decision, record.model
    if record.deployment == CACHE:
        return "The same was asked before, so that answer was given again and no model was asked."
    if model is None:
        return f"No model answered: {record.error or record.status}."
    rejected = [a for a in record.attempts if a.outcome in ("rejected", "abandoned")]
    failed = [a for a in record.attempts if _failed(a)]
    reason = decision.reason.rstrip(".")
    if decision.policy is None:
        text = f"{model} answered because the caller named it."
    elif rejected:
        first = rejected[0]
        gates = [v for v in first.verdicts if v.reason]
        said = f" ({min(gates, key=lambda v: v.p).reason})" if gates else ""
        text = (
            f"The policy {decision.policy} began with {first.model}: {reason}. The gates did not "
            f"accept what it said{said}, so {model} was asked and answered."
        )
    else:
        text = f"{model} answered under the policy {decision.policy}: {reason}."
        text += _compared(record, model)
    if failed:
        names = ", ".join(dict.fromkeys(a.deployment for a in failed))
        text += f" {names} failed ({failed[0].outcome}), and the request went on elsewhere."
    return text


def _compared(record: Record, model: str) -> str:
    """How a model was expected to do beside the reference; nothing if it is that."""
    decision = record.decision
    estimates = {c.model: c.estimate for c in decision.candidates}
    own, reference = estimates.get(model), estimates.get(decision.reference)
    if own is None or reference is None or model == decision.reference or not reference.quality:
        return ""
    share = f"{100 * own.quality / reference.quality:.0f} %"
    text = f" It was expected to do {share} as well as {decision.reference}"
    times = reference.cost_usd / own.cost_usd if own.cost_usd else 0.0
    return text + (f", at 1/{times:.0f} of its cost." if times >= 1.5 else ".")


def _failed(attempt: Attempt) -> bool:
    return attempt.outcome not in ("accepted", "rejected", "abandoned", "cancelled", "probe")


def _said(attempt: Attempt) -> str:
    words = {
        "accepted": "accepted",
        "rejected": "rejected by the gates",
        "abandoned": "abandoned: its beginning was rejected",
        "cancelled": "cancelled",
        "probe": f"asked by the gate {attempt.gate}",
    }
    return words.get(attempt.outcome, f"failed: {attempt.outcome}")


def _in_order(record: Record) -> tuple[Candidate, ...]:
    plan = record.decision.plan
    asked = [*(tier.model for tier in plan.tiers), *plan.fallbacks]
    place = {name: n for n, name in reversed(list(enumerate(asked)))}
    return tuple(
        sorted(record.decision.candidates, key=lambda c: (place.get(c.model, len(asked)), c.model))
    )
