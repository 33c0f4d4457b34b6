"""Is the promise kept? Certificates made on random parts of the data, checked on the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tierwise.learning.certify import Terms, certify, loses_at, scores, spent
from tierwise.learning.trials import Trials

Say = Callable[[str, float], None]


class Validation(Struct, frozen=True, kw_only=True):
    """What came of `splits` certificates, each checked on the `held_out` requests it never saw.

    `broken` is the share of splits in which more than alpha of them were lost: to be at most
    `delta`. `lost` is the mean share lost; `saving` is the mean saving against the reference with
    every call billed, `saving_low` the 5% quantile; `small_share` is the mean share that smaller
    models finished; `quality` is the mean quality as a fraction of the reference's.
    """

    splits: int
    held_out: int
    alpha: float
    delta: float
    broken: float
    lost: float
    saving: float
    saving_low: float
    small_share: float
    quality: float


def validate(trials: Trials, terms: Terms, splits: int, say: Say | None = None) -> Validation:
    """Splits the requests into halves, again and again: one makes a certificate, one checks it.

    Raises:
        ConfigError: half of the requests are too few for these terms.
    """
    rows = len(trials.answers)
    half = rows // 2
    random = np.random.default_rng(terms.seed)
    found = np.empty((splits, 4))
    for number in range(splits):
        order = random.permutation(rows)
        # What is counted are as many requests as were promised, or all there are.
        horizon = min(terms.horizon, half)
        mine = replace(terms, seed=int(random.integers(2**31)), horizon=horizon)
        found[number] = _one(trials, order[half:], order[:half], mine)
        if say is not None:
            say("validating", (number + 1) / splits)
    lost, saving, small, quality = found.T
    return Validation(
        splits=splits,
        held_out=half,
        alpha=terms.alpha,
        delta=terms.delta,
        broken=float((lost > terms.alpha).mean()),
        lost=float(lost.mean()),
        saving=float(saving.mean()),
        saving_low=float(np.quantile(saving, 0.05)),
        small_share=float(small.mean()),
        quality=float(quality.mean()),
    )


def _one(
    trials: Trials, learnt: np.ndarray, held: np.ndarray, terms: Terms
) -> tuple[float, float, float, float]:
    """Share lost, saving, share finished small and quality on the requests held out."""
    certificate = certify(trials.rows(learnt), terms, date(2000, 1, 1))
    mine = trials.rows(held)
    score = scores(mine, certificate.combination)
    accept = np.array([certificate.threshold(name).accept for name in mine.traffic])
    # One threshold a request: shifting its scores makes them comparable to a common one.
    shifted = score - accept[:, None]
    lost = loses_at(shifted, mine.wrong()) >= 0
    cost = spent(shifted, 0.0, mine.costs, mine.reference_costs).sum()
    taken = shifted >= 0
    first = taken.argmax(axis=1)
    right = np.array([[answer.right for answer in row] for row in mine.answers])
    small = taken.any(axis=1)
    chosen = right[np.arange(len(right)), first]
    quality = np.where(small, chosen, mine.reference_right).mean() / mine.reference_right.mean()
    saving = 1 - cost / mine.reference_costs.sum()
    return float(lost.mean()), float(saving), float(small.mean()), float(quality)
