"""What the numbers in an answer say about it: sums that are wrong, figures left unused.

A worked answer to a question with figures should use them, its sums should come out, and its
result should look like what was asked for. None of it proves anything; together it tells a good
part of the wrong answers from the right ones.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import islice

from tierwise.gates.closed_answer import ClosedAnswer

FEATURES = (
    "figures_asked", "figures_unused", "share_unused", "sums", "wrong_sums", "any_wrong_sum",
    "result_not_whole", "result_size", "result_negative", "result_was_given", "relations",
)  # fmt: skip
"""Names of what `number_features` returns, in order."""

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# A number, what is computed with it, and what that is said to be. It takes a number that nothing is
# computed with too, and gives nothing back of what it took: no text is gone through twice.
_SUM = re.compile(
    r"(\d[\d,.]*+)(?:((?:\s*+(?:%\s*+)?[-+*/x×÷]\s*+\$?+\d[\d,.]*+)++%?+)"
    r"(?:\s*+=\s*+\$?+(-?\d[\d,]*+(?:\.\d++)?+))?+)?+"
)
_TOKEN = re.compile(r"(\d[\d,]*(?:\.\d+)?)(%?)|([-+*/x×÷])")
_RELATION = re.compile(r"\b(?:half|twice|percent|each|times|more than|less than|per)\b|%")
_MOST_RELATIONS = 5
_NEARLY = 0.01
_READ_CHARS = 8192


def number_features(prompt: str, answer: str, closed: ClosedAnswer | None) -> list[float]:
    """The numbers of an answer as features; see `FEATURES`."""
    prompt, answer = prompt[-_READ_CHARS:], answer[:_READ_CHARS]
    given, used = _figures(prompt), _figures(answer)
    unused = len(given - used)
    sums, wrong = _sums(answer)
    result = _value(closed)
    return [
        math.log1p(len(given)),
        min(5.0, unused),
        unused / max(1, len(given)),
        math.log1p(sums),
        min(3.0, wrong),
        float(wrong > 0),
        float(result is not None and result != int(result)),
        0.0 if result is None else math.log1p(abs(result)),
        float(result is not None and result < 0),
        float(result is not None and result in given),
        float(sum(1 for _ in islice(_RELATION.finditer(prompt), _MOST_RELATIONS))),
    ]


def _figures(text: str) -> set[float]:
    return {_float(found) for found in set(_NUMBER.findall(text))}


def _float(text: str) -> float:
    return float(text.replace(",", "")[:40])


def _sums(text: str) -> tuple[int, int]:
    """How many sums a text states, and how many of them are wrong."""
    stated = wrong = 0
    if "=" not in text:  # most texts have none, and figures enough to look for one at length
        return stated, wrong
    for first, rest, right in _SUM.findall(text):
        if not right:
            continue
        found = _worked_out(first + rest)
        if found is None:
            continue
        stated += 1
        wrong += abs(found - _float(right.lstrip("-")) * (-1 if right[0] == "-" else 1)) > (
            _NEARLY * max(1.0, abs(found))
        )
    return stated, wrong


def _worked_out(text: str) -> float | None:
    """A chain of + - * / worked out, products first; None where that cannot be done."""
    total, product, sign, pending = 0.0, None, 1.0, "*"
    for number, percent, operator in _TOKEN.findall(text):
        if operator in ("+", "-"):
            total += sign * (product or 0.0)
            product, sign, pending = None, 1.0 if operator == "+" else -1.0, "*"
        elif operator:
            pending = "/" if operator in "/÷" else "*"
        else:
            value = _float(number) / (100.0 if percent else 1.0)
            if product is None:
                product = value
            elif pending == "/":
                if not value:
                    return None
                product /= value
            else:
                product *= value
    total += sign * (product or 0.0)
    return total if math.isfinite(total) else None


def _value(closed: ClosedAnswer | None) -> float | None:
    if closed is None or closed.kind != "number":
        return None
    try:
        return float(Fraction(closed.value))
    except (OverflowError, ValueError):
        return None
