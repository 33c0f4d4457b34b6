"""Reads a prompt: one tokenisation serves embedding, n-grams, structure and geometry.

The embedding is static, a mean of token vectors, so that it costs microseconds and no network. Its
table and tokeniser are the data files of the `wordllama` package (MIT licence); none of its code
is imported.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.question import folded, split, uncourteous
from tierwise.analysis.reading import BUCKETS, Reading
from tierwise.analysis.structure import geometry, text_features, tool_features
from tierwise.analysis.table import REBIAS, Table
from tierwise.analysis.words import Words
from tierwise.errors import ConfigError

_TABLE = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_READ_CHARS = 4096
"""Of a longer text, as many characters are read from its start and again from its end."""
# Multiplicative hashing (Knuth, The Art of Computer Programming 3, section 6.4) into the upper
# bits; the multipliers are those of splitmix64 and xxHash64.
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(64 - BUCKETS.bit_length() + 1)


class Encoder:
    """Turns text into a `Reading`. Immutable to its users, safe to share between threads."""

    def __init__(self, words: Words, table: Table) -> None:
        self._words = words
        self._table = table

    @classmethod
    def builtin(cls) -> Encoder:
        """The encoder of the installed data files, loaded at the first call and then kept.

        Raises:
            ConfigError: the data files are missing or broken.
        """
        return _builtin()

    def read(self, text: str, *, tools: bytes | None = None) -> Reading:
        """Reads a prompt; `tools` is the JSON of the tools that the request declares."""
        text = uncourteous(folded(_ends(text)))
        question = split(text)
        parts = [question.stem, question.lead, *question.options]
        ids = [self._words.ids(part) for part in parts]
        lengths = [len(part) for part in ids]
        tokens = sum(lengths)
        flat = np.concatenate(ids)
        total, means = self._means(flat, lengths)
        buckets, counts = _ngrams(_asked(flat, lengths))
        stem, options = means[0], means[2:]
        features = [
            *text_features(text, question, max(1, tokens)),
            *tool_features(text, tools),
            *geometry(stem, options),
        ]
        return Reading(
            structure=np.array(features, np.float32),
            mean=total / np.float32(max(1, tokens)),
            stem=stem,
            options=options.mean(axis=0) if len(options) else np.zeros_like(stem),
            buckets=buckets,
            counts=counts,
            tokens=tokens,
        )

    def embed(self, text: str) -> NDArray[np.float32]:
        """The mean of a text's token vectors, (256,); zeros for no text."""
        ids = self._words.ids(folded(_ends(text)))
        total: NDArray[np.float32] = self._table.rows(ids).sum(axis=0) * REBIAS
        return total / np.float32(max(1, len(ids)))

    def _means(
        self, flat: NDArray[np.int64], lengths: list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sum of all token vectors, (d,), and the mean of each part, (parts, d)."""
        rows = self._table.rows(flat)
        sums = np.zeros((len(lengths), rows.shape[1]), np.float32)
        ends = accumulate(lengths)
        for part, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            rows[end - length : end].sum(axis=0, out=sums[part])
        sums *= REBIAS
        total = sums.sum(axis=0)
        sums /= np.maximum(np.array(lengths, np.float32), np.float32(1))[:, None]
        return total, sums


def _ends(text: str) -> str:
    """Start and end of a long text: what is wanted stands at one of them."""
    if len(text) <= 2 * _READ_CHARS:
        return text
    return f"{text[:_READ_CHARS]}\n\n{text[-_READ_CHARS:]}"


def _asked(flat: NDArray[np.int64], lengths: list[int]) -> NDArray[np.int64]:
    """The tokens of question and options, without those of the lead, which is the second part."""
    stem, lead = lengths[:2]
    return np.concatenate([flat[:stem], flat[stem + lead :]]) if lead else flat


def _ngrams(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Hashed uni- and bigrams: their buckets, ascending, and how often each occurs."""
    spread = ids.astype(np.uint64)
    first = spread * _FIRST
    second = (first[:-1] + spread[1:]) * _SECOND
    hashed = (np.concatenate([first, second]) >> _SHIFT).astype(np.int64)
    if not len(hashed):
        return hashed, np.zeros(0, np.float32)
    hashed.sort()
    starts = np.flatnonzero(np.concatenate(([True], hashed[1:] != hashed[:-1])))
    counts = np.concatenate((starts[1:], [len(hashed)])) - starts
    return hashed[starts], counts.astype(np.float32)


@functools.cache
def _builtin() -> Encoder:
    from tokenizers import Tokenizer, normalizers

    folder = _data_folder()
    # One prompt is read at a time; threads of the tokeniser's own would only cost.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # `Words` puts the blank before the first word itself.
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return Encoder(Words(tokenizer), Table(folder / _TABLE))


def _data_folder() -> Path:
    found = importlib.util.find_spec("wordllama")
    folder = Path(found.origin).parent if found is not None and found.origin else None
    if folder is None or not (folder / _TABLE).is_file() or not (folder / _TOKENIZER).is_file():
        raise ConfigError(
            "the text encoder's data files are missing",
            file=str(folder / _TABLE) if folder is not None else None,
            remedy="install them: pip install 'wordllama>=0.4'",
        )
    return folder
