"""What a router is worth, in figures; everything here is a function of choices and outcomes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Interval = tuple[float, float]

BINS = 15
RESAMPLES = 300
_MIDDLE = (0.025, 0.975)


class Ranked(Struct, frozen=True):
    """What a ranking of prompts is worth between a weak and a strong model.

    `apgr` as RouteLLM defines it (arXiv 2406.18665, section 2.3): the performance gap recovered,
    (quality - weak's) / (strong's - weak's), as a mean over the share of calls to the strong
    model; 0.5 for a router that guesses. `cpt50` and `cpt80`: the smallest percentage of calls to
    the strong model that recovers half and four fifths of the gap.
    """

    apgr: float
    cpt50: float
    cpt80: float


def rank_worth(gain: Vector, strong: Vector, weak: Vector) -> Ranked | None:
    """Worth of sending the prompts of the highest predicted `gain` to the strong model.

    The mean over the share of calls is the area under the curve through all n + 1 shares. None if
    the strong model is no better than the weak one: there is no gap to recover.
    """
    order = np.argsort(-gain, kind="stable")
    return _worth((strong - weak)[order])


def _worth(gained: Vector) -> Ranked | None:
    """The same of true gains in the order of the ranking."""
    gap = gained.sum()
    if gap <= 0:
        return None
    recovered = np.concatenate([[0.0], np.cumsum(gained) / gap])
    share = np.linspace(0.0, 1.0, len(recovered))
    half, most = (100.0 * share[np.argmax(recovered >= goal)] for goal in (0.5, 0.8))
    return Ranked(float(np.trapezoid(recovered, share)), float(half), float(most))


def rank_intervals(
    gain: Vector, strong: Vector, weak: Vector, random: np.random.Generator
) -> dict[str, Interval]:
    """95% bootstrap intervals of `rank_worth`, by the names of its fields."""
    order = np.argsort(-gain, kind="stable")
    gained = (strong - weak)[order]
    n = len(gained)
    found: list[Ranked] = []
    for _ in range(RESAMPLES):
        # Drawing rows and keeping their order is drawing how often each stands in the ranking.
        drawn = np.repeat(gained, random.multinomial(n, np.full(n, 1.0 / n)))
        worth = _worth(drawn)
        if worth is not None:
            found.append(worth)
    names = ("apgr", "cpt50", "cpt80")
    return {name: interval(np.array([getattr(one, name) for one in found])) for name in names}


def calibration_error(predicted: Matrix, outcomes: Matrix) -> float:
    """Expected calibration error of P(success), 15 bins of equal width, all models together.

    The mean over predictions of |mean predicted - mean outcome| of their bin (Naeini, Cooper and
    Hauskrecht, AAAI 2015).
    """
    p, y = np.clip(predicted.ravel(), 0.0, 1.0), outcomes.ravel()
    where = np.minimum((p * BINS).astype(np.intp), BINS - 1)
    gap = np.bincount(where, weights=p - y, minlength=BINS)
    return float(np.abs(gap).sum() / len(p))


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float], rows: int, random: np.random.Generator
) -> Interval:
    """95% interval of a statistic of rows, each resample drawn with replacement."""
    values = [statistic(random.integers(0, rows, rows)) for _ in range(RESAMPLES)]
    return interval(np.array(values))


def weights(rows: int, random: np.random.Generator) -> Matrix:
    """Resamples as weights of the rows, (RESAMPLES, rows), each adding up to 1."""
    drawn = random.multinomial(rows, np.full(rows, 1.0 / rows), size=RESAMPLES)
    scaled: Matrix = drawn / rows
    return scaled


def interval(values: Vector) -> Interval:
    """The middle 95% of these."""
    if not len(values):
        return (float("nan"), float("nan"))
    low, high = np.quantile(values, _MIDDLE)
    return (float(low), float(high))


def intervals(values: Matrix) -> list[Interval]:
    """The middle 95% of each column; as `interval`, for many statistics at once."""
    if not len(values):
        return [interval(column) for column in values.T]
    low, high = np.quantile(values, _MIDDLE, axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
