"""What the shape of a prompt tells: lengths, numbers, symbols, telling phrases, tools, geometry.

Every feature is one float and has a name in `STRUCTURE`. Counts and lengths are taken as log(1+x),
shares are in [0, 1]. Nothing here costs more than one pass over the text.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from math import log1p, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tierwise.analysis.question import Question

PHRASES: dict[str, tuple[str, ...]] = {
    "how many": ("how many",),
    "how much": ("how much",),
    "percent": ("percent", "%"),
    "multiples": ("times as", "twice", "half", "third", "quarter", "double", "triple"),
    "total": ("total", "altogether", "in all"),
    "remainder": ("left", "remain"),
    "each": ("each", "every", "per "),
    "comparison": ("more than", "less than", "fewer"),
    "if": ("if ",),
    "sequence": ("then", "after that", "next"),
    "negation": (" not ", "except", "least likely", "false"),
    "which of": ("which of the following",),
    "all or none": ("all of the above", "none of the above", "both"),
    "true": ("true",),
    "statement": ("statement",),
    "superlative": ("best", "most likely", "primarily", "mainly"),
    "attribution": ("according to", "argue", "claim"),
    "definition": ("define", "term", "refers to", "called", "known as"),
    "calculation": ("calculate", "compute", "find the", "evaluate", "solve"),
    "history": ("year", "century", "war", "president"),
    "cause": ("because", "why"),
    "program": ("def ", "return", "function", "python"),
    "passage": ("passage", "following context", "article"),
    "average": ("average", "mean", "ratio", "rate"),
    "blank": ("_",),
    "time": ("hour", "minute", "day", "week", "month"),
    "money": ("$",),
}
"""Phrases that are looked for at both ends of the folded question; one hit is enough."""
_GROUPS = tuple(PHRASES.values())

_TEXT = (
    *("chars", "stem chars", "tokens", "words", "tokens per word", "lines"),
    *("numbers", "largest number", "fractions", "sentences", "word length"),
    *("digits", "non-ASCII", "TeX", "brackets", "quotes", "commas", "vocabulary"),
    *("options", "option chars", "option spread", "options with digits", "one-word options"),
    *("ends with :", "different numbers"),
)
_TOOLS = (
    *("tools given", "several tools", "tools", "parameters per tool", "enums", "arrays"),
    *("loose types", "web calls", "conjunctions", "quoted values"),
)
_GEOMETRY = (
    *("stem-option mean", "stem-option max", "stem-option lead", "stem-option spread"),
    *("option-option mean", "option-option min", "odd option"),
)
STRUCTURE: tuple[str, ...] = (*_TEXT, *(f"says {name}" for name in PHRASES), *_TOOLS, *_GEOMETRY)
"""The names of the structural features, in the order of `Reading.structure`."""

_NUMBER = re.compile(r"[0-9][0-9,]*\.?[0-9]*")
_DIGIT = re.compile(r"[0-9]")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_END_CHARS = 400
_LONGEST_NUMBER = 15
_MOST_NUMBERS = 60
_DIGITS = string.digits.encode()
_ASCII = bytes(range(128))
_TEX = b"\\^_{}"
_BRACKETS = b"()[]<>=;"


def text_features(text: str, question: Question, tokens: int) -> list[float]:
    """Lengths, numbers, symbols and phrases of a folded prompt that has this many tokens."""
    stem = question.stem
    words = stem.split()
    numbers = _numbers(stem)
    return [
        *_sizes(text, stem, words, tokens),
        *_amounts(numbers, stem),
        sum(map(len, words)) / (len(words) + 1),
        *_symbols(text),
        len(set(words)) / (len(words) + 1),
        *_options(question.options),
        float(stem.endswith(":")),
        log1p(len(set(numbers))),
        *_phrases(stem if len(stem) <= 2 * _END_CHARS else stem[:_END_CHARS] + stem[-_END_CHARS:]),
    ]


def tool_features(text: str, tools: bytes | None) -> list[float]:
    """What the JSON of the declared tools, and the wish for their use, tell."""
    if not tools:
        return [0.0] * len(_TOOLS)
    number = max(1, tools.count(b'"parameters"'))
    return [
        1.0,
        float(number > 1),
        log1p(number),
        log1p(tools.count(b'"type"') / number),
        log1p(tools.count(b'"enum"')),
        log1p(tools.count(b"array")),
        float(b'"any"' in tools or b'"String"' in tools),
        float(b"requests.get" in tools),
        log1p(text.count(" and ") + text.count(",") + text.count(" also ")),
        log1p(text.count("'") + text.count("?")),
    ]


def geometry(stem: NDArray[np.float32], options: NDArray[np.float32]) -> list[float]:
    """How the options, (k, d), lie to the question, (d,), and to each other: cosines.

    Options that are much alike are hard to tell apart; one that stands alone is often the answer
    or the obvious distractor.
    """
    count = len(options)
    if count < 2:
        return [0.0] * len(_GEOMETRY)
    rows = np.vstack([stem, options])
    rows /= np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)), 1e-9)
    cosines: list[list[float]] = (rows @ rows.T).tolist()
    to_stem = cosines[0][1:]
    among = [row[1:] for row in cosines[1:]]
    others = [(sum(row) - row[number]) / (count - 1) for number, row in enumerate(among)]
    second, first = sorted(to_stem)[-2:]
    mean = sum(to_stem) / count
    return [
        mean,
        first,
        first - second,
        sqrt(sum((cosine - mean) ** 2 for cosine in to_stem) / count),
        sum(others) / count,
        min(map(min, among)),
        min(others),
    ]


def _sizes(text: str, stem: str, words: Sequence[str], tokens: int) -> list[float]:
    return [
        log1p(len(text)),
        log1p(len(stem)),
        log1p(tokens),
        log1p(len(words) + 1),
        tokens / (len(words) + 1),
        log1p(stem.count("\n")),
    ]


def _amounts(numbers: Sequence[float], stem: str) -> list[float]:
    return [
        log1p(len(numbers)),
        log1p(max(numbers, default=0.0)),
        float(any(number % 1 for number in numbers)),
        log1p(len(_SENTENCE_END.findall(stem))),
    ]


def _symbols(text: str) -> list[float]:
    """Shares of kinds of characters. Deleting them from bytes counts them quickest."""
    raw = text.encode("utf-8", "replace")
    chars = len(text) + 1

    def share(of: bytes) -> float:
        return (len(raw) - len(raw.translate(None, of))) / chars

    foreign = 0.0 if text.isascii() else 1.0 - share(_ASCII) - 1 / chars
    return [
        share(_DIGITS),
        foreign,
        share(_TEX),
        share(_BRACKETS),
        text.count('"') / chars,
        text.count(",") / chars,
    ]


def _phrases(stem: str) -> list[float]:
    found = [0.0] * len(_GROUPS)
    for number, group in enumerate(_GROUPS):
        for phrase in group:
            if phrase in stem:
                found[number] = 1.0
                break
    return found


def _options(options: Sequence[str]) -> list[float]:
    if not options:
        return [0.0] * 5
    count = len(options)
    lengths = [len(option) for option in options]
    mean = sum(lengths) / count
    spread = sqrt(sum((length - mean) ** 2 for length in lengths) / count)
    return [
        float(count),
        log1p(mean),
        log1p(spread),
        sum(_DIGIT.search(option) is not None for option in options) / count,
        sum(" " not in option for option in options) / count,
    ]


def _numbers(stem: str) -> list[float]:
    """The first numbers in a text; thousands may be parted by commas."""
    return [
        float(found.replace(",", ""))
        for found in _NUMBER.findall(stem)[:_MOST_NUMBERS]
        if len(found) <= _LONGEST_NUMBER
    ]
