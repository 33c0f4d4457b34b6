"""Fits what gates' verdicts are worth: one curve a gate, one logistic model for all of them.

Each gate's p is first made a probability by centred isotonic regression (Oron and Flournoy,
Statistics in Biopharmaceutical Research 9, 2017): isotonic regression, whose steps are replaced by
lines between their centres, so that no two scores become one. A logistic model on log-odds then
joins the gates, the router's expectation and what is missing; its own result is made a probability
in the same way, on predictions for rows that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.certificate import Combination, Curve, GateEvidence
from tierwise.errors import ConfigError
from tierwise.gates.combine import LEAST, log_odds, posterior
from tierwise.types import Verdict

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]

FEWEST = 100
"""Labelled answers that a combination is fitted to at least."""
_FEWEST_OF_A_KIND = 10
_FOLDS = 5
_SHRINK = 1.0
"""Every step of a curve is drawn to the base rate by so many imagined answers."""
_FEWEST_OF_A_STEP = 8
_PENALTY = 1.0
"""Inverse strength of the logistic model's ridge penalty."""
_MOST_KNOTS = 40
_CLEARLY = 4.0
"""Standard errors. Steps are where they are because rates differ there: two would be few."""
_STEP = 1e-9
"""Less than this is rounding, not a step."""


class Labelled(Struct, frozen=True, kw_only=True):
    """One answer whose worth is known.

    `verdicts` are the gates' p by name, `expected` what the router expected of the model, `right`
    in [0, 1] how good the answer was.
    """

    verdicts: Mapping[str, float]
    right: float
    expected: float | None = None

    def as_verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts as gates give them."""
        return tuple(Verdict(gate=gate, p=p, reason="") for gate, p in self.verdicts.items())


def fit(answers: Sequence[Labelled], seed: int = 0) -> Combination:
    """The combination that makes the most of these answers.

    Answers with a verdict of 0 are left out: no combination accepts them.

    Raises:
        ConfigError: there are too few of them, or they are all right or all wrong.
    """
    usable = [answer for answer in answers if all(p > 0 for p in answer.verdicts.values())]
    right = np.array([answer.right for answer in usable], np.float64)
    _enough(right)
    said = _table(usable)
    fold = np.random.default_rng(seed).permutation(len(usable)) % _FOLDS
    guessed = np.empty(len(usable))
    for number in range(_FOLDS):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        guessed[outside] = chances(join(said.rows(inside), right[inside]), said.rows(outside))
    whole = join(said, right)
    curve = rising(guessed, right)
    return Combination(
        base=whole.base,
        intercept=whole.intercept,
        prior=whole.prior,
        prior_missing=whole.prior_missing,
        gates=whole.gates,
        curve=curve,
        rows=len(usable),
    )


def rising(x: Vector, right: Vector) -> Curve:
    """P(right) as a rising function of x: centred isotonic regression, drawn to the base rate.

    Args:
        x: scores, any scale.
        right: outcomes in [0, 1].
    """
    from sklearn.isotonic import IsotonicRegression

    base = float(right.mean())
    steps = IsotonicRegression().fit_transform(x, right)
    order = np.argsort(x, kind="stable")
    ends = np.flatnonzero(np.concatenate((np.diff(steps[order]) > _STEP, [True]))) + 1
    centres, heights, sizes = [], [], []
    for rows in _blocks(order, ends, right):
        centres.append(float(x[rows].mean()))
        heights.append((float(right[rows].sum()) + _SHRINK * base) / (len(rows) + _SHRINK))
        sizes.append(len(rows) + _SHRINK)
    # Beyond the outermost centres the curve goes on rising, by what one answer more would move it,
    # so that the best scores of all stay apart.
    first = max(0.0, heights[0] - 1 / sizes[0])
    last = min(1.0, heights[-1] + (1 - heights[-1]) / sizes[-1])
    knots_x = np.array([float(x.min()), *centres, float(x.max())])
    knots_y = np.maximum.accumulate([first, *heights, last])
    keep = np.concatenate(([True], np.diff(knots_x) > 1e-9))
    return Curve(
        tuple(float(value) for value in knots_x[keep]),
        tuple(float(value) for value in knots_y[keep]),
    )


def _blocks(order: Rows, ends: Rows, right: Vector) -> list[Rows]:
    """The rows of each step, steps of few rows joined with their neighbours.

    A few that are clearly unlike those stay apart: a gate that fires on one answer in a
    hundred, and is right, must keep a step of its own.
    """
    least = max(_FEWEST_OF_A_STEP, len(order) // _MOST_KNOTS)
    found: list[Rows] = []
    begin = 0
    for end in ends:
        rows, following = order[begin:end], order[end : end + least]
        if len(rows) >= least or _unlike(right[rows], right[following]):
            found.append(rows)
            begin = int(end)
    if begin < len(order):
        rest = order[begin:]
        if found and not _unlike(right[rest], right[found[-1]]):
            rest = np.concatenate((found.pop(), rest))
        found.append(rest)
    return found


def _unlike(few: Vector, others: Vector) -> bool:
    """Whether two groups of answers can hardly be of one rate: the two-proportion z-test."""
    if min(len(few), len(others)) < _FEWEST_OF_A_STEP:
        return False
    both = np.concatenate((few, others))
    spread = both.std() * np.sqrt(1 / len(few) + 1 / len(others))
    return bool(abs(few.mean() - others.mean()) > _CLEARLY * spread > 0)


class Said(Struct, frozen=True):
    """What was said of n answers: by g gates, `p` (n, g), and by the router, `expected` (n,).

    NaN where nothing was said.
    """

    gates: tuple[str, ...]
    p: Matrix
    expected: Vector

    def rows(self, keep: Rows) -> Said:
        """Only these answers."""
        return Said(self.gates, self.p[keep], self.expected[keep])

    def only(self, columns: Sequence[int]) -> Said:
        """Only these gates."""
        names = tuple(self.gates[column] for column in columns)
        return Said(names, self.p[:, columns], self.expected)


def _table(answers: Sequence[Labelled]) -> Said:
    names = sorted({name for answer in answers for name in answer.verdicts})
    return Said(
        tuple(names),
        np.array([[one.verdicts.get(name, np.nan) for name in names] for one in answers]),
        np.array([np.nan if one.expected is None else one.expected for one in answers]),
    )


def join(said: Said, right: Vector) -> Combination:
    """The logistic model, without the last calibration. Verdicts of 0 must not be among these."""
    from sklearn.linear_model import LogisticRegression

    base = float(np.clip(right.mean(), 0.01, 0.99))
    # A gate that said nothing about any of these has no curve.
    said = said.only(np.flatnonzero((~np.isnan(said.p)).any(axis=0)).tolist())
    curves = [_curve_of(p, right) for p in said.p.T]
    model = LogisticRegression(C=_PENALTY, max_iter=500)
    model.fit(_features(said, curves, base), right >= 0.5)
    weights = [float(value) for value in model.coef_[0]]
    gates = tuple(
        GateEvidence(
            gate=name,
            curve=curves[number],
            weight=max(0.0, weights[2 + 2 * number]),
            missing=weights[3 + 2 * number],
        )
        for number, name in enumerate(said.gates)
    )
    return Combination(
        base=base,
        intercept=float(model.intercept_[0]),
        prior=max(0.0, weights[0]),
        prior_missing=weights[1],
        gates=gates,
        curve=_SAME,
        rows=len(right),
    )


_SAME = Curve((0.0, 1.0), (0.0, 1.0))


def _curve_of(p: Vector, right: Vector) -> Curve:
    given = ~np.isnan(p)
    return rising(p[given], right[given])


def _features(said: Said, curves: Sequence[Curve], base: float) -> Matrix:
    """Log-odds against the base rate, or 0 and a mark that it is missing; the expectation first."""
    found = []
    for place, p in enumerate((said.expected, *said.p.T)):
        missing = np.isnan(p)
        known = np.where(missing, base, p)
        if place:
            known = np.interp(known, curves[place - 1].x, curves[place - 1].y)
        kept = np.clip(known, LEAST, 1 - LEAST)
        found += [np.where(missing, 0.0, np.log(kept / (1 - kept)) - log_odds(base)), missing]
    return np.column_stack(found).astype(np.float64)


def chances(by: Combination, said: Said) -> Vector:
    """P(acceptable) of each answer before the last calibration, as `posterior` has it."""
    known = said.only([said.gates.index(gate.gate) for gate in by.gates])
    weights = [by.prior, by.prior_missing]
    for gate in by.gates:
        weights += [gate.weight, gate.missing]
    odds = by.intercept + _features(known, [g.curve for g in by.gates], by.base) @ weights
    found: Vector = 1 / (1 + np.exp(-odds))
    return found


def predict(answer: Labelled, fitted: Combination) -> float:
    """P(acceptable) of an answer, by the function that serves."""
    return posterior(answer.as_verdicts(), expected=answer.expected, combination=fitted)


def _enough(right: Vector) -> None:
    good = int((right >= 0.5).sum())
    if len(right) < FEWEST or min(good, len(right) - good) < _FEWEST_OF_A_KIND:
        raise ConfigError(
            f"{len(right)} answers to fit the gates on, {good} of them right, are too few "
            "(this is only a part of all that are labelled)",
            remedy=f"At least {FEWEST} are needed, {_FEWEST_OF_A_KIND} of them right "
            f"and {_FEWEST_OF_A_KIND} wrong.",
        )
