"""How alike two prompts must be to mean the same, measured on prompts.

A cache that answers whatever is alike is wrong where two different prompts are. So every prompt is
held against all others of the sample, which are different ones, and against rewordings of itself,
which are not. Rewordings are light ones, made by rules (`reword`); what people write for the same
is more varied, so that the share that is found is an upper bound of what to expect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.cache.similar import MOST_CHARS, marks, unit
from tierwise.errors import ConfigError
from tierwise.learning.reword import SORTS

THRESHOLDS = (0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
MOST_FALSE = 0.001
"""The share of prompts that may be taken for another one, where a threshold is recommended."""
MOST_PROMPTS = 4000
_FEWEST = 20


class At(Struct, frozen=True):
    """What a threshold does: the share of prompts that are taken for another one, and the share of
    rewordings that are found."""

    threshold: float
    false: float
    found: float


class Likeness(Struct, frozen=True):
    """What was measured on so many prompts; `recommended` is the lowest threshold at which at most
    `MOST_FALSE` of them are taken for another, None if none is. `closest` are the two different
    prompts that are most alike, cut to their beginnings."""

    prompts: int
    at: tuple[At, ...]
    recommended: float | None
    closest: tuple[str, str]


def likeness(texts: Sequence[str], seed: int) -> Likeness:
    """What each threshold does among prompts, of which those that are the same count once.

    Raises:
        ConfigError: there are too few.
    """
    known = list(dict.fromkeys(text.strip() for text in texts if 0 < len(text) <= MOST_CHARS))
    random = np.random.default_rng(seed)
    chosen = [known[row] for row in random.permutation(len(known))[:MOST_PROMPTS]]
    if len(chosen) < _FEWEST:
        raise ConfigError(
            f"{len(chosen)} different prompts of at most {MOST_CHARS} characters are too few",
            field="--test",
            remedy=f"Give {_FEWEST} or more.",
        )
    encoder = Encoder.builtin()
    vectors = np.stack([unit(encoder.embed(text)) for text in chosen])
    said = [marks(text) for text in chosen]
    nearest, other = _nearest(vectors, said)
    again: list[float] = []
    for row, text in enumerate(chosen):
        for reword in SORTS.values():
            changed = reword(text, random)
            same = marks(changed) == said[row]
            again.append(float(vectors[row] @ unit(encoder.embed(changed))) if same else -1.0)
    found = np.array(again)
    at = tuple(
        At(level, float(np.mean(nearest >= level)), float(np.mean(found >= level)))
        for level in THRESHOLDS
    )
    first = int(nearest.argmax())
    return Likeness(
        prompts=len(chosen),
        at=at,
        recommended=next((one.threshold for one in at if one.false <= MOST_FALSE), None),
        closest=(chosen[first][:200], chosen[int(other[first])][:200]),
    )


def _nearest(
    vectors: NDArray[np.float32], said: Sequence[frozenset[str]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The cosine of each prompt to the most similar other one of the same marks, and which."""
    numbers = {one: number for number, one in enumerate(dict.fromkeys(said))}
    groups = np.array([numbers[one] for one in said])
    best = np.full(len(vectors), -1.0)
    which = np.zeros(len(vectors), np.int64)
    for number in range(len(numbers)):
        rows = np.flatnonzero(groups == number)
        if len(rows) < 2:
            continue
        cosines = vectors[rows] @ vectors[rows].T
        np.fill_diagonal(cosines, -1.0)
        best[rows] = cosines.max(axis=1)
        which[rows] = rows[cosines.argmax(axis=1)]
    return best, which
