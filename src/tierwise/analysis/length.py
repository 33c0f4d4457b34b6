"""How long the answer will be, in tokens, by the kind of work and by what the prompt asks for."""

from __future__ import annotations

import re

from tierwise.types import Kind

OUTPUT_TOKENS: dict[Kind, int] = {
    "classification": 10,
    "extraction": 120,
    "summarisation": 200,
    "translation": 200,
    "chat": 200,
    "qa": 150,
    "creative": 500,
    "vision": 200,
    "agent-step": 150,
    "code": 400,
    "math": 250,
    "reasoning": 500,
}
"""Where nothing more is known."""

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WANTED = re.compile(
    rf"\b(\d{{1,4}}|{'|'.join(_NUMBERS)})[ -]"
    r"(words?|sentences?|paragraphs?|pages?|lines?|bullets?|points?|ideas?|names?|minutes?)\b"
)
_TOKENS_PER: dict[str, float] = {
    "word": 1.4,
    "sentence": 25,
    "paragraph": 110,
    "page": 600,
    "line": 16,
    "bullet": 22,
    "point": 22,
    "idea": 25,
    "name": 6,
    "minute": 200,
}
_TERSE = re.compile(
    r"\b(yes or no|yes/no|true or false|one word|single word|just the (number|answer|label|name)"
    r"|(number|label|letter|category|team|name) only|only the (number|answer|label|letter))\b"
)
_TERSE_TOKENS = 8
_READ_CHARS = 160


def expected_tokens(kind: Kind, question: str, question_tokens: int) -> int:
    """Expected output tokens of one choice; `question` is the last turn, in lower case."""
    said = question
    if len(said) > 2 * _READ_CHARS:
        said = f"{said[:_READ_CHARS]} {said[-_READ_CHARS:]}"
    if _TERSE.search(said):
        return _TERSE_TOKENS
    usual = OUTPUT_TOKENS[kind]
    if kind not in ("math", "classification"):  # there, numbers belong to the matter
        wanted = _WANTED.search(said)
        if wanted:
            return max(
                _TERSE_TOKENS, round(_number(wanted[1]) * _TOKENS_PER[wanted[2].rstrip("s")])
            )
    if kind == "translation":
        return max(12, question_tokens)
    if kind == "summarisation":
        return _between(60, question_tokens // 6, 500)
    if kind == "extraction":
        return _between(40, question_tokens // 3, 800)
    if kind == "code":
        return _between(usual, question_tokens, 1500)
    return usual


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS.index(text) + 1


def _between(least: int, value: int, most: int) -> int:
    return min(most, max(least, value))
