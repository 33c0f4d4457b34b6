"""The brain: an analyst that reads tasks, and a predictor out of an artifact that learned to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.analyst import Analyst
from tierwise.catalog import Catalog, cost
from tierwise.config.schema import SHIPPED, SHIPPED_FILE
from tierwise.routing.artifact import Artifact, configured
from tierwise.routing.cascade import Cascade
from tierwise.routing.exchange import Exchange
from tierwise.routing.learned import STRANGE, Learned, log_odds, shifted
from tierwise.routing.predict import LearnedPredictor
from tierwise.routing.sample import Sample
from tierwise.types import Model, Usage

NOMINAL = Usage(input_tokens=300, output_tokens=200)
"""A usual request, where nobody recorded what requests cost."""
FOREIGN = 1.0 - STRANGE
"""How much of what is known of the sample's prompts is believed of a model that was not learned
from: as much as of a strange prompt, which is what most prompts of other sources are."""


class Brain(Struct, frozen=True):
    """Reads tasks and predicts what models will make of them.

    `familiar` says that every configured model was learned from. The others are judged by their
    priors on strange prompts, so there is nothing safer for a guard to fall back on.
    """

    analyst: Analyst
    predictor: LearnedPredictor
    familiar: bool


def load_brain(wanted: str, models: Mapping[str, Model], catalog: Catalog) -> Brain:
    """What was learned, under the names that the configured models have here.

    Args:
        wanted: `default` or the path of a file, as `router.artifact` has it.

    Raises:
        ConfigError: the artifact or the encoder's data files cannot be used.
    """
    artifact = configured(wanted)
    shipped = wanted in (SHIPPED, str(SHIPPED_FILE))
    learned = Learned(artifact)
    places = places_of(learned.models, models, catalog)
    if shipped and len(places) < len(models):
        # Some were learned from on prompts that are not this operator's, some not at all: there a
        # reference that looks too good makes small models seem to suffice, or the other way. All
        # are judged alike, by prior and by what a prompt does to models in general.
        places = {}
    sample = _sample(artifact, models, places)
    exchange = Exchange(sample, list(models))
    familiar = len(places) == len(models)
    cascade = _cascade(artifact, learned.models, places)
    predictor = LearnedPredictor(learned, places, exchange, wanted, cascade)
    return Brain(Analyst.builtin(), predictor, familiar)


def places_of(
    learned: tuple[str, ...], models: Mapping[str, Model], catalog: Catalog
) -> dict[str, int]:
    """Where the configured models stand among the learned ones, however those are spelt."""
    found: dict[str, int] = {}
    for place, name in enumerate(learned):
        spelt = [name, name.rsplit("/", 1)[-1]]
        known = catalog.resolve(name)
        if known is not None:
            spelt.append(known.id)
        for candidate in spelt:
            if candidate in models:
                found.setdefault(candidate, place)
                break
    return found


def _cascade(
    artifact: Artifact, learned: tuple[str, ...], places: Mapping[str, int]
) -> Cascade | None:
    """The cascade that was learned, if every model of its line-up is configured here."""
    meta = artifact.meta.cascade
    if meta is None:
        return None
    here = {learned[place]: name for name, place in places.items()}
    if any(name not in here for name in meta.models):
        return None
    return Cascade(artifact, meta, [here[name] for name in meta.models])


def _sample(artifact: Artifact, models: Mapping[str, Model], places: Mapping[str, int]) -> Sample:
    """The artifact's sample, with a column for each configured model.

    A model that was not learned from has its prior, moved as the row moves the others: by what is
    predicted of them where it is to choose, by what became of them where it counts. Of either only
    `FOREIGN` is taken, because so little of it is found again in prompts of other sources.
    """
    arrays = artifact.arrays
    predicted = arrays["sample_predicted"].astype(np.float64)
    outcome = arrays["sample_outcome"].astype(np.float64)
    expected, came_out = _ease(predicted), _ease(outcome)
    # Beside models that were learned from, the others must stand on the same level; among
    # themselves they are judged as strange prompts will be.
    level = float(arrays["level"]) * (1.0 if places else FOREIGN)
    recorded = "sample_cost" in arrays and len(places) == len(models)
    columns: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for name, model in models.items():
        place = places.get(name)
        if place is None:
            usual = float(shifted(model.quality, level))
            said, came = _about(usual, FOREIGN * expected), _about(usual, FOREIGN * came_out)
        else:
            said, came = predicted[:, place], outcome[:, place]
        if recorded and place is not None:
            spent = arrays["sample_cost"][:, place].astype(np.float64)
        else:
            spent = np.full(len(predicted), cost(NOMINAL, model.prices))
        columns.append((said, came, spent))
    said, came, spent = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    return Sample(said, came, spent, recorded)


def _about(mean: float, ease: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities that differ in log-odds as ease does, and whose mean is `mean`.

    Without minding the mean, rows that everybody does and rows that nobody does would bring all
    models together: the small ones would look nearly as good as the large ones.
    """
    low, high = -12.0, 12.0
    for _ in range(40):
        middle = (low + high) / 2
        found = shifted(0.5, ease + middle)
        low, high = (middle, high) if found.mean() < mean else (low, middle)
    return found


def _ease(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many log-odds better than usual all models together do on each row, (n,)."""
    odds = log_odds(quality.mean(axis=1))
    ease: NDArray[np.float64] = odds - odds.mean()
    return ease
