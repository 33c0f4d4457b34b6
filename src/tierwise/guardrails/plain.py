"""Tells patterns that take little time on any text from those that may take for ever.

Python's `re` goes back and tries again where a pattern can match the same characters in several
ways, and holds the interpreter's lock meanwhile, so that no thread could stop it. What is plain is
searched for at once; anything else in a process that can be ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_CHARS = 4096
"""Of a text in which a plain pattern is searched for at once if its matches may have any length."""
_MOST_WAYS = 10_000
"""Ways to go on from one beginning of a match; so many take a fraction of a millisecond."""
_LONG = 256
"""What a repetition without an end counts as, and the greatest length that is a small one."""
_ALPHABET = frozenset(map(chr, range(0x250)))
_CATEGORIES: Mapping[Any, Callable[[str], bool]] = {
    codes.CATEGORY_DIGIT: str.isdigit,
    codes.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    codes.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    codes.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)


def ways(pattern: str) -> float:
    """How many ways there may be to go on from one beginning of a match; infinite for some.

    Raises:
        re.error: it is no pattern.
    """
    return _ways(parser.parse(pattern), last=True)


def is_plain(pattern: str) -> bool:
    """Whether it can be searched for at once, in texts of `MOST_CHARS` at least."""
    return ways(pattern) <= _MOST_WAYS


def is_bounded(pattern: str) -> bool:
    """Whether what it matches has a greatest length that is a small one."""
    width: int = parser.parse(pattern).getwidth()[1]
    return width <= _LONG


def _ways(items: Any, *, last: bool = False) -> float:
    """The product over what stands one after the other.

    Args:
        last: nothing comes after these, so there is never a reason to go back into the last one.
    """
    total = 1.0
    sequence = list(items)
    for place, (code, value) in enumerate(sequence):
        after = sequence[place + 1 :]
        if code in _REPEATS and ((last and not after) or _is_told_apart(value, after)):
            total *= 1.0 if _ways(value[2]) == 1 else _of(code, value)
        else:
            total *= _of(code, value)
    return total


def _of(code: Any, value: Any) -> float:
    if code in _REPEATS:
        least, most, inner = value
        within = _ways(inner)
        if most is codes.MAXREPEAT or most > _LONG:
            # Several ways each time, any number of times: there is no end to them.
            return float("inf") if within > 1 else float(_LONG)
        return float("inf") if within > 1 and most > 32 else within**most * (most - least + 1)
    if code is codes.POSSESSIVE_REPEAT:
        return _ways(value[2])
    if code is codes.ATOMIC_GROUP:
        return _ways(value)
    if code is codes.SUBPATTERN:
        return _ways(value[-1])
    if code is codes.BRANCH:
        return sum(_ways(branch) for branch in value[1])
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return _ways(value[1])
    if code is codes.GROUPREF_EXISTS:
        return _ways(value[1]) + (_ways(value[2]) if value[2] is not None else 1.0)
    return 1.0


def _is_told_apart(repeat: Any, after: Sequence[Any]) -> bool:
    """Whether no character that is repeated can be what follows: then there is one way only."""
    inner = list(repeat[2])
    if len(inner) != 1 or not after:
        return False
    mine, next_one = _chars(*inner[0]), _first(after)
    return mine is not None and next_one is not None and mine.isdisjoint(next_one)


def _first(items: Sequence[Any]) -> frozenset[str] | None:
    """The characters that something may begin with; None if that is not easily told."""
    code, value = items[0]
    if code in _REPEATS:
        return _first(list(value[2])) if value[0] > 0 else None
    if code is codes.SUBPATTERN:
        return _first(list(value[-1])) if list(value[-1]) else None
    return _chars(code, value)


def _chars(code: Any, value: Any) -> frozenset[str] | None:
    """The characters that one item matches, of those that are looked at; None if it is no such."""
    if code is codes.LITERAL:
        return frozenset((chr(value).lower(), chr(value).upper()))
    if code is codes.NOT_LITERAL:
        return _ALPHABET - {chr(value)}
    if code is codes.ANY:
        return _ALPHABET
    if code is not codes.IN:
        return None
    found: frozenset[str] = frozenset()
    for kind, what in value:
        if kind is codes.LITERAL:
            found |= {chr(what).lower(), chr(what).upper()}
        elif kind is codes.RANGE:
            chars = [chr(one) for one in range(what[0], min(what[1] + 1, 0x250))]
            found |= frozenset(chars).union(map(str.lower, chars), map(str.upper, chars))
        elif kind is codes.CATEGORY and what in _CATEGORIES:
            found |= frozenset(filter(_CATEGORIES[what], _ALPHABET))
        elif kind is not codes.NEGATE:
            return None
    return _ALPHABET - found if value[0][0] is codes.NEGATE else found
