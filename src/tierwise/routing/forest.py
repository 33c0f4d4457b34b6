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
        self._feature = arrays[f"{prefix}feature"].astype(np.intp)
        self._threshold = arrays[f"{prefix}threshold"]
        self._left = arrays[f"{prefix}left"].astype(np.intp)
        self._right = arrays[f"{prefix}right"].astype(np.intp)
        self._leaf = arrays[f"{prefix}leaf"]
        self._value = arrays[f"{prefix}value"].astype(np.float32)
        self._roots = arrays[f"{prefix}roots"].astype(np.intp)
        self._depth = int(arrays[f"{prefix}depth"])

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, features) to (n, outputs)."""
        row = np.arange(len(x))[:, None]
        node = np.repeat(self._roots[None, :], len(x), axis=0)
        for _ in range(self._depth):
            goes_left = x[row, self._feature[node]] <= self._threshold[node]
            node = np.where(goes_left, self._left[node], self._right[node])
        mean: NDArray[np.float32] = self._value[self._leaf[node]].mean(axis=1)
        return mean
