"""Where the marks of a chart stand. The templates draw them, and write the same as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from tierwise.dashboard.words import usd

WIDTH, HEIGHT, PLOT_HEIGHT = 720.0, 170.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 4.0, 8.0, 20.0


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
    """A chart of columns, `base` is the height of zero."""

    columns: tuple[Column, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    base: float
    width: float = WIDTH
    height: float = HEIGHT


class Slot(Struct, frozen=True):
    """What one column stands for, money in USD."""

    label: str
    spent: float
    reference: float
    requests: int


def columns(slots: Sequence[Slot]) -> Columns:
    """A column for each slot, in their order."""
    top = max([max(slot.spent, slot.reference) for slot in slots], default=0.0)
    ticks = _ticks(top)
    scale = (HEIGHT - _TOP - _BOTTOM) / (ticks[-1] or 1.0)
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(slots))
    base = HEIGHT - _BOTTOM
    made = []
    for place, slot in enumerate(slots):
        saved = slot.reference - slot.spent
        spent, more = slot.spent * scale, max(0.0, saved) * scale
        made.append(
            Column(
                x=_LEFT + (place + 0.5) * step - min(step * 0.72, 30.0) / 2,
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
    every = max(1, math.ceil(len(slots) / 8))
    return Columns(
        columns=tuple(made),
        across=tuple(Tick(c.x + c.width / 2, c.label) for c in made[::every]),
        up=tuple(Tick(base - value * scale, _money(value)) for value in ticks),
        base=base,
    )


class Dot(Struct, frozen=True, kw_only=True):
    """One point of a plot; `left` and `above` say where its name goes."""

    x: float
    y: float
    name: str
    cost: float
    quality: float
    routed: bool = False
    left: bool = False
    above: bool = False


class Plot(Struct, frozen=True, kw_only=True):
    """Quality by cost; `frontier` are the corners of the best that single models offer."""

    dots: tuple[Dot, ...]
    frontier: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    base: float
    left: float = _LEFT
    width: float = WIDTH
    height: float = PLOT_HEIGHT


class Placed(Struct, frozen=True):
    """What costs so much a request, in USD, and does so well."""

    name: str
    cost: float
    quality: float
    routed: bool = False


def plot(placed: Sequence[Placed]) -> Plot | None:
    """Quality over the logarithm of cost; None with less than two models to compare."""
    shown = [one for one in placed if one.cost > 0]
    if len(shown) < 2:
        return None
    height = PLOT_HEIGHT
    low, high = (math.log10(f(one.cost for one in shown)) for f in (min, max))
    pad = max(0.15, (high - low) * 0.08)
    low, high = low - pad, high + pad
    worst = max(0.0, math.floor(20 * min(one.quality for one in shown) - 0.4) / 20)
    best = min(1.0, math.ceil(20 * max(one.quality for one in shown) + 0.2) / 20)
    base = height - _BOTTOM

    def x(cost: float) -> float:
        return _LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - _LEFT - 2 * _RIGHT)

    def y(quality: float) -> float:
        return base - (quality - worst) / (best - worst or 1.0) * (base - _TOP - 8)

    front: list[Placed] = []
    for one in sorted(shown, key=lambda p: (p.cost, -p.quality)):
        if not one.routed and (not front or one.quality > front[-1].quality):
            front.append(one)
    above = _above([(one.name, x(one.cost), y(one.quality)) for one in shown if not one.routed])
    corners = [f"{x(one.cost):.1f},{y(one.quality):.1f}" for one in front]
    decades = [10.0**n for n in range(math.ceil(low), math.floor(high) + 1)]
    steps = [2.0 * d for d in (10.0 ** math.floor(low), *decades)] + [
        5.0 * d for d in (10.0 ** math.floor(low), *decades)
    ]
    marks = sorted({*decades, *(steps if len(decades) < 3 else [])})
    across = [Tick(x(m), _money(m)) for m in marks if low <= math.log10(m) <= high]
    count = round((best - worst) / 0.05)
    every = max(1, math.ceil(count / 6))
    return Plot(
        dots=tuple(
            Dot(
                x=x(one.cost),
                y=y(one.quality),
                name=one.name,
                cost=one.cost,
                quality=one.quality,
                routed=one.routed,
                left=x(one.cost) > WIDTH * 0.75,
                above=one.routed or one.name in above,
            )
            for one in shown
        ),
        frontier=" ".join(corners),
        across=tuple(across),
        up=tuple(
            Tick(y(worst + 0.05 * n), f"{worst + 0.05 * n:.2f}") for n in range(0, count + 1, every)
        ),
        base=base,
        height=height,
    )


def _above(dots: Sequence[tuple[str, float, float]]) -> set[str]:
    """Of dots that stand close together, every other one: their names would cover each other."""
    above: set[str] = set()
    ordered = sorted(dots, key=lambda dot: dot[1])
    for (before, x, y), (name, to_x, to_y) in pairwise(ordered):
        if to_x - x < 80 and abs(to_y - y) < 14 and before not in above:
            above.add(name)
    return above


def _money(amount: float) -> str:
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
