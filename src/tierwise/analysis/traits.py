"""The traits of a text that its kind and domain show in: what it is about, how it begins and ends,
which words it uses, what shape it has.

What is wanted mostly stands in the first or the last few words, before or after the text that it
is wanted of; therefore both ends are looked at by themselves.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.conversation import ends
from tierwise.analysis.encoder import Encoder
from tierwise.analysis.lexicon import stems_for, votes_of
from tierwise.analysis.question import folded, uncourteous
from tierwise.analysis.structure import STRUCTURE
from tierwise.types import DOMAINS, KINDS

Vector = NDArray[np.float32]

_END_CHARS = 60
_SHAPE = [
    STRUCTURE.index(name)
    for name in ("stem chars", "lines", "numbers", "digits", "brackets", "quotes", "options", "TeX")
]
_DOMAIN_ORDER = tuple(sorted(DOMAINS))
_KIND_ORDER = tuple(sorted(KINDS))
_SHORT_CHARS = 40
_END_WORDS = 8
_WORD_BUCKETS = 1024


class Traits(Struct, frozen=True):
    """Embeddings, (256,), of all, the start and the end; votes of words; shape. All as they are.

    `words` marks the first and the last words by hash, each in a part of its own.
    """

    whole: Vector
    opening: Vector
    closing: Vector
    kind_votes: Vector
    opening_votes: Vector
    closing_votes: Vector
    domain_votes: Vector
    words: Vector
    signs: Vector
    shape: Vector


class Frame(Struct, frozen=True):
    """What traits are measured from: the usual embedding, usual shape and its spread."""

    centre: Vector
    shape_mean: Vector
    shape_sd: Vector


def traits_of(encoder: Encoder, text: str, mean: Vector, structure: Vector | None = None) -> Traits:
    """The traits of a text whose mean embedding is `mean`; without structure it has no shape."""
    lower = uncourteous(folded(text)).strip()
    start, end = lower[:_END_CHARS], lower[-_END_CHARS:]
    read = ends(lower)
    short = len(lower) <= _END_CHARS
    stems = stems_for(read)
    kind_votes, domain_votes = votes_of(read, stems)
    opening_votes = kind_votes if short else votes_of(start, stems)[0]
    closing_votes = kind_votes if short else votes_of(end, stems)[0]
    return Traits(
        whole=mean,
        opening=mean if short else encoder.embed(start),
        closing=mean if short else encoder.embed(end),
        kind_votes=_counted(kind_votes, _KIND_ORDER),
        opening_votes=_counted(opening_votes, _KIND_ORDER),
        closing_votes=_counted(closing_votes, _KIND_ORDER),
        domain_votes=_counted(domain_votes, _DOMAIN_ORDER),
        words=_marked(start.split(), end.split()),
        signs=np.array(
            (lower.endswith(("?", "？")), "```" in lower, len(lower) < _SHORT_CHARS), np.float32
        ),
        shape=np.zeros(len(_SHAPE), np.float32) if structure is None else structure[_SHAPE],
    )


def kind_row(traits: Traits, frame: Frame) -> Vector:
    """What the head for kinds reads. The factors weigh groups of traits under one penalty."""
    shape = np.minimum(np.maximum((traits.shape - frame.shape_mean) / frame.shape_sd, -3), 3)
    parts = (
        _direction(traits.opening, frame),
        _direction(traits.closing, frame),
        _direction(traits.whole, frame) * 0.5,
        shape * 0.2,
        traits.signs,
        traits.kind_votes,
        traits.opening_votes * 1.5,
        traits.closing_votes,
        traits.domain_votes * 0.5,
        traits.words * 0.5,
    )
    return np.concatenate(parts, dtype=np.float32)


def domain_row(traits: Traits, frame: Frame) -> Vector:
    """What the head for domains reads: no shape, lest it learn what a benchmark looks like."""
    parts = (
        _direction(traits.whole, frame),
        _direction(traits.opening, frame) * 0.7,
        traits.domain_votes,
        traits.kind_votes,
        traits.signs,
    )
    return np.concatenate(parts, dtype=np.float32)


def _direction(vector: Vector, frame: Frame) -> Vector:
    away: Vector = vector - frame.centre
    return away / np.float32(max(sqrt(away.dot(away)), 1e-6))


def _marked(first: Sequence[str], last: Sequence[str]) -> Vector:
    """Ones where a word of either end, or the very first word, hashes to (Weinberger, 2009)."""
    marks = np.zeros(3 * _WORD_BUCKETS, np.float32)
    for part, words in enumerate((first[:_END_WORDS], last[-_END_WORDS:], first[:1])):
        for word in words:
            bucket = zlib.crc32(word.encode("utf-8", "replace")) % _WORD_BUCKETS
            marks[part * _WORD_BUCKETS + bucket] = 1.0
    return marks


def _counted(votes: Mapping[str, int], order: Sequence[str]) -> Vector:
    """Votes as log(1+n), in the order of names."""
    return np.log1p(np.array([votes.get(name, 0) for name in order], np.float32))
