"""Where the marks of a chart stand. The templates draw them, and write the same as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from tierwise.dashboard.words import usd

WIDTH, HEIGHT = 720.0, 170.0
NARROW, TALL = 360.0, 200.0
"""For screens as narrow as a phone's, where letters of the wide one would be too small."""
_RIGHT, _TOP = 4.0, 8.0


class Tick(Struct, frozen=True):
    """A mark of an axis, at `at`."""

    at: float
    label: str


class Column(Struct, frozen=True, kw_only=True):
    """What was spent in a slot of time, and above it what was saved against the reference."""

    x: float
    width: float
    spent_y: float
    spent_height: float
    saved_y: float
    saved_height: float
    label: str
    spent: float
    saved: float
    requests: int


class Columns(Struct, frozen=True, kw_only=True):
    """A chart of columns, which begins at `left`; `base` is the height of zero."""

    columns: tuple[Column, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    base: float
    left: float
    width: float
    height: float


class Slot(Struct, frozen=True):
    """What one column stands for, money in USD."""

    label: str
    spent: float
    reference: float
    requests: int


def columns(slots: Sequence[Slot], *, narrow: bool = False) -> Columns:
    """A column for each slot, in their order."""
    width, height = (NARROW, TALL) if narrow else (WIDTH, HEIGHT)
    left, bottom, labels = (58.0, 26.0, 5) if narrow else (40.0, 20.0, 8)
    top = max([max(slot.spent, slot.reference) for slot in slots], default=0.0)
    ticks = _ticks(top)
    scale = (height - _TOP - bottom) / (ticks[-1] or 1.0)
    step = (width - left - _RIGHT) / max(1, len(slots))
    base = height - bottom
    made = []
    for place, slot in enumerate(slots):
        saved = slot.reference - slot.spent
        spent, more = slot.spent * scale, max(0.0, saved) * scale
        made.append(
            Column(
                x=left + (place + 0.5) * step - min(step * 0.72, 30.0) / 2,
                width=min(step * 0.72, 30.0),
                spent_y=base - spent,
                spent_height=spent,
                saved_y=base - spent - more,
                saved_height=more,
                label=slot.label,
                spent=slot.spent,
                saved=saved,
                requests=slot.requests,
            )
        )
    every = max(1, math.ceil(len(slots) / labels))
    return Columns(
        columns=tuple(made),
        across=tuple(Tick(c.x + c.width / 2, c.label) for c in made[::every]),
        up=tuple(Tick(base - value * scale, money(value)) for value in ticks),
        base=base,
        left=left,
        width=width,
        height=height,
    )


def money(amount: float) -> str:
    """A round amount, without zeros that say nothing."""
    text = usd(amount)
    while len(text.partition(".")[2]) > 2 and text.endswith("0"):
        text = text[:-1]
    return text.removesuffix(".00")


def _ticks(top: float) -> list[float]:
    """Round values from 0 to at least `top`."""
    if top <= 0:
        return [0.0, 1.0]
    size = 10.0 ** math.floor(math.log10(top))
    step = next(s * size for s in (0.25, 0.5, 1.0, 2.5) if top / (s * size) <= 4.001)
    return [step * n for n in range(math.ceil(top / step - 1e-9) + 1)]
