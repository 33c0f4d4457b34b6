"""Figures and times as people read them; filters of the templates."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
"""Not those of the machine's locale, as the rest of a page is not either."""


def usd(amount: float | None) -> str:
    """Money, with as many digits as tell something."""
    if amount is None:
        return "–"
    sign, size = ("−" if amount < 0 else ""), abs(amount)
    if size < 5e-10:  # what is left of sums that came to nothing, too
        return "$0"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 1:
        return f"{sign}${size:.2f}"
    if size >= 0.01:
        return f"{sign}${size:.3f}"
    digits = min(9, 2 - math.floor(math.log10(size)))
    return f"{sign}${size:.{digits}f}".rstrip("0")


def percent(fraction: float | None) -> str:
    """A fraction as percent; almost nothing is not called nothing, nor almost all of it all."""
    if fraction is None:
        return "–"
    if 0 < 100 * fraction < 0.5:
        return "< 1 %"
    if 99.5 <= 100 * fraction < 100:
        return "> 99 %"
    text = f"{100 * fraction:.0f} %"
    return text.replace("-", "−").replace("−0 %", "0 %")


def change(ratio: float) -> str:
    """How much larger something is than something else, by their ratio, with its sign."""
    more = 100 * (ratio - 1)
    if abs(more) < 0.05:
        return "±0 %"
    return f"{more:+.{0 if abs(more) >= 9.95 else 1}f} %".replace("-", "−")


def price(amount: float) -> str:
    """A price as lists of prices have it: two decimals, and more only where they tell something."""
    text = f"{amount:.6f}".rstrip("0")
    return f"${text}{'0' * (2 - len(text.partition('.')[2]))}"


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


def day(at: float) -> str:
    """A day in UTC, told so that nobody takes it for a month."""
    then = datetime.fromtimestamp(at, UTC)
    return f"{_MONTHS[then.month - 1]} {then.day}"


def iso(at: float) -> str:
    """A Unix time as machines read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(amount: float, one: str, many: str | None = None) -> str:
    """How many of something, in words."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"
