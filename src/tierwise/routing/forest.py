"""A forest of regression trees as flat arrays, walked level by level for all trees at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELDS = ("feature", "threshold", "left", "right", "leaf", "value", "roots", "depth")
"""The arrays of a forest; in an artifact each is prefixed by the forest's name."""


class Forest:
    """Mean of many trees.

    Node i asks whether x[feature[i]] <= threshold[i] and goes on to left[i] or right[i]; a leaf
    points to itself, so that trees of different depth can be walked in step, and its values stand
    in value[leaf[i]], of shape (leaves, outputs).

    Args:
        arrays: those of `FIELDS`, each under `prefix` + its name.
        prefix: the forest's name and an underscore.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], prefix: str) -> None:
        # Twice each, because a node goes by twice its number here: its question is then answered
        # by the place, or the one behind it, where the next node stands.
        self._feature = np.repeat(arrays[f"{prefix}feature"].astype(np.intp), 2)
        self._threshold = np.repeat(arrays[f"{prefix}threshold"], 2)
        ways = [arrays[f"{prefix}{side}"].astype(np.intp) for side in ("right", "left")]
        self._next = 2 * np.stack(ways, axis=1).ravel()
        self._leaf = np.repeat(arrays[f"{prefix}leaf"], 2)
        self._value = arrays[f"{prefix}value"].astype(np.float32)
        self._roots = 2 * arrays[f"{prefix}roots"].astype(np.intp)
        self._depth = int(arrays[f"{prefix}depth"])

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, features) to (n, outputs)."""
        return np.array([self._of(row) for row in x]).reshape(len(x), self._value.shape[1])

    def _of(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """One prompt at a time, as requests come; many in step would gain little."""
        node = self._roots
        for _ in range(self._depth):
            goes_left = row[self._feature[node]] <= self._threshold[node]
            node = self._next[node + goes_left]
        mean: NDArray[np.float32] = self._value[self._leaf[node]].mean(axis=0)
        return mean
