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
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.routing.envelope import Envelope
from tierwise.routing.lineup import line_up
from tierwise.routing.sample import CAUTION, Sample, variance

Key = TypeVar("Key")
Value = TypeVar("Value")

_MOST_WALKS = 256
_MOST_TERMS = 1024


class Rate(Struct, frozen=True):
    """A solved rate.

    `per_usd` is λ. `quality` and `cost_usd` are the means on the sample of choosing for each task,
    `cost_share` is that cost as a fraction of the reference's, `reaches` says whether they reach
    the target. `reference_cost_usd` is the reference's mean cost
    on the sample if only proportions count there, else None.
    """

    per_usd: float
    quality: float
    cost_usd: float
    cost_share: float
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
        against = float(self.sample.mean_cost_usd[self.reference])
        cost = float(self.cost_usd[place])
        return Rate(
            float(self.rates[place]),
            float(self.quality[place]),
            cost,
            cost / against if against > 0 else 1.0,
            bool(len(able)),
            None if self.sample.recorded else against,
        )


def worth_most(
    quality: NDArray[np.float64], cost_usd: NDArray[np.float64], rate: float
) -> NDArray[np.intp]:
    """The column of the model of the highest value, quality less rate · cost, for each task (n,).

    Args:
        quality: expected of each model, (n, m).
        cost_usd: likewise.
        rate: λ in 1/USD.
    """
    place: NDArray[np.intp] = np.argmax(quality - rate * cost_usd, axis=1)
    return place


def walk(sample: Sample, reference: int) -> Path:
    """What every rate comes to on a sample."""
    tried = sample.rates(reference)
    chosen = Envelope.of(sample, tried, range(sample.predicted.shape[1]))
    wanted = sample.outcome[:, reference]
    outcome = sample.outcome.T
    gain = outcome - wanted
    quality, cost_usd, more, squared, common = chosen.means(
        outcome, sample.cost_usd.T, gain, gain * gain, gain * wanted
    )
    covariance = common - more * wanted.mean()
    return Path(
        sample, reference, tried, quality, cost_usd, more, variance(more, squared), covariance
    )


def solve(sample: Sample, reference: int, target: float, *, caution: float = CAUTION) -> Rate:
    """The rate of the largest saving that keeps `target` of the reference's mean quality.

    Where no rate reaches it, the one of the highest quality.

    Args:
        caution: standard errors by which the target must be met.
    """
    return walk(sample, reference).solve(target, caution=caution)


class Terms(Struct, frozen=True):
    """On what terms a task is decided.

    `line_up` are the models worth choosing among. `base` is the one of them that would be best at
    the rate if there were no choice: whoever leaves it must know why.
    """

    rate: Rate
    base: str
    line_up: tuple[str, ...]


class _Walked(Struct, frozen=True):
    """The candidates that are worth choosing among, and their walk."""

    line_up: tuple[str, ...]
    path: Path


class Exchange:
    """Terms for the configured models.

    A request may ask for any target; what is kept is the walk through all rates, for each set of
    candidates, and the terms for each target that was asked for.

    Args:
        sample: its columns are `models`.
        models: ids of the configured models.
    """

    def __init__(self, sample: Sample, models: Sequence[str]) -> None:
        self._sample = sample
        self._column = {model: place for place, model in enumerate(models)}
        self._walks: dict[tuple[tuple[str, ...], str], _Walked] = {}
        self._terms: dict[tuple[tuple[str, ...], str, float], Terms] = {}

    def terms(self, candidates: Sequence[str], reference: str, target: float) -> Terms:
        """The terms on which these models reach `target` of the reference.

        The reference counts although it may not be a candidate: it is what quality refers to.
        """
        key = (tuple(candidates), reference, target)
        known = self._terms.get(key)
        if known is None:
            known = _kept(self._terms, _MOST_TERMS, key, self._solved(*key))
        return known

    def _solved(self, candidates: tuple[str, ...], reference: str, target: float) -> Terms:
        walked = self._walked(candidates, reference)
        path = walked.path
        if reference not in candidates:
            wanted = target * float(self._sample.mean_quality[self._column[reference]])
            target = wanted / (float(path.sample.mean_quality[path.reference]) or 1.0)
        rate = path.solve(target)
        # Of the line-up: the rate was solved for these, and others may miss the target by far.
        alone = path.sample.mean_quality - rate.per_usd * path.sample.mean_cost_usd
        return Terms(rate, walked.line_up[int(alone.argmax())], walked.line_up)

    def _walked(self, candidates: tuple[str, ...], reference: str) -> _Walked:
        key = (candidates, reference)
        known = self._walks.get(key)
        if known is None:
            known = _kept(self._walks, _MOST_WALKS, key, self._walk(candidates, reference))
        return known

    def _walk(self, candidates: tuple[str, ...], reference: str) -> _Walked:
        """Measured against the dearest candidate where the reference is none."""
        sample = self._sample.of([self._column[name] for name in candidates])
        if reference in candidates:
            against = candidates.index(reference)
        else:
            against = int(sample.mean_cost_usd.argmax())
        places = line_up(sample, against)
        path = walk(sample.of(places), places.index(against))
        return _Walked(tuple(candidates[place] for place in places), path)


def _kept(known: dict[Key, Value], most: int, key: Key, value: Value) -> Value:
    """Keeps a value, if need be in place of the one that was made first.

    Callers who invent targets and ceilings must not fill up the memory.
    """
    if len(known) >= most:
        known.pop(next(iter(known)), None)
    known[key] = value
    return value
