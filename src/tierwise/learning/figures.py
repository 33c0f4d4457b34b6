"""Figures out of tested splits: curve, operating points, constants, intervals, a conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning import choose, metrics
from tierwise.learning.data import Data, Options, Split
from tierwise.learning.outcomes import Outcomes
from tierwise.learning.result import (
    FRACTIONS,
    At,
    CascadeReport,
    Chosen,
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


class Tested(Struct, frozen=True):
    """A split after its run.

    `quality` (k, m) predicted; `chosen` (points, k): always the reference, then by λ; `picks` the
    choices (k,) for each fraction; `base` (points,) the best single model by training rows;
    `foreign` the share of strange prompts; `rows` how many were learned from.
    """

    split: Split
    learned: Learned
    quality: Matrix
    chosen: choose.Choices
    picks: dict[str, NDArray[np.int16]]
    base: NDArray[np.intp]
    foreign: float
    rows: int


def evaluation(options: Options, data: Data, tested: Sequence[Tested], speed: Micros) -> Evaluation:
    """All figures, over the test rows of all splits together."""
    random = np.random.default_rng(options.seed)
    rows = np.concatenate([one.split.test for one in tested])
    outcomes = data.test.rows(rows)
    figures = Figures(outcomes, data.reference, random)
    quality = np.vstack([one.quality for one in tested])
    path = choose.curve(np.hstack([one.chosen for one in tested]), outcomes.scores, outcomes.costs)
    picks = {key: np.concatenate([t.picks[key] for t in tested]) for key in tested[0].picks}
    return assembled(
        figures, data, path,
        {key: figures.came(pick) for key, pick in picks.items()},
        figures.ranking([one.quality for one in tested]),
        (quality, outcomes.scores),
        speed=speed,
        trained_on=[one.rows for one in tested],
        left_out=[_left_out(one, data) for one in tested] if options.leave_out else [],
    )  # fmt: skip


def assembled(
    figures: Figures,
    data: Data,
    path: choose.Curve,
    picks: Mapping[str, Came],
    ranking: tuple[metrics.Ranked | None, dict[str, Interval]],
    judged: tuple[Matrix, Matrix],
    *,
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
        trained_on: rows that each split learned from.
    """
    outcomes = figures.outcomes
    constants = [figures.constant(column) for column in range(len(data.models))]
    at = figures.at(path, picks, constants)
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
        curve=figures.points(path),
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

    def point(self, quality: float, cost: float, small: float) -> Point:
        return Point(
            quality=quality,
            quality_rel=_ratio(quality, self._quality),
            cost_usd=cost,
            saving=1.0 - _ratio(cost, self._cost),
            small_share=small,
        )

    def constant(self, column: int) -> Model:
        """One model for everything."""
        scores, costs = self.outcomes.scores[:, column], self.outcomes.costs[:, column]
        small = 0.0 if column == self._reference else 1.0
        return self._model(self.outcomes.models[column], scores, costs, small)

    def oracle(self) -> Model:
        """For each prompt the cheapest of the best models, in hindsight."""
        scores, costs = self.outcomes.scores, self.outcomes.costs
        best = scores.max(axis=1, keepdims=True)
        pick = np.where(scores >= best - choose.TOLERANCE, costs, np.inf).argmin(axis=1)
        rows = np.arange(len(pick))
        small = float((pick != self._reference).mean())
        return self._model("oracle", scores[rows, pick], costs[rows, pick], small)

    def points(self, path: choose.Curve) -> list[Point]:
        """The test curve: always the reference, then from dear to cheap, each point once."""
        found: list[Point] = []
        for row in range(len(path.mean_score)):
            quality, cost = float(path.mean_score[row]), float(path.mean_cost[row])
            point = self.point(quality, cost, float(path.small(self._reference)[row]))
            if not found or point != found[-1]:
                found.append(point)
        return found

    def at(
        self,
        path: choose.Curve,
        picks: Mapping[str, Came],
        constants: Sequence[Model],
    ) -> dict[str, At | None]:
        """The best and the chosen point for each fraction."""
        qualities, costs = self._weights @ path.scores.T, self._weights @ path.costs.T
        found: dict[str, At | None] = {}
        for fraction in FRACTIONS:
            key = str(fraction)
            best = choose.cheapest(path.mean_score, path.mean_cost, fraction * self._quality)
            if best is None:
                found[key] = None
                continue
            point = self.point(
                float(path.mean_score[best]),
                float(path.mean_cost[best]),
                float(path.small(self._reference)[best]),
            )
            found[key] = At(
                **_fields(point),
                saving_interval=self._best_interval(qualities, costs, fraction),
                chosen=self.chosen(picks[key]),
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

    def _model(self, name: str, scores: Vector, costs: Vector, small: float) -> Model:
        point = self.point(float(scores.mean()), float(costs.mean()), small)
        return Model(
            **_fields(point),
            model=name,
            quality_interval=metrics.interval(self._weights @ scores),
        )

    def came(self, pick: NDArray[np.int16]) -> Came:
        """What choosing one model a row came to."""
        rows, model = np.arange(len(pick)), pick.astype(np.intp)
        scores, costs = self.outcomes.scores[rows, model], self.outcomes.costs[rows, model]
        return Came(scores, costs, model != self._reference)

    def chosen(self, came: Came) -> Chosen:
        """The point that choices came to, with intervals."""
        scores, costs = came.scores, came.costs
        point = self.point(float(scores.mean()), float(costs.mean()), float(came.small.mean()))
        return Chosen(
            **_fields(point),
            quality_rel_interval=metrics.interval(_ratios(self._weights @ scores, self._qualities)),
            saving_interval=metrics.interval(1.0 - _ratios(self._weights @ costs, self._costs)),
        )

    def _best_interval(self, qualities: Matrix, costs: Matrix, fraction: float) -> Interval:
        """Of the best point's saving: in each resample the best point is found anew."""
        savings: list[float] = []
        for drawn in range(len(qualities)):
            target = fraction * float(self._qualities[drawn])
            best = choose.cheapest(qualities[drawn], costs[drawn], target)
            if best is not None:
                savings.append(1.0 - _ratio(float(costs[drawn, best]), float(self._costs[drawn])))
        return metrics.interval(np.array(savings))


def cheapest_able(constants: Sequence[Model], fraction: float) -> Model | None:
    """The cheapest single model that reaches a fraction of the reference's quality, if one does."""
    able = [one for one in constants if one.quality_rel >= fraction - choose.TOLERANCE]
    return min(able, key=lambda one: one.cost_usd) if able else None


def _left_out(one: Tested, data: Data) -> LeftOut:
    """How a dataset fared that the router never saw."""
    outcomes, reference = data.test.rows(one.split.test), data.reference
    pick = one.picks[str(_LEFT_OUT_FRACTION)].astype(np.intp)
    rows = np.arange(len(pick))
    quality = float(outcomes.scores[rows, pick].mean())
    cost = float(outcomes.costs[rows, pick].mean())
    # The base of the λ in use; if no λ was found, the reference was asked throughout.
    match = [row for row in range(len(one.chosen)) if (one.chosen[row] == pick).all()]
    base = int(one.base[match[0]]) if match else reference
    means, paid = outcomes.scores.mean(axis=0), outcomes.costs.mean(axis=0)
    cheaper = cost < float(paid[base]) * (1 - 1e-9)
    able = np.flatnonzero(paid <= cost * (1 + 1e-9))
    best = int(able[np.argmax(means[able])]) if len(able) else int(np.argmin(paid))
    return LeftOut(
        dataset=one.split.name,
        prompts=len(pick),
        fraction=_LEFT_OUT_FRACTION,
        quality=quality,
        cost_usd=cost,
        base=data.models[base],
        base_quality=float(means[base]),
        base_cost_usd=float(paid[base]),
        loss=0.0 if cheaper else max(0.0, float(means[base]) - quality),
        best_model=data.models[best],
        regret=max(0.0, float(means[best]) - quality),
        foreign=one.foreign,
    )


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


def _fields(point: Point) -> dict[str, float]:
    return {name: getattr(point, name) for name in Point.__struct_fields__}


def _ratios(some: Vector, others: Vector) -> Vector:
    """As `_ratio`, one by one."""
    found: Vector = np.divide(some, others, out=np.full_like(some, np.nan), where=others != 0)
    return found


def _ratio(one: float, other: float) -> float:
    """NaN, which is null in JSON, over nothing."""
    return one / other if other else float("nan")
