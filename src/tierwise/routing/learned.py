"""How well each model will do on a prompt, learned from recorded outcomes. numpy only.

Two learners look at a reading. The *kernel* is ridge regression on the sum of two kernels: the
cosine of TF-IDF weighted hashed n-grams, and a Gaussian kernel on structure times one on
embeddings, the second by way of landmarks (Nyström; Williams and Seeger, NIPS 2000). It has a head
for each model, for each sort of prompt it has seen, for difficulty and for costs. The *forest* is
extremely randomised trees (Geurts, Ernst and Wehenkel, 2006) on structure, principal components of
the embeddings and the kernel's own heads. They err differently: their mean is better than either,
and how far they are apart says how much to trust it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.reading import Reading
from tierwise.routing.artifact import Artifact
from tierwise.routing.forest import Forest

FloatArray = NDArray[np.float32]
Matrix = NDArray[np.float64]

_CLIP = 4.0
"""Structure is cut off at this many standard deviations: one odd number must not rule."""
_LEAST_SPREAD = 0.25
"""Novelty is measured in no finer a unit than this share of a usual prompt's membership."""
STRANGE = 0.75
"""How little of what was learned counts for a prompt like none that was learned from: the rest of
this share. Whoever leaves one source out of four and predicts it finds less of it overconfident."""
_LEAST, _MOST = 0.01, 0.99
_LEAST_COST = 0.05
"""A predicted cost is at least this share of the model's mean: no answer is free."""


class Prediction(Struct, frozen=True):
    """What is expected of m models on one prompt.

    `quality` (m,) is P(success), `disagreement` (m,) how far the two learners are apart about it,
    `cost_usd` and `output_tokens` (m,) are None where no costs or tokens were learned from.
    `ease` says in log-odds how much better all of them together are expected to do than on an
    everyday prompt. `membership` is near 1 for a prompt of a sort that was
    learned from and near 0 for a foreign one; `novelty` puts it on a scale from 0 (as familiar as
    half of what was learned from) to 1 (stranger than 95%).
    """

    quality: FloatArray
    disagreement: FloatArray
    cost_usd: FloatArray | None
    output_tokens: FloatArray | None
    ease: float
    membership: float
    novelty: float

    @property
    def known(self) -> float:
        """How much of what was learned counts for this prompt, in [1 - STRANGE, 1]."""
        return 1.0 - STRANGE * self.novelty


class Scaling(Struct, frozen=True):
    """Puts readings on the scale that the learners work in; fitted once, used everywhere.

    Means of structure and embeddings over the rows learned from, the deviation of structure, and
    the inverse document frequency of each n-gram bucket.
    """

    structure_mean: FloatArray
    structure_deviation: FloatArray
    mean_centre: FloatArray
    stem_centre: FloatArray
    options_centre: FloatArray
    bucket_weight: FloatArray

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Scaling:
        """Out of an artifact's arrays."""
        return cls(*(arrays[name] for name in cls.__struct_fields__))

    def dense(self, readings: Sequence[Reading]) -> Dense:
        """The dense parts of readings, (n, ...) each."""
        structure = np.array([reading.structure for reading in readings])
        scaled = (structure - self.structure_mean) / self.structure_deviation
        return Dense(
            np.minimum(np.maximum(scaled, -_CLIP), _CLIP),
            _unit(np.array([reading.mean for reading in readings]) - self.mean_centre),
            _unit(np.array([reading.stem for reading in readings]) - self.stem_centre),
            np.array([reading.options for reading in readings]) - self.options_centre,
        )

    def grams(self, reading: Reading) -> FloatArray:
        """TF-IDF of the reading's buckets, (k,), of length 1."""
        weights = (1.0 + np.log(reading.counts)) * self.bucket_weight.take(reading.buckets)
        length = float(np.sqrt((weights * weights).sum()))
        scaled: FloatArray = (weights / max(length, 1e-9)).astype(np.float32)
        return scaled


class Dense(Struct, frozen=True, dict=True):
    """Scaled readings: structure (n, S), unit vectors of all and of the question, options."""

    structure: FloatArray
    mean: FloatArray
    stem: FloatArray
    options: FloatArray

    @cached_property
    def squares(self) -> FloatArray:
        """|structure|² of each row, (n,)."""
        found: FloatArray = (self.structure**2).sum(axis=1)
        return found

    def rows(self, index: NDArray[np.intp]) -> Dense:
        """Only these."""
        return Dense(self.structure[index], self.mean[index], self.stem[index], self.options[index])


def similarity(one: Dense, other: Dense, narrowness: float) -> FloatArray:
    """exp(-narrowness |structure|²) times the mean of two Gaussian kernels of embeddings, (n, k).

    Of unit vectors |u - v|² = 2 - 2 u·v, so theirs is exp(2 u·v - 2).
    """
    squares = one.squares[:, None] + other.squares
    distance = np.maximum(squares - 2.0 * one.structure @ other.structure.T, 0.0)
    near = np.exp(2.0 * (one.mean @ other.mean.T) - 2.0)
    near += np.exp(2.0 * (one.stem @ other.stem.T) - 2.0)
    product: FloatArray = np.exp(-narrowness * distance) * near * np.float32(0.5)
    return product


class Layout(Struct, frozen=True):
    """How many heads of each sort the kernel has; they stand in this order."""

    models: int
    groups: int
    contrast: int
    costs: int

    @property
    def stacked(self) -> int:
        """The heads that the forest reads: the first ones."""
        return self.models + self.groups + self.contrast


class Learned:
    """Predicts from an artifact. Immutable, safe to share between threads."""

    def __init__(self, artifact: Artifact) -> None:
        arrays = artifact.arrays
        self.models: tuple[str, ...] = tuple(artifact.meta.models)
        self.artifact = artifact
        self._scaling = Scaling.of(arrays)
        self._landmarks = Dense(
            arrays["landmark_structure"],
            arrays["landmark_mean"].astype(np.float32),
            arrays["landmark_stem"].astype(np.float32),
            np.zeros((0, 0), np.float32),
        )
        self._narrowness = float(arrays["narrowness"])
        # Kept in half precision on disk; turned once here, or each prompt would pay for it.
        self._gram_weights = arrays["gram_weights"].astype(np.float32)
        self._landmark_weights = arrays["landmark_weights"]
        self._bias = arrays["bias"]
        self._layout = Layout(*(int(count) for count in arrays["layout"]))
        self._components = [arrays[f"{part}_components"] for part in ("mean", "stem", "options")]
        self._forest = Forest(arrays, "forest_")
        self._contrast = Forest(arrays, "contrast_") if self._layout.contrast else None
        self._contrast_share = float(arrays["contrast_share"]) if self._layout.contrast else 0.0
        self._quality_line = arrays["quality_line"]
        self._contrast_line = arrays["contrast_line"] if self._layout.contrast else None
        self._cost_mean = arrays["cost_mean"]
        ease = log_odds(arrays["sample_predicted"].mean(axis=1, dtype=float))
        self._everyday = float(ease.mean()) - float(arrays["level"])
        self._strange, _, self._usual = (float(at) for at in arrays["membership_quantiles"])

    def predict(self, reading: Reading) -> Prediction:
        """What to expect of every model on this prompt."""
        return self.predict_many([reading])[0]

    def predict_many(self, readings: Sequence[Reading]) -> list[Prediction]:
        """As `predict`; for many prompts faster than one at a time."""
        step = 256
        found: list[Prediction] = []
        for start in range(0, len(readings), step):
            found += self._predict(readings[start : start + step])
        return found

    def expect(self, prior: float, prediction: Prediction, looks: float = 0.0) -> float:
        """P(success) of a model that was never seen, from its prior quality on everyday tasks.

        What the prompt does to the models that were seen, it does to this one, by as many log-odds;
        the stranger it is, the less of that is believed.

        Args:
            looks: log-odds that are known of the prompt by other means.
        """
        return self.prior(prior, prediction.known * prediction.ease + looks)

    @staticmethod
    def prior(prior: float, by: float) -> float:
        """A prior quality, moved by so many log-odds: `shifted`, in a tenth of the time for one."""
        kept = min(max(prior, _LEAST), _MOST)
        return 1.0 / (1.0 + math.exp(-by) * (1.0 - kept) / kept)

    def _predict(self, readings: Sequence[Reading]) -> list[Prediction]:
        layout, m = self._layout, self._layout.models
        dense = self._scaling.dense(readings)
        near = similarity(dense, self._landmarks, self._narrowness)
        heads = self._heads(readings, near)
        features = self.features(dense, heads[:, : layout.stacked], self._components)
        kernel, forest = heads[:, :m], self._forest.predict(features)
        quality = straightened(mixed(kernel, forest, 0.5), self._quality_line)
        apart = np.abs(kernel - forest)
        if self._contrast is not None and self._contrast_line is not None:
            head = heads[:, m + layout.groups, None]
            gain = mixed(head, self._contrast.predict(features), self._contrast_share)
            quality = with_contrast(quality, straightened(gain, self._contrast_line)[:, 0])
        quality = np.minimum(np.maximum(quality, np.float32(0.0)), np.float32(1.0))
        member: list[float] = membership(heads[:, m : m + layout.groups], near).tolist()
        mean: list[float] = quality.mean(axis=1, dtype=float).tolist()
        costs = self._costs(heads[:, layout.stacked :])
        return [
            Prediction(
                quality[row],
                apart[row],
                None if costs is None else costs[row],
                None,
                _odds_of(mean[row]) - self._everyday,
                member[row],
                self._novelty(member[row]),
            )
            for row in range(len(readings))
        ]

    def _heads(self, readings: Sequence[Reading], near: FloatArray) -> FloatArray:
        """All heads of the kernel, (n, heads)."""
        heads: FloatArray = near @ self._landmark_weights + self._bias
        for row, reading in enumerate(readings):
            heads[row] += self._scaling.grams(reading) @ self._gram_weights.take(
                reading.buckets, axis=0
            )
        return heads

    def _costs(self, heads: FloatArray) -> FloatArray | None:
        if not self._layout.costs:
            return None
        costs: FloatArray = np.maximum(heads, _LEAST_COST) * self._cost_mean
        return costs

    def _novelty(self, membership: float) -> float:
        strange, usual = self._strange, self._usual
        # Where what was learned from is all alike, its own spread would be too fine a measure.
        width = max(usual - strange, _LEAST_SPREAD * usual, 1e-6)
        return min(1.0, max(0.0, (usual - membership) / width))

    @staticmethod
    def features(dense: Dense, heads: FloatArray, components: Sequence[FloatArray]) -> FloatArray:
        """What the forest reads, (n, features).

        Rounded, so that the last bits of a sum, which depend on how many prompts are predicted at
        a time and on the machine, do not send a prompt down another branch.
        """
        parts = [dense.structure, dense.mean @ components[0], dense.stem @ components[1]]
        parts += [dense.options @ components[2], heads]
        rounded: FloatArray = np.concatenate(parts, axis=1, dtype=np.float32).round(3)
        return rounded


def log_odds(share: Matrix | float) -> Matrix:
    """log(p / (1 - p)); what is next to sure counts as 1% or 99%."""
    kept = np.clip(share, _LEAST, _MOST)
    odds: Matrix = np.log(kept / (1.0 - kept))
    return odds


def _odds_of(share: float) -> float:
    """`log_odds`, in a tenth of the time for one."""
    kept = min(max(share, _LEAST), _MOST)
    return math.log(kept / (1.0 - kept))


def shifted(share: Matrix | float, by: Matrix | float) -> Matrix:
    """Probabilities, moved by so many log-odds."""
    moved: Matrix = 1.0 / (1.0 + np.exp(-log_odds(share) - by))
    return moved


def membership(groups: FloatArray, near: FloatArray) -> FloatArray:
    """How much each of n prompts looks like what was learned from, (n,).

    The highest head of any sort of prompt (n, groups) that was seen. Where only one sort was, no
    head can tell; then the mean similarity to the five nearest landmarks (n, landmarks).
    """
    if groups.shape[1]:
        highest: FloatArray = groups.max(axis=1)
        return highest
    nearest: FloatArray = np.sort(near, axis=1)[:, -5:].mean(axis=1)
    return nearest


def mixed(kernel: FloatArray, forest: FloatArray, share: float) -> FloatArray:
    """`share` of the kernel's word and the rest of the forest's."""
    return np.float32(share) * kernel + np.float32(1.0 - share) * forest


def straightened(quality: FloatArray, line: FloatArray) -> FloatArray:
    """Predictions (n, m) on the lines that calibrate them: start and slope (2, m)."""
    straight: FloatArray = line[0] + line[1] * quality
    return straight


def with_contrast(quality: FloatArray, contrast: FloatArray) -> FloatArray:
    """Two models' qualities (n, 2), moved apart or together to differ by a contrast of their own.

    `contrast` (n,) is the predicted gain of the second over the first, as (1 + gain) / 2. Between
    two models only the difference decides, and it is learned better by itself than as the
    difference of two predictions. Their mean is kept, as far as both stay within [0, 1].
    """
    half = contrast - np.float32(0.5)
    room = np.minimum(np.abs(half), np.float32(0.5))
    middle = np.clip(quality.mean(axis=1), room, 1 - room)
    return np.stack([middle - half, middle + half], axis=1)


def _unit(rows: FloatArray) -> FloatArray:
    length = np.maximum(np.sqrt((rows * rows).sum(axis=-1, keepdims=True)), 1e-9)
    scaled: FloatArray = (rows / length).astype(np.float32)
    return scaled
