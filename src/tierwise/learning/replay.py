"""What a trained cascade comes to on recorded answers, without a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from tierwise.analysis.encoder import Encoder
from tierwise.gates.scorer import Scorer
from tierwise.learning.answers import read_answers
from tierwise.learning.cascade import Recorded, judged
from tierwise.learning.data import read_all
from tierwise.learning.outcomes import read_outcomes
from tierwise.routing.artifact import Artifact
from tierwise.routing.cascade import Cascade
from tierwise.routing.induction import walk
from tierwise.routing.learned import Learned


class Replayed(Struct, frozen=True, kw_only=True):
    """Mean quality and cost of the answers given out, and of the reference's answers.

    Every call is billed as it was recorded, in USD.
    """

    quality: float
    cost_usd: float
    reference_quality: float
    reference_cost_usd: float

    @property
    def saving(self) -> float:
        """The fraction of the reference's cost that was not spent."""
        return 1.0 - self.cost_usd / self.reference_cost_usd if self.reference_cost_usd else 0.0

    @property
    def quality_rel(self) -> float:
        """Quality as a fraction of the reference's."""
        return self.quality / self.reference_quality if self.reference_quality else 0.0


def replay(file: Path, folder: Path, asked: Sequence[str], target: float) -> Replayed | None:
    """Follows the plan for `target` of the reference's quality on recorded answers.

    Args:
        file: an artifact.
        folder: recorded outcomes, with answers of all the cascade's models.
        asked: ids of prompts, each as often as it is asked.

    Returns:
        None where the artifact has no cascade, or no plan reaches the target.

    Raises:
        ConfigError: the artifact or the data cannot be used.
    """
    artifact = Artifact.load(file)
    meta = artifact.meta.cascade
    if meta is None:
        return None
    cascade = Cascade(artifact, meta, meta.models)
    price = cascade.price(target)
    plan = cascade.plan(price) if price is not None else None
    if plan is None:
        return None
    recorded = _recorded(artifact, meta.models, folder, asked)
    came = walk(plan, judged(Scorer(cascade.arrays), recorded, plan.depth))
    return Replayed(
        quality=float(came.score.mean()),
        cost_usd=float(came.cost_usd.mean()),
        reference_quality=float(recorded.score[:, plan.reference].mean()),
        reference_cost_usd=float(recorded.cost_usd[:, plan.reference].mean()),
    )


def _recorded(
    artifact: Artifact, models: Sequence[str], folder: Path, asked: Sequence[str]
) -> Recorded:
    """The rows of these prompts, with what the artifact predicts of them."""
    found = read_outcomes([folder]).only(list(models))
    wanted = set(asked)
    found = found.rows(np.array([prompt.id in wanted for prompt in found.prompts], bool))
    encoder = Encoder.builtin()
    readings = read_all(encoder, found.prompts)
    answers = read_answers([folder], found, readings, encoder)
    learned = Learned(artifact)
    places = [learned.models.index(name) for name in models]
    said = learned.predict_many(readings)
    expected = [found.costs[row] if p.cost_usd is None else p.cost_usd[places]
                for row, p in enumerate(said)]  # fmt: skip
    row = {prompt.id: at for at, prompt in enumerate(found.prompts)}
    return Recorded(
        answers,
        np.array([p.quality[places] for p in said], np.float64),
        np.array(expected, np.float64),
        found.scores,
        found.costs,
    ).rows(np.array([row[prompt_id] for prompt_id in asked]))
