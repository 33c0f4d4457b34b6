"""From predictions to choices: one price of quality, λ, for all prompts, and which λ to take.

A router that wants quality at a price chooses, for each prompt, the model of the highest
quality - λ cost. λ from 0 to infinity runs from the best that can be had to the cheapest. The
line-up of models to choose among, and the values of λ to try, are those that serving uses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.routing.exchange import worth_most
from tierwise.routing.weigh import sure_gain

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Choices = NDArray[np.int16]

TOLERANCE = 1e-12
"""Means that differ by rounding are the same."""


def choices(quality: Matrix, cost: Matrix, prices: Vector, among: Sequence[int]) -> Choices:
    """The model chosen for each price and prompt, (prices, n); `among` are the line-up's places."""
    places = np.array(among, np.int16)
    quality, cost = quality[:, places], cost[:, places]
    found = np.empty((len(prices), len(quality)), np.int16)
    for row, price in enumerate(prices):
        found[row] = places[worth_most(quality, cost, float(price))]
    return found


def after_always(model: int, chosen: Choices) -> Choices:
    """These choices, with one for everything before them: a router may always ask one model."""
    return np.vstack([np.full((1, chosen.shape[1]), model, np.int16), chosen])


def guarded(
    quality: Matrix,
    disagreement: Matrix,
    cost: Matrix,
    prices: Vector,
    base: NDArray[np.intp],
    novelty: Vector,
    among: Sequence[int],
) -> Choices:
    """As `choices`, but for foreign traffic: the base is left only for a gain that is sure.

    `routing.weigh` decides the same for one task, by name and without numpy, which a gateway that
    learned nothing does not load; so only the bound itself is shared.

    Args:
        quality: predicted, (n, m).
        disagreement: of the learners, (n, m).
        cost: predicted, (n, m).
        prices: values of λ.
        base: for each λ, the one model that is best if all prompts go to it.
        novelty: of each prompt, (n,) in [0, 1].
        among: places of the line-up's models.
    """
    outside = np.setdiff1d(np.arange(quality.shape[1]), among)
    rows = np.arange(len(quality))
    found = np.empty((len(prices), len(quality)), np.int16)
    for row, (price, model) in enumerate(zip(prices, base, strict=True)):
        value = quality - price * cost
        gain = value - value[:, [model]]
        apart = np.hypot(disagreement, disagreement[:, [model]])
        sure = sure_gain(gain, apart, novelty[:, None])
        sure[:, outside] = -np.inf
        sure[rows, model] = 0.0
        found[row] = sure.argmax(axis=1)
    return found


def bases(
    mean_quality: Vector, mean_cost: Vector, prices: Vector, among: Sequence[int]
) -> NDArray[np.intp]:
    """For each λ, the model of the line-up that is best if all prompts go to one."""
    places = np.array(among, np.intp)
    value = mean_quality[places] - prices[:, None] * mean_cost[places]
    found: NDArray[np.intp] = places[value.argmax(axis=1)]
    return found


class Curve(Struct, frozen=True):
    """What choices came to: each prompt's score and cost, (prices, n), and their means."""

    chosen: Choices
    scores: Matrix
    costs: Matrix
    mean_score: Vector
    mean_cost: Vector

    def small(self, reference: int) -> Vector:
        """The share of prompts that are not sent to the reference, (prices,)."""
        share: Vector = (self.chosen != reference).mean(axis=1)
        return share


def curve(chosen: Choices, scores: Matrix, costs: Matrix) -> Curve:
    """What these choices (prices, n) came to by the outcomes (n, m).

    `routing.exchange.walk` counts the same for serving, but keeps means alone and takes costs as
    predicted. Here each prompt is kept, to be drawn again, and what was paid counts.
    """
    index = chosen.astype(np.intp).T
    came, paid = (np.take_along_axis(table, index, axis=1).T for table in (scores, costs))
    return Curve(chosen, came, paid, came.mean(axis=1), paid.mean(axis=1))


def cheapest(mean_score: Vector, mean_cost: Vector, target: float) -> int | None:
    """Which point costs least among those that reach the target; None if none does."""
    able = np.flatnonzero(mean_score >= target - TOLERANCE)
    return int(able[np.argmin(mean_cost[able])]) if len(able) else None
