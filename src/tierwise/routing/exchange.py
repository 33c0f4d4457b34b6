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
_MOST_PATHS = 256
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


class Path(Struct, frozen=True):
    """What each rate would come to on a sample; any target is then solved without the sample.

    One entry a rate: mean outcome and cost of what it chooses. `gain`, `gain_variance` and
    `covariance` are of outcome less the reference's, task by task, and of that with the reference's
    outcome, because the chosen and the reference are mostly right and wrong together.
    """

    sample: Sample
    reference: int
    rates: NDArray[np.float64]
    quality: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    gain: NDArray[np.float64]
    gain_variance: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def solve(self, target: float, *, caution: float = CAUTION) -> Rate:
        """See the function `solve`."""
        wanted = self.sample.outcome[:, self.reference]
        # Outcome less target · wanted is gain + short · wanted, with this share not asked for.
        short = 1.0 - target
        variance = self.gain_variance + short**2 * wanted.var() + 2 * short * self.covariance
        error = np.sqrt(np.maximum(variance, 0.0) / len(wanted))
        margin = self.gain + short * wanted.mean() - caution * error
        able = np.flatnonzero(margin >= -1e-12)
        place = able[np.argmin(self.cost_usd[able])] if len(able) else int(np.argmax(self.quality))
        per_usd = float(self.rates[place])
        sample = self.sample
        return Rate(
            per_usd,
            int(np.argmax(sample.mean_quality - per_usd * sample.mean_cost_usd)),
            float(self.quality[place]),
            float(self.cost_usd[place]),
            bool(len(able)),
            None if sample.recorded else float(sample.mean_cost_usd[self.reference]),
        )


def walk(sample: Sample, reference: int) -> Path:
    """Tries every rate on a sample: takes a hundredth of a second or a few."""
    scale = sample.mean_cost_usd[reference] or sample.mean_cost_usd.max() or 1.0
    rates = np.concatenate([[0.0], np.geomspace(_LOWEST, _HIGHEST, STEPS)]) / scale
    rows = np.arange(len(sample.predicted))
    wanted = sample.outcome[:, reference]
    found = np.empty((5, len(rates)))
    for place, rate in enumerate(rates):
        chosen = np.argmax(sample.predicted - rate * sample.cost_usd, axis=1)
        came = sample.outcome[rows, chosen]
        gain = came - wanted
        found[:, place] = (
            came.mean(),
            sample.cost_usd[rows, chosen].mean(),
            gain.mean(),
            gain.var(),
            (gain * wanted).mean() - gain.mean() * wanted.mean(),
        )
    return Path(sample, reference, rates, *found)


def solve(sample: Sample, reference: int, target: float, *, caution: float = CAUTION) -> Rate:
    """The rate of the largest saving that keeps `target` of the reference's mean quality.

    Where no rate reaches it, the one of the highest quality.

    Args:
        caution: standard errors by which the target must be met.
    """
    return walk(sample, reference).solve(target, caution=caution)


class Exchange:
    """Rates for the configured models.

    A request may ask for any target; what is kept is the walk through all rates, for each line-up
    of models.

    Args:
        sample: its columns are `models`.
        models: ids of the configured models.
    """

    def __init__(self, sample: Sample, models: Sequence[str]) -> None:
        self._sample = sample
        self._column = {model: place for place, model in enumerate(models)}
        self._paths: dict[tuple[tuple[str, ...], str], Path] = {}

    def rate(self, candidates: Sequence[str], reference: str, target: float) -> tuple[Rate, str]:
        """The rate at which these models reach `target` of the reference, and its base model.

        The reference counts although it may not be a candidate: it is what quality refers to.
        """
        path = self._path(tuple(candidates), reference)
        if reference not in candidates:
            wanted = target * float(self._sample.mean_quality[self._column[reference]])
            target = wanted / (float(path.sample.mean_quality[path.reference]) or 1.0)
        rate = path.solve(target)
        return rate, candidates[rate.base]

    def _path(self, candidates: tuple[str, ...], reference: str) -> Path:
        key = (candidates, reference)
        known = self._paths.get(key)
        if known is None:
            known = self._walk(candidates, reference)
            if len(self._paths) < _MOST_PATHS:
                self._paths[key] = known
        return known

    def _walk(self, candidates: tuple[str, ...], reference: str) -> Path:
        """Measured against the dearest candidate where the reference is none."""
        columns = [self._column[name] for name in candidates]
        sample = self._sample
        chosen = Sample(
            sample.predicted[:, columns],
            sample.outcome[:, columns],
            sample.cost_usd[:, columns],
            sample.recorded,
        )
        if reference in candidates:
            return walk(chosen, candidates.index(reference))
        return walk(chosen, int(chosen.mean_cost_usd.argmax()))
