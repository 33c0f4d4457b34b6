"""How able is each model, how difficult each prompt, where not everybody was tried on everything.

The one-parameter logistic model of Rasch (Probabilistic Models for Some Intelligence and
Attainment Tests, 1960): P(model m does prompt x well) = sigmoid(ability_m - difficulty_x). It puts
models of several sources, each tried on other prompts, on one scale as long as some model or some
prompt links them, and it says what to expect in the cells that nobody recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

ABILITY_VARIANCE = 4.0
"""Prior of abilities, in squared log-odds: models between 2% and 98% are no surprise."""
DIFFICULTY_VARIANCE = 2.0
"""Prior of difficulties about the mean of their group; it decides what a single outcome says."""
ABILITY_PER_ODDS = 1.5
"""Abilities are further apart than the log-odds of mean quality, which mixes easy and hard prompts:
by 0.9 to 2.2 within the sources that the shipped router is learned from."""

MEAN_VARIANCE = 4.0
"""Prior of the groups' means: wide, so that it only holds those that are always (or never) done."""
_ROUNDS = 60
"""Of steps; a step is bounded to two units of log-odds."""


class Rasch(Struct, frozen=True):
    """Fitted log-odds: `ability` (m,) of the models, `difficulty` (n,) of the prompts, mean 0."""

    ability: NDArray[np.float64]
    difficulty: NDArray[np.float64]

    def expected(self) -> NDArray[np.float64]:
        """P(success), (n, m)."""
        return sigmoid(self.ability - self.difficulty[:, None])

    def complete(self, outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The outcomes with what is expected in the cells that are NaN."""
        return np.where(np.isnan(outcomes), self.expected(), outcomes)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def fit_rasch(
    outcomes: NDArray[np.float64],
    groups: Sequence[str] | None = None,
    qualities: Sequence[float | None] = (),
) -> Rasch:
    """Maximum a posteriori abilities and difficulties.

    Newton steps in turn on the abilities, on the mean difficulty of each group and on the
    difficulties; each is diagonal, because given the others all of a kind are independent. Without
    means of groups a hard source would be drawn towards the others and pass for an easier one, and
    the models that only it has for weak. Outcomes between 0 and 1 count as that share of a success.

    Args:
        outcomes: (n, m) in [0, 1], NaN where nothing was recorded.
        groups: what sort of prompt each of the n is; None makes them all one.
        qualities: of each of the m models what is known beforehand in (0, 1), or None; empty if
            nothing is. Abilities of known models are then taken as given. That is for sources
            with other models each: there outcomes cannot tell a hard source from weak models, nor
            models that are alike from prompts that cannot tell them apart.
    """
    seen = ~np.isnan(outcomes)
    filled = np.where(seen, outcomes, 0.0)
    names, group = np.unique(groups or [""] * len(outcomes), return_inverse=True)
    members = (group == np.arange(len(names))[:, None]).astype(np.float64)
    ability, fitted = _given(qualities, outcomes.shape[1])
    middle = np.zeros(len(names))
    apart = np.zeros(len(outcomes))

    def rates() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p = np.where(seen, sigmoid(ability - (middle[group] + apart)[:, None]), 0.0)
        return p - filled, p * (1 - p)

    for _ in range(_ROUNDS):
        excess, bend = rates()
        slope = -excess.sum(axis=0) - ability / ABILITY_VARIANCE
        ability = ability + fitted * _step(slope, bend.sum(axis=0) + 1 / ABILITY_VARIANCE)
        excess, bend = rates()
        slope = members @ excess.sum(axis=1) - middle / MEAN_VARIANCE
        middle = middle + _step(slope, members @ bend.sum(axis=1) + 1 / MEAN_VARIANCE)
        excess, bend = rates()
        slope = excess.sum(axis=1) - apart / DIFFICULTY_VARIANCE
        apart = apart + _step(slope, bend.sum(axis=1) + 1 / DIFFICULTY_VARIANCE)
    difficulty = middle[group] + apart
    # The scale has no origin of its own: it is anchored at the mean prompt.
    origin = float(difficulty.mean())
    return Rasch(ability - origin, difficulty - origin)


def _given(
    qualities: Sequence[float | None], models: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Abilities to begin with, and which of them are to be fitted."""
    known = np.array([np.nan if quality is None else quality for quality in qualities])
    if not len(known) or np.isnan(known).all():
        return np.zeros(models), np.ones(models, dtype=bool)
    kept = np.clip(known, 0.02, 0.98)
    odds = ABILITY_PER_ODDS * np.log(kept / (1.0 - kept))
    return np.where(np.isnan(odds), np.nanmean(odds), odds), np.isnan(odds)


def _step(slope: NDArray[np.float64], bend: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's step, bounded; far out, where the bend vanishes, it would overshoot."""
    bounded: NDArray[np.float64] = np.clip(slope / np.maximum(bend, 1e-6), -2.0, 2.0)
    return bounded
