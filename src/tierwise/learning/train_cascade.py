"""The learned scorer and its plans, fitted beside a router where answers are recorded too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.reading import Reading
from tierwise.errors import ConfigError
from tierwise.gates.evidence import FEATURES
from tierwise.learning.answers import answered, answering, read_answers
from tierwise.learning.cascade import Cascade, Recorded, crossed, fit_cascade, prices
from tierwise.learning.fit import Fitted
from tierwise.learning.margin import falling, standard_error
from tierwise.learning.outcomes import Outcomes
from tierwise.routing.artifact import Artifact, CascadeMeta
from tierwise.routing.induction import induce, states

LEAST_ROWS = 200
"""Prompts that all models answered; of fewer nobody learns which answers are right."""
_CONFIDENCE = FEATURES.index("confidence")


def with_cascade(
    folders: Sequence[Path],
    outcomes: Outcomes,
    readings: Sequence[Reading],
    fitted: Fitted,
    reference: str | None,
    seed: int,
) -> Artifact:
    """The router's artifact, with a cascade if enough prompts record all that it takes.

    That is an answer, a score and a cost of every model: who agrees with whom is learned from
    answers to the same prompt.

    Args:
        folders: those that the outcomes are from.
        outcomes: what the router was fitted to, n prompts.
        readings: of the prompts.
        fitted: the router.
        reference: the model that quality refers to; None for that of the highest mean score.
        seed: of everything that is drawn.

    Raises:
        ConfigError: the reference is not among the models.
    """
    artifact = fitted.artifact
    if reference is not None and reference not in outcomes.models:
        raise ConfigError(
            f"{reference} is not among the models",
            field="--reference",
            remedy=f"Choose one of: {', '.join(outcomes.models)}.",
        )
    rows = _complete(folders, outcomes)
    if len(rows) < LEAST_ROWS or len(outcomes.models) < 2:
        return artifact
    known = _recorded(folders, outcomes, readings, fitted, rows)
    place = _best(known) if reference is None else outcomes.models.index(reference)
    cascade = fit_cascade(known, place, seed)
    if len(cascade.line_up) < 2:
        return artifact
    meta = CascadeMeta(
        models=[outcomes.models[model] for model in cascade.line_up],
        reference=outcomes.models[place],
        features=list(FEATURES),
        logprobs=bool(known.answers.features[:, :, _CONFIDENCE].any()),
        rows=len(rows),
    )
    datasets = [outcomes.prompts[row].dataset for row in rows]
    arrays = {**artifact.arrays, **cascade.arrays, **plans(cascade, seed, datasets)}
    return Artifact(arrays, replace(artifact.meta, cascade=meta))


def plans(cascade: Cascade, seed: int, datasets: Sequence[str]) -> dict[str, NDArray[Any]]:
    """A plan for each of many λ, and what each came to on rows that it was not fitted to.

    `plan_prices`, `plan_score` and `plan_cost` are (p,), and so is `plan_error`, the standard error
    of the score less the reference's; scores are `falling` with λ. `plan_reference` is the score
    and the cost of asking the reference alone. `plan_first` (p, m, F + 1, 3) has the weights of a
    plan before anybody answered, `plan_later` (p, states, m, G + 1, 3) those of the other states.
    `datasets` are of the cascade's rows.
    """
    sample, reference = cascade.sample, cascade.reference
    wanted, cost = sample.score[:, reference], sample.cost_usd[:, reference].mean()
    tried = prices(max(float(cost), 1e-12))
    later = states(len(cascade.line_up), sample.depth - 1)
    first: list[NDArray[Any]] = []
    further: list[NDArray[Any]] = []
    came: list[tuple[float, float, float]] = []
    for price in tried:
        plan = induce(sample, float(price), reference)
        first.append(plan.weights[()])
        further.append(np.stack([plan.weights[seen] for seen in later]))
        walked = crossed(cascade, float(price), seed)
        error = standard_error(walked.score - wanted, datasets)
        came.append((float(walked.score.mean()), float(walked.cost_usd.mean()), error))
    scores, costs, errors = np.array(came).T
    return {
        "plan_prices": tried,
        "plan_score": falling(scores),
        "plan_cost": costs,
        "plan_error": errors,
        "plan_reference": np.array([wanted.mean(), cost]),
        "plan_first": np.stack(first).astype(np.float32),
        "plan_later": np.stack(further).astype(np.float32),
    }


def _complete(folders: Sequence[Path], outcomes: Outcomes) -> NDArray[np.intp]:
    """Rows where every model has a score, a cost and an answer."""
    complete = ~(np.isnan(outcomes.scores) | np.isnan(outcomes.costs)).any(axis=1)
    telling = answering(folders) if complete.any() else []
    if not telling:
        return np.empty(0, np.intp)
    told = answered(telling, outcomes).all(axis=1)
    return np.flatnonzero(complete & told)


def _recorded(
    folders: Sequence[Path],
    outcomes: Outcomes,
    readings: Sequence[Reading],
    fitted: Fitted,
    rows: NDArray[np.intp],
) -> Recorded:
    part = outcomes.rows(rows)
    read = [readings[row] for row in rows]
    answers = read_answers(answering(folders), part, read, Encoder.builtin())
    expected = part.costs if fitted.cost is None else fitted.cost[rows].astype(np.float64)
    quality = fitted.quality[rows].astype(np.float64)
    return Recorded(answers, quality, expected, part.scores, part.costs)


def _best(known: Recorded) -> int:
    """The model of the highest mean score; the cheaper one of two equal ones."""
    order = np.lexsort((known.cost_usd.mean(axis=0), -known.score.mean(axis=0)))
    return int(order[0])
