"""What quality is worth: the rate λ at which a policy trades quality for money.

A model's value on a task is `quality − λ · cost`, and the model of the highest value is asked. A
small λ buys quality at any price, a large one takes the cheapest. Which λ a policy wants follows
from its `quality`: the largest saving on a sample of traffic whose mean quality still reaches that
fraction of the reference's. One λ for all tasks spends where it helps most: with a target for each
task alone, easy tasks would keep what hard ones need (cascade routing, arXiv 2410.10347, sec. 3).

The sample has what was predicted, which chooses, and what came out, which counts: judged by its own
predictions, a choice of the highest of many looks better than it is. And the target must be met
with a margin of `CAUTION` standard errors, because the cheapest of many rates that just reach it on
a sample is likely to be one that was lucky there; the larger the sample, the smaller the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

STEPS = 400
CAUTION = 1.0
_MOST_RATES = 1000
_LOWEST, _HIGHEST = 1e-6, 1e3

Matrix = NDArray[np.float64]


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


class Rate(Struct, frozen=True):
    """A solved rate.

    `per_usd` is λ, `base` the place of the one model that is best at this rate if there were no
    choice: whoever leaves it must know why. `quality` and `cost_usd` are the means on the sample
    of choosing for each task, `reaches` says whether they reach the target. `reference_cost_usd`
    is the reference's mean cost on the sample if only proportions count there, else None.
    """

    per_usd: float
    base: int
    quality: float
    cost_usd: float
    reaches: bool
    reference_cost_usd: float | None = None


def solve(sample: Sample, reference: int, target: float, *, caution: float = CAUTION) -> Rate:
    """The rate of the largest saving that keeps `target` of the reference's mean quality.

    Where no rate reaches it, the one of the highest quality.

    Args:
        caution: standard errors by which the target must be met.
    """
    scale = sample.mean_cost_usd[reference] or sample.mean_cost_usd.max() or 1.0
    rates = np.concatenate([[0.0], np.geomspace(_LOWEST, _HIGHEST, STEPS)]) / scale
    rows = np.arange(len(sample.predicted))
    wanted = target * sample.outcome[:, reference]
    quality, spent, margin = (np.empty(len(rates)) for _ in range(3))
    for place, rate in enumerate(rates):
        chosen = np.argmax(sample.predicted - rate * sample.cost_usd, axis=1)
        came = sample.outcome[rows, chosen]
        # Task by task, because the chosen and the reference are mostly right and wrong together.
        over = came - wanted
        margin[place] = over.mean() - caution * over.std() / np.sqrt(len(rows))
        quality[place] = came.mean()
        spent[place] = sample.cost_usd[rows, chosen].mean()
    able = np.flatnonzero(margin >= -1e-12)
    place = able[np.argmin(spent[able])] if len(able) else int(np.argmax(quality))
    per_usd = float(rates[place])
    return Rate(
        per_usd,
        int(np.argmax(sample.mean_quality - per_usd * sample.mean_cost_usd)),
        float(quality[place]),
        float(spent[place]),
        bool(len(able)),
        None if sample.recorded else float(sample.mean_cost_usd[reference]),
    )


class Exchange:
    """Rates for the configured models, solved when first asked for and then kept.

    Args:
        sample: its columns are `models`.
        models: ids of the configured models.
    """

    def __init__(self, sample: Sample, models: Sequence[str]) -> None:
        self._sample = sample
        self._column = {model: place for place, model in enumerate(models)}
        self._solved: dict[tuple[tuple[str, ...], str, float], tuple[Rate, str]] = {}

    def rate(self, candidates: Sequence[str], reference: str, target: float) -> tuple[Rate, str]:
        """The rate at which these models reach `target` of the reference, and its base model.

        The reference counts although it may not be a candidate: it is what quality refers to.
        """
        key = (tuple(candidates), reference, target)
        known = self._solved.get(key)
        if known is None:
            known = self._solve(*key)
            if len(self._solved) < _MOST_RATES:
                self._solved[key] = known
        return known

    def _solve(
        self, candidates: tuple[str, ...], reference: str, target: float
    ) -> tuple[Rate, str]:
        columns = [self._column[name] for name in candidates]
        sample = self._sample
        chosen = Sample(
            sample.predicted[:, columns],
            sample.outcome[:, columns],
            sample.cost_usd[:, columns],
            sample.recorded,
        )
        if reference in candidates:
            rate = solve(chosen, candidates.index(reference), target)
        else:
            wanted = target * float(sample.outcome[:, self._column[reference]].mean())
            dearest = int(chosen.mean_cost_usd.argmax())
            best = float(chosen.mean_quality[dearest]) or 1.0
            rate = solve(chosen, dearest, wanted / best)
        return rate, candidates[rate.base]
