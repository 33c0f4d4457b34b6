"""The training side of the kernel learner: Gram matrix, ridge, leave-one-out predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.reading import BUCKETS, Reading
from tierwise.routing.learned import Dense, Scaling, similarity

FloatArray = NDArray[np.float32]

NARROWNESS = 1 / 60
"""Of the Gaussian kernel on structure: about one over its number of features."""
RIDGES = (3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0)
"""What the ridge is chosen from. It is the ratio of noise to signal, so it does not grow with n."""
_CHOOSE_ROWS = 1500
"""Rows that the ridge is chosen on, for the same reason."""


class Solution(Struct, frozen=True):
    """Heads that were fitted: what a serving side needs, and what each row gets without itself.

    `gram_weights` (buckets, heads), `landmark_weights` (landmarks, heads), `bias` (heads,);
    `left_out` (n, heads) are exact leave-one-out predictions.
    """

    gram_weights: FloatArray
    landmark_weights: FloatArray
    bias: FloatArray
    left_out: FloatArray


class Kernel:
    """The Gram matrix of some readings, ready to be solved for any targets.

    Args:
        readings: the prompts to learn from.
        landmarks: how many of them stand for all in the Gaussian kernel.
        random: draws the landmarks.
    """

    def __init__(
        self, readings: Sequence[Reading], landmarks: int, random: np.random.Generator
    ) -> None:
        self.narrowness = NARROWNESS
        self.scaling = fit_scaling(readings)
        self.dense = self.scaling.dense(readings)
        self._landmark_rows = random.permutation(len(readings))[:landmarks]
        self.landmarks = self.dense.rows(self._landmark_rows)
        self._grams = _sparse(readings, self.scaling)
        self._root, self._features = self._nystroem()
        words = (self._grams @ self._grams.T).toarray()
        near = self._features @ self._features.T
        # Both are brought to the same spread about their mean, so that neither drowns the other.
        self._word_scale = _spread(words)
        self._near_scale = _spread(near)
        words *= self._word_scale
        near *= self._near_scale
        words += near
        self._gram: FloatArray = words

    def choose_ridge(self, targets: FloatArray, random: np.random.Generator) -> float:
        """The ridge of the smallest leave-one-out error, over all targets (n, heads) together.

        One eigendecomposition serves every ridge: with K = QΛQ' the residual of row i left out is
        (Q f(Λ) Q'y)_i / (Q f(Λ) Q')_ii, f(Λ) = 1 / (Λ + ridge).
        """
        rows = random.permutation(len(targets))[:_CHOOSE_ROWS]
        values, vectors = np.linalg.eigh(self._gram[np.ix_(rows, rows)].astype(np.float64))
        centred = targets[rows] - targets[rows].mean(axis=0)
        turned = vectors.T @ centred
        errors = []
        for ridge in RIDGES:
            shrink = 1.0 / (np.maximum(values, 0.0) + ridge)
            left = (vectors @ (shrink[:, None] * turned)) / ((vectors**2) @ shrink)[:, None]
            errors.append(float((left**2).mean()))
        return RIDGES[int(np.argmin(errors))]

    def solve(self, targets: FloatArray, ridge: float) -> Solution:
        """Ridge regression of each column of targets (n, heads), about its mean.

        Left out, row i is predicted as y_i - a_i / (K + ridge I)⁻¹_ii, with a the dual weights
        (Rifkin and Lippert, Notes on Regularized Least Squares, 2007).
        """
        from scipy.linalg import blas, cho_factor, lapack

        system = self._gram.copy()
        system[np.diag_indices(len(system))] += np.float32(ridge)
        bias = targets.mean(axis=0)
        factor, _ = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
        leverage = np.diag(inverse).copy()
        centred = np.asfortranarray((targets - bias).astype(np.float32))
        dual: FloatArray = blas.ssymm(1.0, inverse, centred, lower=1)
        return Solution(
            np.asarray(self._grams.T @ dual) * self._word_scale,
            (self._root @ (self._features.T @ dual)) * self._near_scale,
            bias.astype(np.float32),
            (targets - dual / leverage[:, None]).astype(np.float32),
        )

    def near_others(self) -> FloatArray:
        """Similarity of each row to every landmark but itself, (n, landmarks)."""
        near = similarity(self.dense, self.landmarks, self.narrowness)
        near[self._landmark_rows, np.arange(len(self._landmark_rows))] = 0.0
        return near

    def constant(self, targets: FloatArray) -> Solution:
        """Heads for targets that are the same in every row; nothing has to be solved."""
        heads = targets.shape[1]
        return Solution(
            np.zeros((BUCKETS, heads), np.float32),
            np.zeros((len(self._root), heads), np.float32),
            targets[0],
            targets,
        )

    def _nystroem(self) -> tuple[FloatArray, FloatArray]:
        """The inverse root of the landmarks' similarities, and all rows' features by it."""
        near = similarity(self.dense, self.landmarks, self.narrowness)
        own = similarity(self.landmarks, self.landmarks, self.narrowness).astype(np.float64)
        # The jitter keeps landmarks that are all but equal from being told apart by rounding.
        values, vectors = np.linalg.eigh(own + 1e-3 * np.eye(len(own)))
        root = (vectors / np.sqrt(values)).astype(np.float32)
        return root, near @ root


def fit_scaling(readings: Sequence[Reading]) -> Scaling:
    """Means, deviations and document frequencies of these readings."""
    structure = np.stack([reading.structure for reading in readings])
    held = np.bincount(np.concatenate([r.buckets for r in readings]), minlength=BUCKETS)
    rarity = np.log((1 + len(readings)) / (1 + held)) + 1
    return Scaling(
        structure.mean(axis=0),
        structure.std(axis=0) + np.float32(1e-4),
        np.mean([reading.mean for reading in readings], axis=0, dtype=np.float32),
        np.mean([reading.stem for reading in readings], axis=0, dtype=np.float32),
        np.mean([reading.options for reading in readings], axis=0, dtype=np.float32),
        # A bucket that was never seen has no weight anyway; 0 keeps it out of the length too.
        np.where(held > 0, rarity, 0.0).astype(np.float32),
    )


def principal(rows: FloatArray, count: int) -> FloatArray:
    """The leading principal directions, (d, count), scaled to about the spread of structure."""
    _, vectors = np.linalg.eigh(rows.T @ rows)
    scaled: FloatArray = (3.0 * vectors[:, -count:]).astype(np.float32)
    return scaled


def _sparse(readings: Sequence[Reading], scaling: Scaling) -> Any:
    """TF-IDF rows as a scipy matrix, (n, buckets)."""
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0, *(len(reading.buckets) for reading in readings)])
    columns = np.concatenate([reading.buckets for reading in readings])
    weights = np.concatenate([scaling.grams(reading) for reading in readings])
    return csr_matrix((weights, columns, ends), shape=(len(readings), BUCKETS))


def _spread(gram: FloatArray) -> np.float32:
    return np.float32(1.0 / max(float(np.diag(gram).mean() - gram.mean()), 1e-3))


__all__ = ["NARROWNESS", "Dense", "Kernel", "Solution", "fit_scaling", "principal"]
