"""What an answer shows by itself, and how alike two answers are: numbers for the learned scorer.

Nothing here knows which model answered. The features are those that a reader would look at: how
sure the model was of its words, what kind of answer it is, how long, whether it hedges, whether
its sums are right, how near it stays to the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.gates import numbers
from tierwise.gates.closed_answer import Asked, ClosedAnswer, extract, same

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading

FloatArray = NDArray[np.float32]
Embed = Callable[[str], FloatArray]

KINDS = ("choice", "number", "text", "truth", "other", "open")
"""What an answer is: formulas and JSON are `other`, whatever has no final answer is `open`."""
LETTERS = "abcd"
FEATURES = (
    "confidence", "likelihood", "hedges", "characters", "lines", "length_to_prompt",
    "near_question", "open_end",
    *numbers.FEATURES,
    *(f"is_{kind}" for kind in KINDS),
    *(f"confidence_of_{kind}" for kind in KINDS),
    *(f"says_{letter}" for letter in LETTERS),
)  # fmt: skip
"""Names of `Evidence.features`, in order."""

_HEDGES = re.compile(
    r"\b(?:sorry|cannot|can't|unable|not sure|unclear|however|as an ai|impossible|i do not know"
    r"|i don't know|apologi[sz]e|may be|might be|it seems|wait)\b"
)
_HEDGE_SIGNS = (
    "sorry", "cannot", "can't", "unable", "not sure", "unclear", "however", "as an ai",
    "impossible", "i do not know", "i don't know", "apologi", "may be", "might be", "it seems",
    "wait",
)  # fmt: skip
"""Without one of these there is no hedge; to look for them takes a fifth of the time."""
_MOST_HEDGES = 3
_READ_CHARS = 8192
_ALIKE_FROM = 0.7
"""Cosine of two open answers to one question that have nothing in common but the question."""
_OPEN_MOST = 0.8
"""Open answers are never known to be the same."""


class Evidence(Struct, frozen=True):
    """One answer, read. `features` (F,) by `FEATURES`; `mean` (256,) its embedding."""

    closed: ClosedAnswer | None
    kind: int
    features: FloatArray
    mean: FloatArray


def read_answer(
    prompt: str,
    asked: Asked,
    reading: Reading,
    answer: str,
    logprob: float | None,
    embed: Embed,
) -> Evidence:
    """Reads an answer.

    Args:
        prompt: the question's text.
        asked: what sort of answer the prompt wants.
        reading: the prompt, read.
        answer: its whole text.
        logprob: mean log-probability of the answer's tokens, or of a self-check's "yes"; None
            where the provider gives none.
        embed: `Encoder.embed`.
    """
    closed = extract(asked, answer)
    kind = _kind(closed)
    mean = embed(answer)
    one_hot = [float(kind == at) for at in range(len(KINDS))]
    # Zero, the middle of the scale, where nothing is known.
    confidence = 0.0 if logprob is None else -3.0 - math.log(1e-4 - min(logprob, 0.0))
    text = answer[:_READ_CHARS]
    last = text.rstrip()[-1:]
    features = [
        confidence,
        0.5 if logprob is None else math.exp(min(logprob, 0.0)),
        float(_hedges(text.lower())),
        math.log1p(len(answer)),
        math.log1p(answer.count("\n")),
        min(10.0, len(answer) / max(1, len(prompt))),
        _cosine(mean, reading.stem),
        float(bool(last) and last.isalpha() and kind == KINDS.index("open")),
        *numbers.number_features(prompt, answer, closed),
        *one_hot,
        *(confidence * hot for hot in one_hot),
        *(float(kind == 0 and closed is not None and closed.value == c) for c in LETTERS),
    ]
    return Evidence(closed, kind, np.array(features, np.float32), mean)


def alike(one: Evidence, other: Evidence) -> float:
    """In [0, 1]: 1 for the same final answer, 0 for different ones.

    Open answers are as alike as their embeddings beyond what any two answers to a question share.
    """
    if one.closed is not None and other.closed is not None:
        return float(same(one.closed, other.closed))
    if one.closed is not None or other.closed is not None:
        return 0.0
    near = _cosine(one.mean, other.mean)
    return _OPEN_MOST * min(1.0, max(0.0, (near - _ALIKE_FROM) / (1.0 - _ALIKE_FROM)))


def _hedges(text: str) -> int:
    """How many hedges a text in lower case has, counted up to the most that matter."""
    if not any(sign in text for sign in _HEDGE_SIGNS):
        return 0
    return sum(1 for _ in islice(_HEDGES.finditer(text), _MOST_HEDGES))


def _kind(closed: ClosedAnswer | None) -> int:
    if closed is None:
        return KINDS.index("open")
    return KINDS.index(closed.kind) if closed.kind in KINDS else KINDS.index("other")


def _cosine(one: FloatArray, other: FloatArray) -> float:
    size = float(np.sqrt(one @ one) * np.sqrt(other @ other))
    return float(one @ other) / size if size else 0.0
