"""Fits plans to recorded outcomes, from the last step back to the first.

All models' answers to all prompts of a sample are recorded, so every way to go on from every state
can be tried. In states of the most answers one can only stop or take one more answer as it is. One
answer earlier, what each prompt then came to (quality less λ · cost, as billed) is regressed on
what was known before: that is what going on is worth there, and so on back to the start. This is
optimal stopping by least squares (Longstaff and Schwartz, Valuing American Options by Simulation,
2001).

What the regressions are fitted to are posteriors, because single outcomes are so noisy that a few
thousand of them say less than what is to be gained. Posteriors flatter those who pick the highest,
though, and most where answers are hard to judge: what going on and stopping really came to, beyond
what posteriors hoped of both, is regressed too, with much shrinkage.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.routing.planner import STOP, Matrix, Plan, Seen, Situations, Vector, situation

_RIDGE = 0.01
"""Of the regressions on standardised features, in shares of the number of rows."""
_OUTCOME_RIDGE = 10.0
"""The same where targets are outcomes less posteriors: hardly more than their mean is believed."""
_LEAST_SPREAD = 1e-6


class Sample(Struct, frozen=True):
    """Prompts with all that can be known of them, n prompts and m models.

    `quality` and `expected_usd` (n, m) are predicted from the prompts; `posterior` has (n, m) for
    every state of one answer or more; all of them as said by learners that did not see the row.
    `score` and `cost_usd` (n, m) are what came out.
    """

    quality: Matrix
    expected_usd: Matrix
    posterior: Mapping[Seen, Matrix]
    score: Matrix
    cost_usd: Matrix

    @property
    def depth(self) -> int:
        """The most answers that posteriors were made of."""
        return max((len(seen) for seen in self.posterior), default=0)

    def known(self, seen: Seen) -> Matrix:
        """P(right) of every model in a state, (n, m)."""
        return self.posterior[seen] if seen else self.quality

    def at(self, seen: Seen) -> Situations:
        """All prompts in one state."""
        return Situations(self.quality, self.expected_usd, self.known(seen))

    def rows(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Sample:
        """Only these prompts."""
        posterior = {seen: known[keep] for seen, known in self.posterior.items()}
        return Sample(
            self.quality[keep], self.expected_usd[keep], posterior, self.score[keep],
            self.cost_usd[keep],
        )  # fmt: skip


class Walked(Struct, frozen=True):
    """What following a plan came to: `score` (n,), `cost_usd` (n,) of all calls, `model` (n,) whose
    answer was given, and `asked` (n, m) who was asked."""

    score: Vector
    cost_usd: Vector
    model: NDArray[np.intp]
    asked: NDArray[np.bool_]


def states(models: int, depth: int) -> list[Seen]:
    """All states of one to `depth` answers."""
    return [seen for size in range(1, depth + 1) for seen in combinations(range(models), size)]


def induce(sample: Sample, price: float, reference: int) -> Plan:
    """The plan for one price of quality, λ in 1/USD."""
    models, depth = sample.quality.shape[1], sample.depth
    weights: dict[Seen, Matrix] = {}
    plan = Plan(price, reference, depth, weights)
    hoped: dict[Seen, Vector] = {}
    came: dict[Seen, Vector] = {}
    row = np.arange(len(sample.quality))
    for seen in reversed([(), *states(models, depth)]):
        at = sample.at(seen)
        hope, real = _payoffs(sample, price, seen, hoped, came)
        if len(seen) < depth:
            weights[seen] = _fit_state(plan, seen, at, hope, real)
        action = plan.values(seen, at).argmax(axis=1)
        hoped[seen], came[seen] = hope[row, action], real[row, action]
    return plan


def _payoffs(
    sample: Sample,
    price: float,
    seen: Seen,
    hoped: Mapping[Seen, Vector],
    came: Mapping[Seen, Vector],
) -> tuple[Matrix, Matrix]:
    """What each action in a state leads to, by posteriors and by outcomes, (n, m + 1).

    `hoped` and `came` are the same of the states that follow, under the plan there.
    """
    known = sample.known(seen)
    rows, models = known.shape
    hope, real = (np.full((rows, models + 1), -np.inf) for _ in range(2))
    row = np.arange(rows)
    if seen:
        best = np.array(seen)[known[:, list(seen)].argmax(axis=1)]
        hope[:, STOP], real[:, STOP] = known[row, best], sample.score[row, best]
    for model in range(models):
        if model in seen:
            continue
        paid = price * sample.cost_usd[:, model]
        further = tuple(sorted((*seen, model)))
        if further in hoped:
            hope[:, model], real[:, model] = hoped[further] - paid, came[further] - paid
        else:
            hope[:, model] = known[:, model] - paid
            real[:, model] = sample.score[:, model] - paid
    return hope, real


def _fit_state(plan: Plan, seen: Seen, at: Situations, hope: Matrix, real: Matrix) -> Matrix:
    """Weights of what going on is worth beyond the next answer alone, (m, F + 1, 3).

    Stopping is flattered by posteriors as going on is: what counts is by how much more.
    """
    flattered = real[:, STOP] - hope[:, STOP] if seen else np.zeros(len(hope))
    found: list[Matrix] = []
    for model in range(at.known.shape[1]):
        features = situation(seen, at, plan.price, plan.reference, model)
        if model in seen:
            found.append(np.ones((features.shape[1] + 1, 3)))
            continue
        alone = at.known[:, model] - plan.price * at.cost_usd[:, model]
        one = _regression(features, hope[:, model] - alone, _RIDGE)
        missed = _regression(features, real[:, model] - hope[:, model] - flattered, _OUTCOME_RIDGE)
        one[:, 2] += missed[:, 2]
        found.append(one)
    return np.stack(found)


def walk(plan: Plan, sample: Sample) -> Walked:
    """Follows a plan on all prompts of a sample."""
    rows, models = sample.quality.shape
    asked = np.zeros((rows, models), np.bool_)
    answer = np.full(rows, STOP)
    groups: dict[Seen, NDArray[np.intp]] = {(): np.arange(rows)}
    for _ in range(plan.depth + 1):
        further: dict[Seen, list[NDArray[np.intp]]] = {}
        for seen, group in groups.items():
            at = sample.at(seen)
            here = Situations(at.quality[group], at.cost_usd[group], at.known[group])
            action = plan.values(seen, here).argmax(axis=1)
            for model in np.unique(action):
                chosen = group[action == model]
                if model == models:
                    known = at.known[chosen][:, list(seen)]
                    answer[chosen] = np.array(seen)[known.argmax(axis=1)]
                    continue
                asked[chosen, model] = True
                answer[chosen] = model
                if len(seen) < plan.depth:
                    key = tuple(sorted((*seen, int(model))))
                    further.setdefault(key, []).append(chosen)
        groups = {seen: np.concatenate(parts) for seen, parts in further.items()}
    row = np.arange(rows)
    cost = np.where(asked, sample.cost_usd, 0.0).sum(axis=1)
    return Walked(sample.score[row, answer], cost, answer, asked)


def _regression(features: Matrix, target: Vector, ridge: float) -> Matrix:
    """Ridge regression as the weights that `worth` reads, (F + 1, 3); `ridge` is per row."""
    mean = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), _LEAST_SPREAD)
    scaled = (features - mean) / spread
    system = scaled.T @ scaled + ridge * len(scaled) * np.eye(scaled.shape[1])
    found = np.linalg.solve(system, scaled.T @ (target - target.mean()))
    return np.column_stack(
        [np.append(mean, 0.0), np.append(spread, 1.0), np.append(found, target.mean())]
    )
