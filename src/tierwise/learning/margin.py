"""What plans come to elsewhere, as far as the rows learned from can tell: means, and their errors.

Of many plans that are nearly alike the cheapest that reaches a target is often a lucky one. Two
things keep luck out: neighbouring plans are judged together, and an error says how far off all of
them may be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_LEAST_DATASETS = 4
"""Of fewer the spread between them is itself a guess."""


def falling(values: Vector) -> Vector:
    """The sequence nearest to these values (p,) that never rises.

    Quality falls as λ rises; where it seems to rise, that is noise. Isotonic regression by pooling
    adjacent violators (Ayer et al., An Empirical Distribution Function for Sampling with Incomplete
    Information, 1955).
    """
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, size = float(value), 1
        while pools and pools[-1][0] < mean:
            other, count = pools.pop()
            mean = (mean * size + other * count) / (size + count)
            size += count
        pools.append((mean, size))
    return np.repeat([mean for mean, _ in pools], [size for _, size in pools])


def standard_error(gain: Vector, datasets: Sequence[str]) -> float:
    """Of the mean of what each of n prompts gains or loses against the reference.

    The larger of two: prompts as draws, and datasets as draws. The latter counts because traffic
    has another mixture than what was learned from, and a plan that is better on one dataset and
    worse on another would come to something else there.
    """
    by_prompt = float(gain.std() / np.sqrt(len(gain)))
    names, place, counts = np.unique(list(datasets), return_inverse=True, return_counts=True)
    if len(names) < _LEAST_DATASETS:
        return by_prompt
    means = np.bincount(place, weights=gain) / counts
    apart = (counts / len(gain) * (means - gain.mean())) ** 2
    return max(by_prompt, float(np.sqrt(apart.sum() * len(names) / (len(names) - 1))))
