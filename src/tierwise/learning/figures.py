"""Figures out of tested splits: curve, operating points, constants, intervals, a conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning import choose, metrics
from tierwise.learning.data import Data, Options, Split
from tierwise.learning.drawn import Drawn
from tierwise.learning.left_out import left_out
from tierwise.learning.outcomes import Outcomes
from tierwise.learning.result import (
    FRACTIONS,
    At,
    CascadeReport,
    Evaluation,
    Interval,
    LeftOut,
    Micros,
    Model,
    Point,
)
from tierwise.routing.learned import Learned

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_WORTH = 0.01
"""A router must save this much more than a single model to be worth having."""
_LEFT_OUT_FRACTION = 0.99

Picks = Mapping[str, NDArray[np.int16]]
"""The model chosen for each prompt, (k,), by the fraction that λ was chosen for."""


class Tested(Struct, frozen=True):
    """A split after its run.

    `quality` (k, m) predicted; `chosen` (points, k): always the reference, then by λ; `picks` the
    choices for each fraction, and `served` those with the caution that serving keeps, None where
    that has no sample; `base` (points,) the best single model by training rows and `known` (m,) how
    good each was there; `strange` (k,) whether a prompt looks like nothing that was learned from;
    `rows` how many were learned from.
    """

    split: Split
    learned: Learned
    quality: Matrix
    chosen: choose.Choices
    picks: Picks
    served: Picks | None
    base: NDArray[np.intp]
    known: NDArray[np.float64]
    strange: NDArray[np.bool_]
    rows: int


def evaluation(options: Options, data: Data, tested: Sequence[Tested], speed: Micros) -> Evaluation:
    """All figures, over the test rows of all splits together."""
    random = np.random.default_rng(options.seed)
    rows = np.concatenate([one.split.test for one in tested])
    outcomes = data.test.rows(rows)
    figures = Figures(outcomes, data.reference, random)
    quality = np.vstack([one.quality for one in tested])
    path = choose.curve(np.hstack([one.chosen for one in tested]), outcomes.scores, outcomes.costs)
    served = [one.served for one in tested if one.served is not None]
    return assembled(
        figures, data, path,
        _together(figures, [one.picks for one in tested]),
        figures.ranking([one.quality for one in tested]),
        (quality, outcomes.scores),
        served=_together(figures, served) if len(served) == len(tested) else {},
        speed=speed,
        trained_on=[one.rows for one in tested],
        left_out=_left_out(options, data, tested) if options.leave_out else [],
    )  # fmt: skip


def _together(figures: Figures, parts: Sequence[Picks]) -> dict[str, Came]:
    """What the choices of all splits came to."""
    return {key: figures.came(np.concatenate([picks[key] for picks in parts])) for key in parts[0]}


def assembled(
    figures: Figures,
    data: Data,
    path: choose.Curve,
    picks: Mapping[str, Came],
    ranking: tuple[metrics.Ranked | None, dict[str, Interval]],
    judged: tuple[Matrix, Matrix],
    *,
    served: Mapping[str, Came],
    speed: Micros,
    trained_on: Sequence[int],
    left_out: Sequence[LeftOut] = (),
    cascade: CascadeReport | None = None,
) -> Evaluation:
    """The evaluation that these figures make.

    Args:
        path: the test curve.
        picks: what the points that training rows chose came to, by fraction.
        ranking: APGR and CPT, where there are two models, and their intervals.
        judged: P(success) as predicted, and what came of it, row by row.
        served: as `picks`, chosen with the caution of serving; empty where that is not known.
        trained_on: rows that each split learned from.
    """
    outcomes = figures.outcomes
    constants = [figures.constant(column) for column in range(len(data.models))]
    drawn = figures.drawn(path)
    at = figures.at(path, drawn, picks, served, constants)
    ranked, intervals = ranking
    predicted, came = judged
    intervals["ece"] = metrics.bootstrap(
        lambda drawn: metrics.calibration_error(predicted[drawn], came[drawn]),
        len(predicted),
        figures.random,
    )
    return Evaluation(
        apgr=ranked.apgr if ranked else None,
        cpt50=ranked.cpt50 if ranked else None,
        cpt80=ranked.cpt80 if ranked else None,
        curve=figures.points(path, drawn),
        at=at,
        best_constant=max(constants, key=lambda one: (one.quality, -one.cost_usd)),
        oracle=figures.oracle(),
        reference=constants[data.reference],
        constants=constants,
        ece=metrics.calibration_error(predicted, came),
        decision_us=speed,
        intervals=intervals,
        left_out=list(left_out),
        prompts=len(outcomes.prompts),
        trained_on=round(float(np.mean(trained_on))),
        datasets=counts(outcomes),
        conclusion=conclusion(at),
        notes=data.notes,
        cascade=cascade,
    )


class Came(Struct, frozen=True):
    """What some choices came to on each row: score, cost in USD, and whether the reference was
    spared; all (n,)."""

    scores: Vector
    costs: Vector
    small: NDArray[np.bool_]


class Figures:
    """Points of one set of outcomes, all against the same reference and the same resamples."""

    def __init__(self, outcomes: Outcomes, reference: int, random: np.random.Generator) -> None:
        self.outcomes = outcomes
        self._reference = reference
        self.random = random
        self._weights = metrics.weights(len(outcomes.prompts), random)
        self._quality = float(outcomes.scores[:, reference].mean())
        self._cost = float(outcomes.costs[:, reference].mean())
        self._qualities = self._weights @ outcomes.scores[:, reference]
        self._costs = self._weights @ outcomes.costs[:, reference]

    def constant(self, column: int) -> Model:
        """One model for everything."""
        pick = np.full(len(self.outcomes.prompts), column, np.int16)
        return Model(model=self.outcomes.models[column], **self._fields(self.came(pick)))

    def oracle(self) -> Model:
        """For each prompt the cheapest of the best models, in hindsight."""
        scores, costs = self.outcomes.scores, self.outcomes.costs
        best = scores.max(axis=1, keepdims=True)
        pick = np.where(scores >= best - choose.TOLERANCE, costs, np.inf).argmin(axis=1)
        return Model(model="oracle", **self._fields(self.came(pick.astype(np.int16))))

    def drawn(self, path: choose.Curve) -> Drawn:
        """What each point of the test curve comes to in each resample."""
        small = (path.chosen != self._reference).astype(np.float64)
        return self._drawn(*(self._weights @ table.T for table in (path.scores, path.costs, small)))

    def points(self, path: choose.Curve, drawn: Drawn) -> list[Point]:
        """The test curve: always the reference, then from dear to cheap, each point once."""
        means = np.stack([path.mean_score, path.mean_cost, path.small(self._reference)], axis=1)
        new = np.append(True, (means[1:] != means[:-1]).any(axis=1))
        spans = drawn.spans()
        return [
            Point(**self._means(*means[row].tolist()), **spans[row]) for row in np.flatnonzero(new)
        ]

    def at(
        self,
        path: choose.Curve,
        drawn: Drawn,
        picks: Mapping[str, Came],
        served: Mapping[str, Came],
        constants: Sequence[Model],
    ) -> dict[str, At | None]:
        """The best, the chosen and the served point for each fraction."""
        small = path.small(self._reference)
        found: dict[str, At | None] = {}
        for fraction in FRACTIONS:
            key = str(fraction)
            best = choose.cheapest(path.mean_score, path.mean_cost, fraction * self._quality)
            if best is None:
                found[key] = None
                continue
            means = (path.mean_score[best], path.mean_cost[best], small[best])
            found[key] = At(
                **self._means(*map(float, means)),
                **drawn.cheapest(fraction).spans()[0],
                chosen=self.chosen(picks[key]),
                served=self.chosen(served[key]) if key in served else None,
                constant=cheapest_able(constants, fraction),
            )
        return found

    def ranking(
        self, qualities: Sequence[Matrix]
    ) -> tuple[metrics.Ranked | None, dict[str, Interval]]:
        """APGR and CPT if there are two models, from what was predicted in each split.

        Every split has a router of its own, whose gains are comparable among themselves: a share
        of calls is taken as the same share of each split.
        """
        if qualities[0].shape[1] != 2:
            return None, {}
        strong, weak = self._reference, 1 - self._reference
        scores = self.outcomes.scores
        gain = np.concatenate([_rank(one[:, strong] - one[:, weak]) for one in qualities])
        ranked = metrics.rank_worth(gain, scores[:, strong], scores[:, weak])
        if ranked is None:
            return None, {}
        found = metrics.rank_intervals(gain, scores[:, strong], scores[:, weak], self.random)
        return ranked, found

    def came(self, pick: NDArray[np.int16]) -> Came:
        """What choosing one model a row came to."""
        rows, model = np.arange(len(pick)), pick.astype(np.intp)
        scores, costs = self.outcomes.scores[rows, model], self.outcomes.costs[rows, model]
        return Came(scores, costs, model != self._reference)

    def chosen(self, came: Came) -> Point:
        """The point that choices came to."""
        return Point(**self._fields(came))

    def _fields(self, came: Came) -> dict[str, Any]:
        """All fields of a point."""
        tables = (came.scores, came.costs, came.small)
        drawn = self._drawn(*((self._weights @ table)[:, None] for table in tables))
        means = self._means(*(float(table.mean()) for table in tables))
        return {**means, **drawn.spans()[0]}

    def _means(self, quality: float, cost: float, small: float) -> dict[str, Any]:
        """The fields of a point that are means, and what they are of the reference's."""
        return {
            "quality": quality,
            "quality_rel": _ratio(quality, self._quality),
            "cost_usd": cost,
            "saving": 1.0 - _ratio(cost, self._cost),
            "small_share": small,
        }

    def _drawn(self, quality: Matrix, cost: Matrix, small: Matrix) -> Drawn:
        return Drawn(quality, cost, small, self._qualities[:, None], self._costs[:, None])


def cheapest_able(constants: Sequence[Model], fraction: float) -> Model | None:
    """The cheapest single model that reaches a fraction of the reference's quality, if one does."""
    able = [one for one in constants if one.quality_rel >= fraction - choose.TOLERANCE]
    return min(able, key=lambda one: one.cost_usd) if able else None


def _left_out(options: Options, data: Data, tested: Sequence[Tested]) -> list[LeftOut]:
    """How each dataset fared that the router never saw."""
    random = np.random.default_rng(options.seed)
    found: list[LeftOut] = []
    for one in tested:
        pick = one.picks[str(_LEFT_OUT_FRACTION)]
        # The base of the λ in use; if no λ was found, the reference was asked throughout.
        match = np.flatnonzero((one.chosen == pick).all(axis=1))
        base = int(one.base[match[0]]) if len(match) else data.reference
        outcomes = data.test.rows(one.split.test)
        found.append(
            left_out(
                one.split.name, _LEFT_OUT_FRACTION, outcomes, pick, base, one.known, one.strange,
                random,
            )
        )  # fmt: skip
    return found


def conclusion(at: dict[str, At | None]) -> str:
    """Whether this traffic needs a router at all: what was chosen beforehand must have kept the
    quality that it was chosen for, as far as the test can tell."""
    better: list[str] = []
    enough: list[str] = []
    for fraction, found in at.items():
        if found is None:
            continue
        alone = found.constant.saving if found.constant is not None else 0.0
        kept = found.chosen.quality_rel_interval[1] >= float(fraction)
        if kept and found.chosen.saving > alone + _WORTH:
            better.append(fraction)
        elif found.constant is not None:
            enough.append(f"{found.constant.model} at {fraction}")
    if not better:
        return f"One model is enough: {'; '.join(enough)}." if enough else "Nothing is gained."
    text = f"A router saves more than any single model at {', '.join(better)} of the reference"
    return f"{text}; one model is enough: {'; '.join(enough)}." if enough else f"{text}."


def _rank(values: Vector) -> Vector:
    """Each value's rank among all, as a share in (0, 1); in the order of the rows where equal."""
    rank = np.empty(len(values))
    rank[np.argsort(values, kind="stable")] = np.arange(len(values)) + 0.5
    return rank / len(values)


def counts(outcomes: Outcomes) -> dict[str, int]:
    found: dict[str, int] = {}
    for prompt in outcomes.prompts:
        found[prompt.dataset] = found.get(prompt.dataset, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _ratio(one: float, other: float) -> float:
    """NaN, which is null in JSON, over nothing."""
    return one / other if other else float("nan")
