"""One request, told from its beginning to its end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tierwise.dashboard.words import seconds
from tierwise.types import CACHE, Attempt, Candidate, Record

GOOD = frozenset({"accepted"})


FAILED = {
    "connect_failed": "could not be reached",
    "timeout": "took too long",
    "server_failed": "had an error of its own",
    "rate_limited": "was at its limit",
    "out_of_service": "was out of service",
    "context_too_long": "cannot take so long a prompt",
    "stream_broken": "broke off",
    "diverged": "did not go on as was said before",
    "refused": "refused the request",
    "upstream_error": "failed",
}
"""Upstream errors, as what their deployment did."""


class Step(Struct, frozen=True, kw_only=True):
    """One attempt, which began after `began_s` seconds; `said` is how it ended."""

    attempt: Attempt
    began_s: float
    good: bool
    said: str


class Lane(Struct, frozen=True, kw_only=True):
    """A part of the time as a bar.

    `begins` and `ends` are fractions of the whole; `first` is where the first words came, None
    where it is not known. `kind` is `before`, `good` or `bad`.
    """

    name: str
    said: str
    begins: float
    ends: float
    took_s: float
    first: float | None = None
    kind: str


class Opened(Struct, frozen=True, kw_only=True):
    """What the page of a request shows; `whole_s` is all of the time that `lanes` are of."""

    why: str
    steps: tuple[Step, ...]
    lanes: tuple[Lane, ...]
    whole_s: float
    candidates: tuple[Candidate, ...]
    saved_usd: float
    saved: float | None


def opened(record: Record) -> Opened:
    """A record as its page tells it."""
    steps = _steps(record)
    lanes, whole = _lanes(record, steps)
    saved = record.reference_cost_usd - record.cost_usd
    return Opened(
        why=why(record),
        steps=steps,
        lanes=lanes,
        whole_s=whole,
        candidates=_in_order(record),
        saved_usd=saved,
        saved=saved / record.reference_cost_usd if record.reference_cost_usd else None,
    )


def _steps(record: Record) -> tuple[Step, ...]:
    """The attempts; where nobody noted when they began, one after another up to the end."""
    at = max(0.0, record.latency_s - sum(attempt.latency_s for attempt in record.attempts))
    steps = []
    for attempt in record.attempts:
        steps.append(
            Step(
                attempt=attempt,
                began_s=at if attempt.began_s is None else attempt.began_s,
                good=attempt.outcome in GOOD,
                said=_said(attempt),
            )
        )
        at += attempt.latency_s
    return tuple(steps)


def _lanes(record: Record, steps: Sequence[Step]) -> tuple[tuple[Lane, ...], float]:
    """Where the time went, and how much there was. It is counted from when the request came."""
    parts = (
        ("waited", record.waited_s),
        ("analysed", record.analysis_s),
        ("routed", record.routing_s),
    )
    before = sum(took or 0.0 for _, took in parts)
    ends = [step.began_s + step.attempt.latency_s for step in steps]
    whole = (before + max(record.latency_s, *ends, 0.0)) or 1.0
    lanes = []
    if any(took is not None for _, took in parts):
        told = ", ".join(f"{name} {seconds(took)}" for name, took in parts if took is not None)
        lanes.append(
            Lane(
                name="Tierwise itself",
                said=told,
                begins=0.0,
                ends=before / whole,
                took_s=before,
                kind="before",
            )
        )
    for step in steps:
        attempt, began = step.attempt, before + step.began_s
        lanes.append(
            Lane(
                name=attempt.deployment,
                said=step.said,
                begins=began / whole,
                ends=(began + attempt.latency_s) / whole,
                took_s=attempt.latency_s,
                first=None if attempt.ttft_s is None else (began + attempt.ttft_s) / whole,
                kind="good" if step.good else "bad",
            )
        )
    return tuple(lanes), whole


def why(record: Record) -> str:
    """Why this model answered, in a sentence or two."""
    decision, model = record.decision, record.model
    if record.deployment == CACHE:
        return "The same was asked before, so that answer was given again and no model was asked."
    if model is None:
        return f"No model answered: {(record.error or record.status).rstrip('.')}."
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
            f"accept what it said{said}, "
        )
        if any(a.outcome in GOOD for a in record.attempts):
            text += f"so {model} was asked and answered."
        else:
            text += f"and nobody gave a better answer, so that of {model} was given all the same."
    else:
        text = f"{model} answered under the policy {decision.policy}: {reason}."
        text += _compared(record, model)
    if failed:
        names = ", ".join(dict.fromkeys(a.deployment for a in failed))
        text += f" {names} failed ({_failure(failed[0])}), and the request went on elsewhere."
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
    return words.get(attempt.outcome) or f"failed: {_failure(attempt)}"


def _failure(attempt: Attempt) -> str:
    return FAILED.get(attempt.outcome, attempt.outcome)


def _in_order(record: Record) -> tuple[Candidate, ...]:
    plan = record.decision.plan
    asked = [*(tier.model for tier in plan.tiers), *plan.fallbacks]
    place = {name: n for n, name in reversed(list(enumerate(asked)))}
    return tuple(
        sorted(record.decision.candidates, key=lambda c: (place.get(c.model, len(asked)), c.model))
    )
