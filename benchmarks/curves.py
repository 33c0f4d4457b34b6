"""Cost against quality of ways to decide, all on the same prompts, and how far one is ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float32]

DRAWS = 300
"""Bootstrap draws of prompts behind each interval."""
_GRID = 101
_ROUNDING = 1e-6


class Curve(Struct, frozen=True):
    """p operating points on n prompts: `score` in [0, 1], `cost` in USD with every call billed, and
    `small`, where the reference was not asked; all (p, n). The first point is always the reference.
    """

    labels: list[str]
    score: Matrix
    cost: Matrix
    small: NDArray[np.bool_]

    def rows(self, keep: NDArray[np.intp]) -> Curve:
        """Only these prompts."""
        return Curve(self.labels, self.score[:, keep], self.cost[:, keep], self.small[:, keep])


class Point(Struct, frozen=True):
    """An operating point: `quality` and `saving` as fractions of the reference's quality and cost,
    and the share of prompts finished without it."""

    label: str
    quality: float
    saving: float
    small_share: float


class Gap(Struct, frozen=True):
    """Our quality less theirs at the same cost, as fractions of the reference's quality.

    From `from_cost`, the least at which both have a point, to the reference's cost (1): the `mean`,
    which is the area between the curves over its width, with its 95% `interval` by bootstrap of
    prompts; the `least` and where it lies; and the shares of costs where we are ahead and behind.
    """

    from_cost: float
    mean: float
    interval: tuple[float, float]
    least: float
    least_at: float
    ahead: float
    behind: float


def joined(curves: Sequence[Curve]) -> Curve:
    """All points of these curves on the same prompts; the reference once."""
    first, *others = curves
    if not others:
        return first
    return Curve(
        [*first.labels, *(label for one in others for label in one.labels[1:])],
        np.vstack([first.score, *(one.score[1:] for one in others)]),
        np.vstack([first.cost, *(one.cost[1:] for one in others)]),
        np.vstack([first.small, *(one.small[1:] for one in others)]),
    )


def cheapest(curve: Curve, fraction: float) -> int:
    """The point that costs least of those that reach a fraction of the reference's mean score."""
    score, cost = curve.score.mean(axis=1), curve.cost.mean(axis=1)
    able = np.flatnonzero(score >= fraction * score[0] - _ROUNDING)
    return int(able[np.argmin(cost[able])])


def point(curve: Curve, at: int) -> Point:
    """What one point comes to."""
    return made(curve, curve.labels[at], curve.score[at], curve.cost[at], curve.small[at])


def made(
    curve: Curve, label: str, score: NDArray[np.floating], cost: NDArray[np.floating],
    small: NDArray[np.bool_],
) -> Point:  # fmt: skip
    """A point of these outcomes (n,), beside the curve's reference."""
    return Point(
        label,
        float(score.mean() / curve.score[0].mean()),
        float(1 - cost.mean() / curve.cost[0].mean()),
        float(small.mean()),
    )


def gap(ours: Curve, theirs: Curve, seed: int) -> Gap | None:
    """How far ours is ahead; None where theirs never costs less than the reference.

    Between points that were measured lie those that a coin between them would give, so a curve is
    the upper concave hull of its points: nobody is held to the gaps in their settings.
    """
    n = ours.score.shape[1]
    whole = np.full((1, n), 1.0 / n, np.float32)
    mine, other = _relative(ours, whole), _relative(theirs, whole)
    start = max(float(mine[0].min()), float(other[0].min()))
    if start >= 1.0:
        return None
    grid = np.linspace(start, 1.0, _GRID)
    apart = _apart(mine, other, 0, grid)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), DRAWS) / n
    weights = drawn.astype(np.float32)
    mine, other = _relative(ours, weights), _relative(theirs, weights)
    means = [float(_apart(mine, other, draw, grid).mean()) for draw in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    least = int(apart.argmin())
    return Gap(
        start, float(apart.mean()), (float(low), float(high)),
        float(apart[least]), float(grid[least]),
        float((apart > _ROUNDING).mean()), float((apart < -_ROUNDING).mean()),
    )  # fmt: skip


def hull(cost: Vector, score: Vector, at: Vector) -> Vector:
    """The best mean score that mixing points gives at these costs, none below the cheapest."""
    order = np.lexsort((-score, cost))
    corners: list[int] = []
    for place in order:
        if corners and score[place] <= score[corners[-1]]:
            continue
        while len(corners) > 1 and _bends_up(cost, score, corners[-2], corners[-1], int(place)):
            corners.pop()
        corners.append(int(place))
    return np.interp(at, cost[corners], score[corners], left=np.nan)


def _bends_up(cost: Vector, score: Vector, first: int, middle: int, last: int) -> bool:
    rise = (score[middle] - score[first]) * (cost[last] - cost[first])
    return bool(rise <= (score[last] - score[first]) * (cost[middle] - cost[first]))


def _relative(curve: Curve, weights: Matrix) -> tuple[Vector, Vector]:
    """Cost and score of each point under each row of weights, over the reference's, (p, draws)."""
    cost = (curve.cost @ weights.T).astype(np.float64)
    score = (curve.score @ weights.T).astype(np.float64)
    return cost / cost[0], score / score[0]


def _apart(
    mine: tuple[Vector, Vector], other: tuple[Vector, Vector], draw: int, grid: Vector
) -> Vector:
    """Ours less theirs on the grid; a draw may begin a little beyond its first costs."""
    found = [hull(cost[:, draw], score[:, draw], grid) for cost, score in (mine, other)]
    both = ~np.isnan(found[0]) & ~np.isnan(found[1])
    return (found[0] - found[1])[both]
