"""Fits the learned scorer and chooses the line-up of a cascade.

Everything that is chosen later (the line-up, what going on is worth, λ) is chosen on posteriors of
rows that the scorer did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.gates.scorer import (
    Answers,
    Scorer,
    linear,
    log_odds,
    own_features,
    state_features,
)
from tierwise.routing import lineup
from tierwise.routing import sample as prompts
from tierwise.routing.induction import Sample, Walked, induce, states, walk
from tierwise.routing.planner import Matrix, Seen

Vector = NDArray[np.float64]

DEPTH = 2
"""Answers that are weighed against each other; a third is taken as it is."""
MOST_MODELS = 5
FOLDS = 4
_OWN_RIDGE = 20.0
_HEAD_RIDGES = (50.0, 150.0, 400.0)
_LEAST_SPREAD = 0.05
_NEWTON_STEPS = 8
_MOST_PAIRS = 10_000
"""Of rows and states that one head is fitted to."""
_LINE_UP_ROWS = 900
_LINE_UP_RIDGE = 150.0
_LINE_UP_PRICES = (0.02, 0.05, 0.12, 0.3)
"""Of the reference's mean cost: a line-up should serve from hardly any loss to much saving."""
_WORTH_ADDING = 5e-4
_STEPS = 120
_LOWEST, _HIGHEST = 3e-3, 5.0
"""λ times the reference's mean cost: from quality at nearly any price to the cheapest."""


class Recorded(Struct, frozen=True):
    """Rows to learn from: `answers` of m models to n prompts, what was predicted of them without
    the row (`quality`, `expected_usd`), and what came out (`score`, `cost_usd`), all (n, m)."""

    answers: Answers
    quality: Matrix
    expected_usd: Matrix
    score: Matrix
    cost_usd: Matrix

    def rows(self, keep: NDArray[Any]) -> Recorded:
        """Only these prompts."""
        return Recorded(
            self.answers.rows(keep), self.quality[keep], self.expected_usd[keep],
            self.score[keep], self.cost_usd[keep],
        )  # fmt: skip

    def only(self, models: Sequence[int]) -> Recorded:
        """Only these models, in this order."""
        at = list(models)
        return Recorded(
            self.answers.only(at), self.quality[:, at], self.expected_usd[:, at],
            self.score[:, at], self.cost_usd[:, at],
        )  # fmt: skip


class Cascade(Struct, frozen=True):
    """A fitted cascade: `line_up` are places among all models, ascending; `reference` is the place
    of the reference in the line-up; `sample` is of the rows learned from, each left out."""

    line_up: tuple[int, ...]
    reference: int
    scorer: Scorer
    arrays: dict[str, NDArray[np.float32]]
    sample: Sample

    def sample_of(self, recorded: Recorded) -> Sample:
        """Other rows, of all models, in all states of the line-up."""
        return judged(self.scorer, recorded.only(self.line_up), self.sample.depth)


def judged(scorer: Scorer, recorded: Recorded, depth: int) -> Sample:
    """Rows that the scorer did not learn from, of its line-up's models, in all their states."""
    seen = states(recorded.score.shape[1], depth)
    return _sample(recorded, _posteriors(scorer, recorded, seen))


def fit_cascade(
    recorded: Recorded, reference: int, seed: int, line_up: Sequence[int] | None = None
) -> Cascade:
    """Chooses the line-up, fits the scorer and judges every row without itself.

    Of the line-ups, and of the ridges that say how much votes are trusted, it takes what plans
    gain most by on rows that they were not fitted to.
    """
    random = np.random.default_rng(seed)
    offered = [tuple(line_up)] if line_up is not None else line_ups(recorded, reference, random)
    found = [_judged(recorded, one, reference, random, _LINE_UP_RIDGE) for one in offered]
    chosen = offered[int(np.argmax([_planned(sample, place) for sample, place in found]))]
    own = recorded.only(chosen)
    tried = [_judged(recorded, chosen, reference, random, ridge) for ridge in _HEAD_RIDGES]
    best = int(np.argmax([_planned(sample, place) for sample, place in tried]))
    sample, place = tried[best]
    seen = states(len(chosen), sample.depth)
    arrays = fit_scorer(own, own_left_out(own, random), seen, _HEAD_RIDGES[best])
    return Cascade(chosen, place, Scorer(arrays), arrays, sample)


def _judged(
    recorded: Recorded,
    line_up: Sequence[int],
    reference: int,
    random: np.random.Generator,
    ridge: float,
) -> tuple[Sample, int]:
    """All rows, each judged without itself, and the place of the reference in the line-up."""
    own = recorded.only(line_up)
    seen = states(len(line_up), min(DEPTH, len(line_up)))
    return _sample(own, left_out(own, seen, random, ridge, FOLDS)), list(line_up).index(reference)


def prices(scale: float) -> Vector:
    """Values of λ to plan for, in 1/USD, ascending from 0; `scale` is the reference's mean cost."""
    return np.concatenate([[0.0], np.geomspace(_LOWEST, _HIGHEST, _STEPS)]) / scale


def crossed(cascade: Cascade, price: float, seed: int) -> Walked:
    """What plans for one λ come to on rows that each plan was not fitted to.

    Models are by their place in the line-up.
    """
    sample = cascade.sample
    rows, models = sample.score.shape
    fold = np.random.default_rng(seed).permutation(rows) % FOLDS
    found = Walked(
        np.empty(rows), np.empty(rows), np.empty(rows, np.intp), np.empty((rows, models), bool)
    )
    for number in range(FOLDS):
        test = fold == number
        plan = induce(sample.rows(~test), price, cascade.reference)
        came = walk(plan, sample.rows(test))
        for name in Walked.__struct_fields__:
            getattr(found, name)[test] = getattr(came, name)
    return found


def line_ups(
    recorded: Recorded, reference: int, random: np.random.Generator
) -> list[tuple[int, ...]]:
    """Line-ups worth comparing: those of models that go well together, from two starts.

    Searched from the reference alone, a specialist may be missed that no other answer leads to.
    So the models that are worth choosing among by the prompt alone are the second start, and a
    line-up of their own: a model less is less to learn.
    """
    drawn = recorded.rows(np.sort(random.permutation(len(recorded.score))[:_LINE_UP_ROWS]))
    seen = states(drawn.score.shape[1], min(2, drawn.score.shape[1]))
    sample = _sample(drawn, left_out(drawn, seen, random, _LINE_UP_RIDGE, 2))
    by_prompt = lineup.line_up(
        prompts.Sample(recorded.quality, recorded.score, recorded.expected_usd), reference
    )
    apart = tuple(sorted(by_prompt[:MOST_MODELS]))
    found = {_extended(sample, start, reference) for start in ((reference,), apart)}
    return sorted(found | {apart} if len(apart) > 1 else found)


def _extended(sample: Sample, start: tuple[int, ...], reference: int) -> tuple[int, ...]:
    """The models that are worth keeping up: one is added as long as plans gain by it.

    A model may be worth nothing until a third joins it, so the search goes one step beyond the
    last gain.
    """
    models = sample.score.shape[1]
    scale = float(sample.cost_usd[:, reference].mean()) or 1.0
    line_up = start
    best, kept = _value(sample, line_up, reference, scale), line_up
    while len(line_up) < min(MOST_MODELS, models):
        tried = [
            tuple(sorted((*line_up, model))) for model in range(models) if model not in line_up
        ]
        values = [_value(sample, one, reference, scale) for one in tried]
        line_up = tried[int(np.argmax(values))]
        if max(values) > best + _WORTH_ADDING:
            best, kept = max(values), line_up
        elif len(line_up) > len(kept) + 1:
            break
    return kept


def _planned(sample: Sample, reference: int) -> float:
    """Mean utility over a few prices of plans on rows that they were not fitted to."""
    scale = float(sample.cost_usd[:, reference].mean()) or 1.0
    fold = np.arange(len(sample.score)) % FOLDS
    found: list[float] = []
    for share in _LINE_UP_PRICES:
        price = share / scale
        for number in range(FOLDS):
            plan = induce(sample.rows(fold != number), price, reference)
            came = walk(plan, sample.rows(fold == number))
            found.append(float((came.score - price * came.cost_usd).mean()))
    return float(np.mean(found))


def _value(sample: Sample, line_up: Sequence[int], reference: int, scale: float) -> float:
    """Mean utility of plans with these models, over a few prices of quality."""
    part = _restricted(sample, line_up)
    place = list(line_up).index(reference)
    found = []
    for share in _LINE_UP_PRICES:
        price = share / scale
        came = walk(induce(part, price, place), part)
        found.append(float((came.score - price * came.cost_usd).mean()))
    return float(np.mean(found))


def _restricted(sample: Sample, line_up: Sequence[int]) -> Sample:
    """The sample of some of the models only."""
    at = list(line_up)
    place = {model: number for number, model in enumerate(at)}
    posterior = {
        tuple(place[model] for model in seen): known[:, at]
        for seen, known in sample.posterior.items()
        if set(seen) <= set(at)
    }
    return Sample(
        sample.quality[:, at], sample.expected_usd[:, at], posterior, sample.score[:, at],
        sample.cost_usd[:, at],
    )  # fmt: skip


def left_out(
    recorded: Recorded, seen: Sequence[Seen], random: np.random.Generator, ridge: float, folds: int
) -> dict[Seen, Matrix]:
    """Posteriors (n, m) in each state, each row judged by a scorer that did not see it."""
    rows = len(recorded.score)
    fold = random.permutation(rows) % folds
    own = own_left_out(recorded, random)
    found = {one: np.empty_like(recorded.quality) for one in seen}
    for number in range(folds):
        train, test = fold != number, fold == number
        part = recorded.rows(train)
        scorer = Scorer(fit_scorer(part, own[train], seen, ridge))
        for one, known in _posteriors(scorer, recorded.rows(test), seen, own[test]).items():
            found[one][test] = known
    return found


def own_left_out(recorded: Recorded, random: np.random.Generator) -> Matrix:
    """Log-odds of each answer by itself, each row judged without itself, (n, m)."""
    fold = random.permutation(len(recorded.score)) % FOLDS
    found = np.empty_like(recorded.quality)
    for number in range(FOLDS):
        train, test = recorded.rows(fold != number), recorded.rows(fold == number)
        for model in range(found.shape[1]):
            weights = _fit_own(train, model)
            features = own_features(test.answers, test.quality, model)
            found[fold == number, model] = linear(features, weights)
    return found


def fit_scorer(
    recorded: Recorded, own: Matrix, seen: Sequence[Seen], ridge: float
) -> dict[str, NDArray[np.float32]]:
    """The arrays of a `Scorer`; `own` are log-odds by an answer alone, of rows left out."""
    rows, models = recorded.score.shape
    alone = [_fit_own(recorded, model) for model in range(models)]
    heads = []
    for unseen in (False, True):
        for model in range(models):
            mine = [one for one in seen if (model in one) != unseen] or list(seen)
            features, target = _drawn_pairs(recorded, own, mine, model)
            heads.append(logistic(features, target, ridge * (len(target) / rows) ** 0.5))
    stacked = np.stack(heads).reshape(2, models, *heads[0].shape)
    return {
        "scorer_own": np.stack(alone).astype(np.float32),
        "scorer_heads": stacked.astype(np.float32),
    }


def _drawn_pairs(
    recorded: Recorded, own: Matrix, seen: Sequence[Seen], model: int
) -> tuple[Matrix, Vector]:
    """Features and outcomes of a model in these states; of many pairs of row and state a draw.

    In each state other rows are taken, evenly spread, so that a row is met in several of them.
    """
    rows = len(recorded.score)
    step = max(1, -(-rows * len(seen) // _MOST_PAIRS))
    features: list[Matrix] = []
    target: list[Vector] = []
    for number, one in enumerate(seen):
        keep = np.arange(number % step, rows, step)
        part = recorded.answers.rows(keep)
        features.append(state_features(part, recorded.quality[keep], own[keep], one, model))
        target.append(recorded.score[keep, model])
    return np.vstack(features), np.concatenate(target)


def _fit_own(recorded: Recorded, model: int) -> Matrix:
    features = own_features(recorded.answers, recorded.quality, model)
    return logistic(features, recorded.score[:, model], _OWN_RIDGE)


def logistic(features: Matrix, target: Vector, ridge: float) -> Matrix:
    """Logistic regression by Newton steps, as the weights that `linear` reads, (G + 1, 3).

    Targets between 0 and 1 count as that share of a success.
    """
    mean = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), _LEAST_SPREAD)
    scaled = np.column_stack([(features - mean) / spread, np.ones(len(features))])
    weights = np.zeros(scaled.shape[1])
    weights[-1] = float(log_odds(target.mean()[None])[0])
    penalty = np.full(len(weights), ridge)
    penalty[-1] = 1e-3
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(scaled @ weights, -15.0, 15.0)))
        slope = scaled.T @ (p - target) + penalty * weights
        bend = (scaled * (p * (1.0 - p) + 1e-4)[:, None]).T @ scaled
        bend[np.diag_indices(len(weights))] += penalty
        step = np.linalg.solve(bend, slope)
        # Far out the bend all but vanishes, and a whole step would overshoot.
        weights -= np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-3:
            break
    return np.column_stack([np.append(mean, 0.0), np.append(spread, 1.0), weights])


def _posteriors(
    scorer: Scorer, recorded: Recorded, seen: Sequence[Seen], own: Matrix | None = None
) -> dict[Seen, Matrix]:
    odds = scorer.own(recorded.answers, recorded.quality) if own is None else own
    return {one: scorer.combined(recorded.answers, recorded.quality, odds, one) for one in seen}


def _sample(recorded: Recorded, posterior: dict[Seen, Matrix]) -> Sample:
    return Sample(
        recorded.quality, recorded.expected_usd, posterior, recorded.score, recorded.cost_usd
    )
