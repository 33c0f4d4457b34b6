"""Which of many models are worth choosing among.

With many models the highest of many predictions is often a lucky one: on 22 tool-calling models a
choice among all saved a fraction of what a choice among the right four did. So a line-up starts
with the reference, and whoever lowers the cost most joins it, as long as that is worth having.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.routing.envelope import Envelope
from tierwise.routing.sample import CAUTION, Sample, variance

TARGETS = (0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Fractions of the reference's quality at which costs are compared: one line-up serves all."""
WORTH = 0.05
"""A model joins if it lowers the cost by this share, in the geometric mean over the targets."""
_EVERY = 6
"""Of the rates, each sixth is tried: line-ups are compared, not operated at a rate."""


def line_up(sample: Sample, reference: int) -> tuple[int, ...]:
    """Places of the models worth choosing among, the reference first, in the order of joining.

    Greedy forward selection on predictions and outcomes of the sample; targets must be met by
    `CAUTION` standard errors.
    """
    price = float(sample.mean_cost_usd[reference])
    found = Envelope.of(sample, sample.rates(reference)[::_EVERY], [reference])
    others = [place for place in range(sample.predicted.shape[1]) if place != reference]
    if price <= 0:
        return found.models
    yardstick = _Yardstick.of(sample, reference, price)
    level = 0.0
    while others:
        tried = {place: found.joined(place) for place in others}
        levels = {place: yardstick.log_cost(one) for place, one in tried.items()}
        place = min(others, key=lambda other: levels[other])
        if levels[place] > level + np.log1p(-WORTH):
            break
        found, level = tried[place], levels[place]
        others.remove(place)
    return found.models


class _Yardstick(Struct, frozen=True):
    """What a choice is measured by.

    `gain` (models, tasks) is outcome less the reference's, and `squared` its square; `cost` is in
    units of the reference's mean cost. `short` (targets, 1) is how much of the reference's mean
    outcome each target does not ask for.
    """

    gain: NDArray[np.float64]
    squared: NDArray[np.float64]
    cost: NDArray[np.float64]
    short: NDArray[np.float64]

    @classmethod
    def of(cls, sample: Sample, reference: int, price: float) -> _Yardstick:
        wanted = sample.outcome[:, reference]
        gain = sample.outcome.T - wanted
        short = (1.0 - np.array(TARGETS)[:, None]) * wanted.mean()
        return cls(gain, gain * gain, sample.cost_usd.T / price, short)

    def log_cost(self, choice: Envelope) -> float:
        """Mean over the targets of the logarithm of the lowest cost that meets each.

        Where no rate meets a target, the reference's cost is paid. Rounded, so that of two models
        that come to the same not the last bit of a sum decides.
        """
        gain, squared, cost = choice.means(self.gain, self.squared, self.cost)
        error = np.sqrt(variance(gain, squared) / self.gain.shape[1])
        able = gain - CAUTION * error + self.short >= -1e-12
        lowest = np.where(able, cost, 1.0).min(axis=1)
        return round(float(np.log(np.clip(lowest, 1e-9, 1.0)).mean()), 9)
