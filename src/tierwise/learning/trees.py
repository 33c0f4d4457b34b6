"""Grows the forest, and writes it down as the arrays that `tierwise.routing.forest` walks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class Trees(Struct, frozen=True, kw_only=True):
    """How a forest is grown."""

    count: int = 100
    leaf: int = 12
    depth: int = 14
    features: float = 0.5


def grow(
    x: FloatArray, targets: FloatArray, trees: Trees, seed: int, *, bagged: bool
) -> tuple[Any, FloatArray | None]:
    """A forest for targets (n, outputs), and its out-of-bag predictions (n, outputs) if bagged.

    Trees that see every row predict a little better, but only those grown on a draw of the rows
    (`bagged`) can say what they would have made of a row they did not see.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(
        trees.count,
        min_samples_leaf=trees.leaf,
        max_features=trees.features,
        max_depth=trees.depth,
        bootstrap=bagged,
        oob_score=bagged,
        random_state=seed,
    )
    one = targets.shape[1] == 1
    with warnings.catch_warnings():
        # A row that every tree has seen is improbable and gets a prediction of 0.
        warnings.simplefilter("ignore", UserWarning)
        forest.fit(x, targets[:, 0] if one else targets)
    if not bagged:
        return forest, None
    return forest, forest.oob_prediction_.reshape(len(x), -1).astype(np.float32)


def flatten(forest: Any, prefix: str, depth: int) -> dict[str, NDArray[Any]]:
    """The forest's arrays, each name after `prefix`; see `tierwise.routing.forest.Forest`."""
    parts: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "leaf", "value")
    }
    roots: list[int] = []
    nodes = leaves = 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        own = np.arange(tree.node_count)
        is_leaf = tree.children_left < 0
        number = np.zeros(tree.node_count, np.int64)
        number[is_leaf] = np.arange(is_leaf.sum()) + leaves
        parts["feature"].append(np.where(is_leaf, 0, tree.feature))
        parts["threshold"].append(tree.threshold)
        parts["left"].append(np.where(is_leaf, own, tree.children_left) + nodes)
        parts["right"].append(np.where(is_leaf, own, tree.children_right) + nodes)
        parts["leaf"].append(number)
        parts["value"].append(tree.value[is_leaf, :, 0])
        roots.append(nodes)
        nodes += tree.node_count
        leaves += int(is_leaf.sum())
    kinds = {"feature": np.int16, "threshold": np.float32, "value": np.float16}
    arrays: dict[str, NDArray[Any]] = {
        f"{prefix}{name}": np.concatenate(found).astype(kinds.get(name, np.int32))
        for name, found in parts.items()
    }
    arrays[f"{prefix}roots"] = np.array(roots, np.int32)
    arrays[f"{prefix}depth"] = np.array(depth, np.int32)
    return arrays
