"""Many verdicts and an expectation, one posterior: P(acceptable) of an answer.

Not AND: a gate that is wrong now and then must not veto what all others praise, and ten gates that
found nothing must not add up to certainty. Evidence adds up in log-odds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log, sqrt

from tierwise.certificate import Combination, Curve
from tierwise.types import Verdict

BASE = 0.7
"""The share of answers that small models get right, where nothing was measured: a verdict of this
p is no evidence either way."""
LEAST = 1e-3
"""No verdict is taken for surer than this, or than one less this."""


def posterior(
    verdicts: Sequence[Verdict],
    *,
    expected: float | None = None,
    combination: Combination | None = None,
) -> float:
    """P(acceptable) of an answer by its verdicts.

    A verdict of 0 rejects, whatever the others say: gates give it to what cannot be right, such
    as a cut answer or broken JSON. With a fitted `combination` the rest is its logistic model;
    without one it is the following. Verdicts of 1 only say that nothing wrong was found, which is
    no evidence. Each other p counts as its log-odds against `BASE`, and k of them by 1/sqrt(k):
    gates tend to err together. They start from `expected`, or from `BASE`. Where there is neither
    evidence nor expectation, no gate objects and the answer is taken: 1.

    Args:
        verdicts: one a gate at most; of several the last counts.
        expected: the quality that the router expected of the model on this task.
        combination: what `tierwise calibrate` fitted.
    """
    if any(verdict.p <= 0 for verdict in verdicts):
        return 0.0
    if combination is not None:
        return _fitted({verdict.gate: verdict.p for verdict in verdicts}, expected, combination)
    evidence = [log_odds(verdict.p) - log_odds(BASE) for verdict in verdicts if verdict.p < 1]
    if not evidence:
        return 1.0 if expected is None else expected
    start = log_odds(BASE if expected is None else expected)
    return chance(start + sum(evidence) / sqrt(len(evidence)))


def _fitted(p: dict[str, float], expected: float | None, by: Combination) -> float:
    base = log_odds(by.base)
    total = by.intercept
    total += by.prior_missing if expected is None else by.prior * (log_odds(expected) - base)
    for gate in by.gates:
        given = p.get(gate.gate)
        if given is None:
            total += gate.missing
        else:
            total += gate.weight * (log_odds(at(gate.curve, given)) - base)
    return at(by.curve, chance(total))


def at(curve: Curve, x: float) -> float:
    """The curve's value at x."""
    place = bisect_right(curve.x, x)
    if place == 0:
        return curve.y[0]
    if place == len(curve.x):
        return curve.y[-1]
    left, right = curve.x[place - 1], curve.x[place]
    low, high = curve.y[place - 1], curve.y[place]
    return low + (high - low) * (x - left) / (right - left)


def log_odds(p: float) -> float:
    """log(p / (1 - p)), p kept away from 0 and 1."""
    kept = min(max(p, LEAST), 1 - LEAST)
    return log(kept / (1 - kept))


def chance(log_odds: float) -> float:
    """The p of these log-odds."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    grown = exp(log_odds)
    return grown / (1 + grown)
