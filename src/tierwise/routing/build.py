"""The brain: an analyst that reads tasks, and a predictor out of an artifact that learned to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.analyst import Analyst
from tierwise.catalog import Catalog, cost
from tierwise.routing.artifact import Artifact
from tierwise.routing.exchange import Exchange
from tierwise.routing.learned import Learned
from tierwise.routing.predict import LearnedPredictor
from tierwise.routing.sample import Sample
from tierwise.types import Model, Usage

_NOMINAL = Usage(input_tokens=300, output_tokens=200)
"""A usual request, where nobody recorded what requests cost."""
_LEAST, _MOST = 0.01, 0.99


class Brain(Struct, frozen=True):
    """Reads tasks and predicts what models will make of them."""

    analyst: Analyst
    predictor: LearnedPredictor


def load_brain(path: Path, models: Mapping[str, Model], catalog: Catalog) -> Brain:
    """What was learned, under the names that the configured models have here.

    Raises:
        ConfigError: the artifact or the encoder's data files cannot be used.
    """
    artifact = Artifact.load(path)
    learned = Learned(artifact)
    places = places_of(learned.models, models, catalog)
    sample = _sample(artifact, models, places)
    exchange = None if sample is None else Exchange(sample, list(models))
    return Brain(Analyst.builtin(), LearnedPredictor(learned, places, exchange))


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


def _sample(
    artifact: Artifact, models: Mapping[str, Model], places: Mapping[str, int]
) -> Sample | None:
    """The artifact's sample, with a column for each configured model; None if it knows none."""
    arrays = artifact.arrays
    if not places or not len(arrays["sample_predicted"]):
        return None
    predicted = arrays["sample_predicted"].astype(np.float64)
    outcome = arrays["sample_outcome"].astype(np.float64)
    ease = _log_odds(predicted.mean(axis=1))
    ease -= ease.mean()
    recorded = "sample_cost" in arrays and len(places) == len(models)
    columns: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for name, model in models.items():
        place = places.get(name)
        if place is None:
            expected = 1.0 / (1.0 + np.exp(-_log_odds(np.array(model.quality)) - ease))
            said = came = expected
        else:
            said, came = predicted[:, place], outcome[:, place]
        if recorded and place is not None:
            spent = arrays["sample_cost"][:, place].astype(np.float64)
        else:
            spent = np.full(len(predicted), cost(_NOMINAL, model.prices))
        columns.append((said, came, spent))
    said, came, spent = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    return Sample(said, came, spent, recorded)


def _log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(share, _LEAST, _MOST)
    odds: NDArray[np.float64] = np.log(kept / (1.0 - kept))
    return odds
