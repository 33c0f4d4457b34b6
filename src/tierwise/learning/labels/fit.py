"""Fits the linear heads of `tierwise.analysis.heads` by multinomial logistic regression."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.heads import VERSION
from tierwise.analysis.traits import Frame, Traits, domain_row, kind_row, traits_of
from tierwise.errors import ConfigError

if TYPE_CHECKING:
    from tierwise.learning.labels.examples import Example

_KIND_STRENGTH = 1.0
_DOMAIN_STRENGTH = 0.2
"""Inverse strength of the L2 penalty, chosen by cross-validation."""
_OWN_KIND_WEIGHT = 2.0
_OWN_DOMAIN_WEIGHT = 15.0
"""How much more one prompt of ours counts than a recorded one: there are few of them."""
_GENERAL_LEAD = 0.5
"""In favour of `general`, in log-odds: a specialist wrongly called is worse than none."""

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]


class Classifier(Struct, frozen=True):
    """What one head consists of: the names of its columns, weights (features, names) and bias."""

    names: tuple[str, ...]
    weights: Matrix
    bias: Matrix

    def predict(self, rows: Matrix) -> list[str]:
        """The likeliest name for every row."""
        best = (rows @ self.weights + self.bias).argmax(axis=1)
        return [self.names[column] for column in best]


class Features(Struct, frozen=True):
    """Everything that is learned from: a row of `kinds` and of `domains` for every example."""

    examples: Sequence[Example]
    kinds: Matrix
    domains: Matrix
    frame: Frame


def features_of(
    examples: Sequence[Example], encoder: Encoder, frame: Frame | None = None
) -> Features:
    """Reads all examples; their traits are measured from `frame`, or from what is usual here."""
    readings = [encoder.read(example.text) for example in examples]
    traits = [
        traits_of(encoder, example.text, reading.mean, reading.structure)
        for example, reading in zip(examples, readings, strict=True)
    ]
    frame = frame or _frame(traits, [t for t, e in zip(traits, examples, strict=True) if e.kind])
    return Features(
        examples,
        np.array([kind_row(one, frame) for one in traits]),
        np.array([domain_row(one, frame) for one in traits]),
        frame,
    )


def fit_kinds(features: Features, rows: Rows) -> Classifier:
    """A classifier of kinds, fitted to these examples, all of which have a kind."""
    examples = [features.examples[row] for row in rows]
    labels = [str(example.kind) for example in examples]
    weights = _balance(labels) * _weights(examples, _OWN_KIND_WEIGHT)
    return _logistic(features.kinds[rows], labels, weights, _KIND_STRENGTH)


def fit_domains(features: Features, rows: Rows) -> Classifier:
    """A classifier of domains, fitted to these examples, all of which have a domain."""
    examples = [features.examples[row] for row in rows]
    labels = [str(example.domain) for example in examples]
    weights = _balance(labels) * _weights(examples, _OWN_DOMAIN_WEIGHT)
    found = _logistic(features.domains[rows], labels, weights, _DOMAIN_STRENGTH)
    lead = np.array([_GENERAL_LEAD * (name == "general") for name in found.names], np.float32)
    return Classifier(found.names, found.weights, found.bias + lead)


def arrays_of(features: Features) -> dict[str, NDArray[Any]]:
    """The weights of both heads, fitted to everything, by the names they are stored under."""
    examples = features.examples
    kinds = fit_kinds(features, np.flatnonzero([e.kind is not None for e in examples]))
    domains = fit_domains(features, np.flatnonzero([e.domain is not None for e in examples]))
    return {
        "version": np.array(VERSION),
        **msgspec.structs.asdict(features.frame),
        "kinds": np.array(kinds.names),
        "kind_weights": kinds.weights,
        "kind_bias": kinds.bias,
        "domains": np.array(domains.names),
        "domain_weights": domains.weights,
        "domain_bias": domains.bias,
    }


def save(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """Writes the weights, as float16 where they are many; whole or not at all."""
    part = path.with_suffix(".part")
    small = {
        name: array.astype(np.float16) if name.endswith("_weights") else array
        for name, array in arrays.items()
    }
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **small)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _frame(traits: Sequence[Traits], with_kind: Sequence[Traits]) -> Frame:
    shapes = np.stack([one.shape for one in with_kind])
    return Frame(
        centre=np.mean([one.whole for one in traits], axis=0, dtype=np.float32),
        shape_mean=shapes.mean(axis=0, dtype=np.float32),
        shape_sd=shapes.std(axis=0, dtype=np.float32) + np.float32(1e-3),
    )


def _weights(examples: Sequence[Example], own: float) -> NDArray[np.float64]:
    return np.array([own if e.source in ("own", "passage") else 1.0 for e in examples])


def _balance(labels: Sequence[str]) -> NDArray[np.float64]:
    """Weights that make classes count by the square root of their size."""
    sizes = Counter(labels)
    weights = np.array([sizes[label] ** -0.5 for label in labels])
    return weights / float(weights.mean())


def _logistic(
    rows: Matrix, labels: Sequence[str], weights: NDArray[np.float64], strength: float
) -> Classifier:
    try:
        from sklearn.linear_model import (  # type: ignore[import-untyped,unused-ignore]
            LogisticRegression,
        )
    except ImportError as error:
        raise ConfigError(
            "fitting needs scikit-learn", remedy="pip install 'tierwise[train]'"
        ) from error
    model = LogisticRegression(C=strength, max_iter=400)
    model.fit(rows, labels, sample_weight=weights)
    return Classifier(
        tuple(str(name) for name in model.classes_),
        model.coef_.T.astype(np.float32),
        model.intercept_.astype(np.float32),
    )
