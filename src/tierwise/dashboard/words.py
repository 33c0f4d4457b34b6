"""Figures and times as people read them; filters of the templates."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def usd(amount: float | None) -> str:
    """Money, with as many digits as tell something."""
    if amount is None:
        return "–"
    sign, size = ("−" if amount < 0 else ""), abs(amount)
    if size == 0:
        return "$0"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 1:
        return f"{sign}${size:.2f}"
    if size >= 0.01:
        return f"{sign}${size:.3f}"
    digits = min(9, 2 - math.floor(math.log10(size)))
    return f"{sign}${size:.{digits}f}".rstrip("0")


def percent(fraction: float | None, digits: int = 0) -> str:
    """A fraction as percent."""
    if fraction is None:
        return "–"
    text = f"{100 * fraction:.{digits}f} %"
    return text.replace("-", "−")


def seconds(time_s: float | None) -> str:
    """A duration."""
    if time_s is None:
        return "–"
    if 0 < time_s < 0.0005:
        return "< 1 ms"
    if time_s < 0.9995:
        return f"{1000 * time_s:.0f} ms"
    if time_s < 90:
        return f"{time_s:.1f} s"
    if time_s < 5400:
        return f"{time_s / 60:.0f} min"
    return f"{time_s / 3600:.1f} h"


def count(number: float | None) -> str:
    """A number of things, shortened where it is large."""
    if number is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):.1f}{unit}"
    return f"{number:,.0f}"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def moment(at: float | None) -> str:
    """A Unix time as people read it, in UTC."""
    if at is None:
        return "never"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float) -> str:
    """A Unix time as machines read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(amount: float, one: str, many: str | None = None) -> str:
    """How many of something, in words."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"
