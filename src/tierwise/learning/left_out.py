"""How a dataset fares on a router that never saw it: beside the single models, in hindsight."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning import metrics
from tierwise.learning.choose import TOLERANCE
from tierwise.learning.outcomes import Outcomes
from tierwise.learning.result import LeftOut

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_DIGITS = 12
_ROUNDING = 1e-9
"""Costs that differ by this share are the same."""


def left_out(
    dataset: str,
    fraction: float,
    outcomes: Outcomes,
    pick: NDArray[np.int16],
    base: int,
    known: Vector,
    strange: NDArray[np.bool_],
    random: np.random.Generator,
) -> LeftOut:
    """What came of a router's choices on the n prompts of a dataset.

    Args:
        fraction: of the reference's quality, which λ was chosen for.
        outcomes: of the dataset, (n, m).
        pick: the model chosen for each prompt, (n,).
        base: the model that the training rows hold for best at this λ.
        known: each model's mean quality on the training rows, (m,).
        strange: whether a prompt looks like nothing that was learned from, (n,).
        random: what resamples are drawn from.
    """
    weights = metrics.weights(len(pick), random)

    def drawn(table: Matrix) -> Matrix:
        """The means of the rows as they are, then of each resample: all are counted alike."""
        return np.concatenate([table.mean(axis=0, keepdims=True), weights @ table])

    row, model = np.arange(len(pick)), pick.astype(np.intp)
    quality, cost = (drawn(table[row, model]) for table in (outcomes.scores, outcomes.costs))
    means, paid = drawn(outcomes.scores), drawn(outcomes.costs)
    found = _compared(quality, cost, means, paid, base)
    constant = _constant(known, float(cost[0]), paid[0])
    figures = {
        "quality": quality,
        "cost_usd": cost,
        "base_quality": means[:, base],
        "base_cost_usd": paid[:, base],
        "loss": found.loss,
        "constant_quality": means[:, constant],
        "below_constant": _short(means[:, constant] - quality),
        "regret": found.regret,
        "foreign": drawn(strange.astype(np.float64)),
    }
    told: dict[str, Any] = {name: float(values[0]) for name, values in figures.items()}
    for name, values in figures.items():
        # As in `Drawn.spans`: weights add up to a hair more or less than 1.
        drawn_again = values[1:] if name.endswith("cost_usd") else values[1:].round(_DIGITS)
        told[f"{name}_interval"] = metrics.interval(drawn_again)
    return LeftOut(
        dataset=dataset,
        prompts=len(pick),
        fraction=fraction,
        base=outcomes.models[base],
        constant=outcomes.models[constant],
        best_model=outcomes.models[int(found.best[0])],
        **told,
    )


def _constant(known: Vector, cost: float, paid: Vector) -> int:
    """The best by training of the models that cost no more than the router; else the cheapest."""
    able = paid <= cost * (1 + _ROUNDING)
    if not able.any():
        return int(paid.argmin())
    return int(np.where(able, known, -np.inf).argmax())


class _Compared(Struct, frozen=True):
    """The best model that costs no more than the router, how far the router stays below the base
    unless it is cheaper, and how far below that best model; (k,) each."""

    best: NDArray[np.intp]
    loss: Vector
    regret: Vector


def _compared(quality: Vector, cost: Vector, means: Matrix, paid: Matrix, base: int) -> _Compared:
    """A router's means (k,) beside those of single models, (k, m)."""
    row = np.arange(len(quality))
    able = paid <= cost[:, None] * (1 + _ROUNDING)
    best = np.where(able, means, -np.inf).argmax(axis=1)
    # Where every model costs more than the router: the cheapest.
    best = np.where(able.any(axis=1), best, paid.argmin(axis=1))
    cheaper = cost < paid[:, base] * (1 - _ROUNDING)
    loss = np.where(cheaper, 0.0, _short(means[:, base] - quality))
    return _Compared(best, loss, _short(means[row, best] - quality))


def _short(gap: Vector) -> Vector:
    return np.where(gap > TOLERANCE, gap, 0.0)
