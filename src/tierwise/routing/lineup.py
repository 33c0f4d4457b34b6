"""Which of many models are worth choosing among.

With many models the highest of many predictions is often a lucky one: on 22 tool-calling models a
choice among all saved a fraction of what a choice among the right four did. So a line-up starts
with the reference, and whoever lowers the cost most joins it, as long as that is worth having.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.routing.sample import CAUTION, Sample

TARGETS = (0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Fractions of the reference's quality at which costs are compared: one line-up serves all."""
WORTH = 0.05
"""A model joins if it lowers the cost by this share, in the geometric mean over the targets."""
_EVERY = 6
"""Of the rates, each sixth is tried: line-ups are compared, not operated at a rate."""

Matrix = NDArray[np.float64]


def line_up(sample: Sample, reference: int) -> tuple[int, ...]:
    """Places of the models worth choosing among, the reference first, in the order of joining.

    Greedy forward selection on predictions and outcomes of the sample; targets must be met by
    `CAUTION` standard errors.
    """
    rates = sample.rates(reference)[::_EVERY, None]
    found = [reference]
    best = _Choice(
        sample.predicted[:, reference] - rates * sample.cost_usd[:, reference],
        np.repeat(sample.outcome[None, :, reference], len(rates), axis=0),
        np.repeat(sample.cost_usd[None, :, reference], len(rates), axis=0),
    )
    wanted, price = sample.outcome[:, reference], float(sample.mean_cost_usd[reference])
    level = 0.0
    others = [place for place in range(sample.predicted.shape[1]) if place != reference]
    while others and price > 0:
        tried = {place: best.joined(sample, place, rates) for place in others}
        levels = {place: one.log_cost(wanted, price) for place, one in tried.items()}
        place = min(others, key=lambda other: levels[other])
        if levels[place] > level + np.log1p(-WORTH):
            break
        best, level = tried[place], levels[place]
        found.append(place)
        others.remove(place)
    return tuple(found)


class _Choice:
    """What the highest value among some models comes to, each array (rates, tasks)."""

    def __init__(self, value: Matrix, outcome: Matrix, cost_usd: Matrix) -> None:
        self._value = value
        self._outcome = outcome
        self._cost_usd = cost_usd

    def joined(self, sample: Sample, place: int, rates: Matrix) -> _Choice:
        """The same with one model more."""
        value = sample.predicted[:, place] - rates * sample.cost_usd[:, place]
        better = value > self._value
        return _Choice(
            np.where(better, value, self._value),
            np.where(better, sample.outcome[:, place], self._outcome),
            np.where(better, sample.cost_usd[:, place], self._cost_usd),
        )

    def log_cost(self, wanted: NDArray[np.float64], price: float) -> float:
        """Mean over the targets of the logarithm of the lowest cost that meets each.

        In units of the reference's cost `price`, which is paid where no rate meets a target.
        `wanted` is the reference's outcome on each task.
        """
        gain = self._outcome - wanted
        margin = gain.mean(axis=1) - CAUTION * gain.std(axis=1) / np.sqrt(len(wanted))
        cost = self._cost_usd.mean(axis=1) / price
        total = 0.0
        for target in TARGETS:
            able = cost[margin + (1.0 - target) * wanted.mean() >= -1e-12]
            lowest = float(able.min()) if len(able) else 1.0
            total += float(np.log(min(1.0, max(lowest, 1e-9))))
        return total / len(TARGETS)
