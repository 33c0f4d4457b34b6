"""Which prompts are the same question, whatever wording a source put around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
"""Words in a shingle: long enough that two questions rarely share one by chance."""
SHARE = 0.4
"""Of the shorter text's shingles, the share in common that makes two prompts the same."""
COMMON = 40
"""A shingle of more prompts than this is a template of its source, not a part of a question."""

_MARKS = re.compile(r"\(?\b[a-e1-4]\b[).]")
_WORDS = re.compile(r"[a-z0-9]+|[一-鿿]")


def words(text: str) -> list[str]:
    """The text's words in lower case, without option letters and punctuation.

    Chinese has no spaces between words, so each character counts as one.
    """
    return _WORDS.findall(_MARKS.sub(" ", text.lower()))


def standing_in(candidates: Sequence[str], reserved: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the candidates are also among the reserved texts.

    Two texts are the same if their words are the same in order, or if at least `SHARE` of the
    uncommon word 5-shingles of one stand in the other: sources wrap the same question in
    instructions and examples of their own, and what they add is common to many of their prompts.

    Returns:
        (len(candidates),) True where the text must not be learned from.
    """
    texts = [words(text) for text in candidates], [words(text) for text in reserved]
    shingles = _uncommon([_shingles(found) for part in texts for found in part])
    ours, theirs = shingles[: len(candidates)], shingles[len(candidates) :]
    exact = {tuple(found) for found in texts[1]}
    holders: dict[int, list[int]] = {}
    for row, found in enumerate(theirs):
        for shingle in found:
            holders.setdefault(shingle, []).append(row)
    same = np.zeros(len(candidates), dtype=bool)
    for row, found in enumerate(ours):
        same[row] = tuple(texts[0][row]) in exact or _shares(found, theirs, holders)
    return same


def _shares(found: set[int], theirs: list[set[int]], holders: dict[int, list[int]]) -> bool:
    """Whether one of `theirs` has `SHARE` of the smaller of the two sets in common."""
    common: dict[int, int] = {}
    for shingle in found:
        for row in holders.get(shingle, ()):
            common[row] = common.get(row, 0) + 1
    return any(count >= SHARE * min(len(found), len(theirs[row])) for row, count in common.items())


def _shingles(found: list[str]) -> set[int]:
    if len(found) < SHINGLE:
        return {hash(tuple(found))}
    return {hash(tuple(found[i : i + SHINGLE])) for i in range(len(found) - SHINGLE + 1)}


def _uncommon(shingles: list[set[int]]) -> list[set[int]]:
    held: dict[int, int] = {}
    for found in shingles:
        for shingle in found:
            held[shingle] = held.get(shingle, 0) + 1
    return [{shingle for shingle in found if held[shingle] <= COMMON} for found in shingles]
