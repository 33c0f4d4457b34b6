"""What each gate adds to all of them together, on recorded answers.

Gates are joined as `tierwise calibrate` joins them, once with all of them, once without each one
and once with each one alone; fitted to four fifths of the prompts and judged on the others, in
turn. What is expected of an answer is how many of its dataset were acceptable, so that no gate is
praised for firing on datasets that are hard anyway. What a gate adds is how much worse the Brier
score (the mean squared error of P(acceptable), Monthly Weather Review 78, 1950) is without it. One
that adds nothing beyond chance does not pay, whatever it says by itself: others say it too, or it
fires too seldom to matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning.calibrate import FEWEST, Said, chances, join

Vector = NDArray[np.float64]
Places = NDArray[np.intp]

PASSES = 0.5
"""What a tier demands of an answer unless it says otherwise (`Tier.accept`)."""
FEWEST_VERDICTS = 30
LEAST_GAIN = 1e-6
"""Of the Brier score; anything less is rounding."""
_SMALLEST_GROUP = 20
_FOLDS = 5
_SURE = 1.645
"""Standard errors of a bound that holds with 95% confidence, on one side (normal)."""


class Contribution(Struct, frozen=True, kw_only=True):
    """One gate among the others.

    `auroc_alone` and `brier_alone` are of this gate alone, `auroc_without` and `brier_without` of
    all others. `adds` is the Brier score without it less that of all, `adds_low` its lower bound
    with 95% confidence, prompts taken as independent. It `pays` if that is above `LEAST_GAIN` and
    it spoke often enough (`FEWEST_VERDICTS`) for that to be no accident.
    """

    gate: str
    auroc_alone: float | None
    brier_alone: float
    auroc_without: float | None
    brier_without: float
    adds: float
    adds_low: float
    pays: bool


class Together(Struct, frozen=True, kw_only=True):
    """All gates in one P(acceptable), on answers that it was not fitted to.

    AUROC is within datasets, as of a gate alone. Brier scores are better the lower, and that of a
    guess that knows no more than the dataset is `brier_base`. `idle` are the gates that do not pay,
    those that never spoke among them.
    """

    answers: int
    prompts: int
    auroc: float | None
    brier: float
    brier_base: float
    gates: tuple[Contribution, ...]
    idle: tuple[str, ...]


def contributions(
    gates: Sequence[str],
    p: NDArray[np.float64],
    scores: Vector,
    datasets: Sequence[str],
    prompts: Sequence[int],
) -> Together | None:
    """What all gates say together, and what each adds. None where there is too little to fit to.

    Args:
        p: P(acceptable) of n answers by each gate, (n, g); NaN where it had nothing to say.
        scores: what the answers were worth, in [0, 1].
        datasets: of each answer; AUROC compares those of the same one.
        prompts: which answers are of the same prompt, (n,).
    """
    right = (scores >= PASSES).astype(np.float64)
    if len(right) < FEWEST or not 0 < right.mean() < 1:
        return None
    spoke = np.flatnonzero((~np.isnan(p)).any(axis=0)).tolist()
    groups = np.unique(datasets, return_inverse=True)[1]
    number = np.unique(prompts, return_inverse=True)[1]
    fold = (np.random.default_rng(0).permutation(number.max() + 1) % _FOLDS)[number]
    # What was fitted in different folds is not compared: their base rates differ.
    alike = groups * _FOLDS + fold

    def judged(columns: Sequence[int]) -> tuple[float | None, Vector]:
        """AUROC, and the squared error of every answer."""
        names = tuple(gates[column] for column in columns)
        guess = _held_out(names, p[:, columns], right, groups, fold)
        return auroc_within(guess, scores, alike), (guess - right) ** 2

    auroc, errors = judged(spoke)
    found = []
    for column in spoke:
        auroc_alone, alone = judged([column])
        auroc_without, without = judged([one for one in spoke if one != column])
        low = _low(without - errors, number)
        found.append(
            Contribution(
                gate=gates[column],
                auroc_alone=auroc_alone,
                brier_alone=float(alone.mean()),
                auroc_without=auroc_without,
                brier_without=float(without.mean()),
                adds=float((without - errors).mean()),
                adds_low=low,
                pays=low > LEAST_GAIN and int((~np.isnan(p[:, column])).sum()) >= FEWEST_VERDICTS,
            )
        )
    paying = {one.gate for one in found if one.pays}
    return Together(
        answers=len(right),
        prompts=int(number.max()) + 1,
        auroc=auroc,
        brier=float(errors.mean()),
        brier_base=float(judged([])[1].mean()),
        gates=tuple(sorted(found, key=lambda one: -one.adds)),
        idle=tuple(name for name in gates if name not in paying),
    )


def auroc_within(
    p: NDArray[np.float64], scores: NDArray[np.float64], groups: NDArray[np.str_] | Places
) -> float | None:
    """AUROC over the pairs whose two answers are of the same group; None without any pair.

    A gate must not look good because it fires on datasets that are hard anyway.
    """
    won = pairs = 0.0
    for group in np.unique(groups):
        here = groups == group
        if here.sum() < _SMALLEST_GROUP:
            continue
        good = scores[here] >= PASSES
        values, at = np.unique(p[here], return_inverse=True)
        right = np.bincount(at[good], minlength=len(values)).astype(float)
        wrong = np.bincount(at[~good], minlength=len(values)).astype(float)
        below = np.cumsum(wrong) - wrong
        won += float((right * (below + wrong / 2)).sum())
        pairs += float(right.sum() * wrong.sum())
    return won / pairs if pairs else None


def _held_out(
    gates: tuple[str, ...], p: NDArray[np.float64], right: Vector, groups: Places, fold: Places
) -> Vector:
    """P(acceptable) of each answer by what was fitted to other prompts; 0 where a gate rejects."""
    rejected = (p == 0).any(axis=1)
    found = np.zeros(len(right))
    for number in range(_FOLDS):
        learnt = np.flatnonzero((fold != number) & ~rejected)
        held = np.flatnonzero((fold == number) & ~rejected)
        expected = _expected(right, groups, fold != number)
        found[held] = expected[held]
        if gates and 0 < right[learnt].mean() < 1:  # else there is nothing to learn
            said = Said(gates, p, expected)
            found[held] = chances(join(said.rows(learnt), right[learnt]), said.rows(held))
    return found


def _expected(right: Vector, groups: Places, learnt: NDArray[np.bool_]) -> Vector:
    """The rate of acceptable answers of each one's dataset among those learnt from; of all where
    that has none."""
    total = np.bincount(groups[learnt], minlength=groups.max() + 1)
    good = np.bincount(groups[learnt], weights=right[learnt], minlength=groups.max() + 1)
    rate = np.where(total > 0, good / np.maximum(total, 1), right[learnt].mean())
    expected: Vector = rate[groups]
    return expected


def _low(gain: Vector, prompts: Places) -> float:
    """Lower bound of the mean: answers to the same prompt count as one draw (cluster-robust)."""
    mean = gain.mean()
    strays = np.bincount(prompts, weights=gain - mean)
    return float(mean - _SURE * np.sqrt((strays**2).sum()) / len(gain))
