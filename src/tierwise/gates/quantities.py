"""Sums in floats: what a list of tokens comes to, and whether two figures agree as stated."""

from __future__ import annotations

import math

from msgspec import Struct

_SIGNS = frozenset("-%()")
_DEEPEST = 12
_LARGEST_EXPONENT = 64.0
_EXACT = 1e-9
"""Relative: what floats lose in a sum of some terms."""
_BROKEN = 1e-4
_ABOUT = 0.01
"""Relative: what "about" and "≈" may be off."""


class Stated(Struct, frozen=True):
    """How a figure was written down.

    `about` marks one that does not claim to be exact, `broken` one that was computed from decimal
    fractions, which may have been rounded before, and `quotient` one that comes of a division.
    """

    tokens: list[str]
    about: bool = False
    broken: bool = False
    quotient: bool = False

    @property
    def unit(self) -> float:
        """One unit of the last place of a lone figure; 0 where something is computed.

        Whole numbers are exact: their unit is 0 too.
        """
        figures = [part for part in self.tokens if part not in _SIGNS]
        if len(figures) != 1:
            return 0.0
        decimals = len(figures[0].partition(".")[2])
        scale = 0.01 if "%" in self.tokens else 1.0
        return float(scale * 10.0**-decimals) if 0 < decimals < 300 else 0.0


def agree(first: float, second: float, stated: Stated, *, per_cent: bool) -> bool:
    """Whether two figures are equal as far as the second was written out.

    Rounding and cutting off both pass: 2 / 3 is 0.67 and 0.66. A quotient that was rounded to a
    whole number passes as well. With `per_cent`, 1 / 4 = 25 is taken for 25%.
    """
    scales = (1.0, 100.0, 0.01) if per_cent else (1.0,)
    return any(_near(first, second * scale, stated, scale) for scale in scales)


def _near(first: float, second: float, stated: Stated, scale: float) -> bool:
    off = abs(first - second)
    largest = max(abs(first), abs(second))
    if off <= _EXACT * largest or off < stated.unit * scale * (1 + 1e-6):
        return True
    if stated.broken and off <= _BROKEN * largest:
        return True
    if stated.about:
        return off <= max(_ABOUT * largest, 0.5)
    return (
        stated.quotient
        and off < 1
        and second == int(second)
        and abs(first) > 1
        and first != int(first)
    )


def value_of(tokens: list[str]) -> float | None:
    """What the tokens come to; None if they are no sum, or too large a one."""
    try:
        value, at = _sum(tokens, 0, 0)
    except (ValueError, OverflowError, ZeroDivisionError, IndexError):
        return None
    # The power of a negative base to a broken exponent is complex, which `float` refused before.
    return value if at == len(tokens) and math.isfinite(value) else None


def _sum(tokens: list[str], at: int, depth: int) -> tuple[float, int]:
    value, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "+-":
        term, after = _product(tokens, at + 1, depth)
        value = value + term if tokens[at] == "+" else value - term
        at = after
    return value, at


def _product(tokens: list[str], at: int, depth: int) -> tuple[float, int]:
    value, at = _power(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "*/":
        factor, after = _power(tokens, at + 1, depth)
        value = value * factor if tokens[at] == "*" else value / factor
        at = after
    return value, at


def _power(tokens: list[str], at: int, depth: int) -> tuple[float, int]:
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if tokens[at] == "-":  # -2^2 is -4
        value, at = _power(tokens, at + 1, depth + 1)
        return -value, at
    base, at = _operand(tokens, at, depth)
    if at < len(tokens) and tokens[at] == "^":
        exponent, at = _power(tokens, at + 1, depth + 1)
        if abs(exponent) > _LARGEST_EXPONENT or (base < 0 and exponent != int(exponent)):
            raise OverflowError
        base = math.pow(base, exponent)
    return base, at


def _operand(tokens: list[str], at: int, depth: int) -> tuple[float, int]:
    """A figure or a bracket, with its per cent sign."""
    if tokens[at] == "(":
        value, at = _sum(tokens, at + 1, depth + 1)
        if tokens[at] != ")":
            raise ValueError("not closed")
    else:
        value = float(_plain(tokens[at]))
    at += 1
    if at < len(tokens) and tokens[at] == "%":
        return value / 100, at + 1
    return value, at


def _plain(figure: str) -> str:
    """Without separators of thousands. A comma that separates none is a decimal one."""
    bare = figure.replace("\u202f", ",").replace("\xa0", ",")
    head, _, tail = bare.rpartition(",")
    if head and "," not in head and (len(tail.partition(".")[0]) != 3 or "." in head):
        return f"{head.replace('.', '')}.{tail}"
    return bare.replace(",", "")
