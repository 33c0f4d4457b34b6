"""Tasks whose outcomes are known: what line-ups and rates are settled on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

CAUTION = 1.0
"""Standard errors by which a target must be met on a sample."""

_ROUNDING = 1e-12

Matrix = NDArray[np.float64]


def rates(reference_cost_usd: float) -> NDArray[np.float64]:
    """Values of λ to try, in 1/USD, ascending: 0, then 1e-6 to 1e3 over the reference's mean cost.

    At λ times that cost = 0.01, the reference is asked where it is expected to be better by more
    than a hundredth. Most choices change between 0.001 and 1, so values are closest there.
    """
    spans = [
        np.geomspace(1e-6, 1e-3, 60, endpoint=False),
        np.geomspace(1e-3, 1.0, 300, endpoint=False),
        np.geomspace(1.0, 1e3, 60),
    ]
    return np.concatenate([[0.0], *spans]) / max(reference_cost_usd, 1e-12)


def variance(mean: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variances from means and means of squares, of figures of the order of 1.

    What rounding alone may have left is nothing: its root would count for far more.
    """
    found = squared - mean * mean
    return np.where(found < _ROUNDING, 0.0, found)


class Sample(Struct, frozen=True, dict=True):
    """Tasks on which rates are set, of shape (tasks, models): what was predicted of each model,
    what came out, and the predicted cost in USD.

    `recorded` says that costs were learned from recorded ones. Where they are list prices times a
    nominal length, only their proportions mean something.
    """

    predicted: Matrix
    outcome: Matrix
    cost_usd: Matrix
    recorded: bool = True

    def of(self, places: Sequence[int]) -> Sample:
        """The same tasks with only these models."""
        columns = list(places)
        return Sample(
            self.predicted[:, columns],
            self.outcome[:, columns],
            self.cost_usd[:, columns],
            self.recorded,
        )

    def rates(self, reference: int) -> NDArray[np.float64]:
        """Values of λ to try where this model is the reference."""
        return rates(self.mean_cost_usd[reference] or self.mean_cost_usd.max() or 1.0)

    @cached_property
    def mean_quality(self) -> NDArray[np.float64]:
        """The mean outcome of each model."""
        mean: NDArray[np.float64] = self.outcome.mean(axis=0)
        return mean

    @cached_property
    def mean_cost_usd(self) -> NDArray[np.float64]:
        """The mean cost of each model."""
        mean: NDArray[np.float64] = self.cost_usd.mean(axis=0)
        return mean
