"""A prompt as numbers: everything that a learned predictor may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tierwise.analysis.structure import STRUCTURE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BUCKETS", "DIMENSIONS", "STRUCTURE", "Reading"]

BUCKETS = 1 << 14
"""Into how many buckets token uni- and bigrams are hashed."""
DIMENSIONS = 256
"""Length of an embedding."""


class Reading(Struct, frozen=True):
    """One prompt, read. All vectors are float32 unless said.

    `structure` (S,): one number for each name in `STRUCTURE`.
    `mean` (256,): mean vector of all tokens. `stem` (256,): of the last question's tokens.
    `options` (256,): mean of its answer options' vectors, zeros without options.
    `buckets` (k,) int64: hashed uni- and bigrams of the question's token ids, each once, ascending.
    `counts` (k,): how often each of them occurs.
    `tokens`: how many tokens were read; of a very long prompt only both ends are.
    """

    structure: NDArray[np.float32]
    mean: NDArray[np.float32]
    stem: NDArray[np.float32]
    options: NDArray[np.float32]
    buckets: NDArray[np.int64]
    counts: NDArray[np.float32]
    tokens: int
