"""Quality by cost as a plot: where its marks and their names stand. The templates draw it.

The frontier is a staircase: at a cost, the best that a model of that cost or less offers by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from tierwise.dashboard.charts import Tick, money


class Size(Struct, frozen=True, kw_only=True):
    """How large it is drawn, and how large its letters are, in the drawing's own units."""

    width: float
    height: float
    letters: float


WIDE = Size(width=720.0, height=270.0, letters=7.8)
NARROW = Size(width=360.0, height=290.0, letters=11.0)
"""For screens as narrow as a phone's, where the wide one's letters would be too small."""
_RADIUS = 5.0
_LETTER = 0.58
"""How wide a letter is on average, of its height."""
_LONGEST = 28
"""Of a name, in letters."""
_COVERS = 0.05
"""So much of its own size a name may cover of others, and of the edge, before it is left out."""


class Placed(Struct, frozen=True):
    """What costs so much a request, in USD, and does so well."""

    name: str
    cost: float
    quality: float
    routed: bool = False


class Dot(Struct, frozen=True, kw_only=True):
    """One point; `name_x`, `name_y` and `anchor` say where `label` goes.

    That is its name, shortened where it is long, or empty where it would cover others.
    """

    x: float
    y: float
    name: str
    label: str
    cost: float
    quality: float
    routed: bool
    name_x: float
    name_y: float
    anchor: str


class Plot(Struct, frozen=True, kw_only=True):
    """All of it; `frontier` are the corners of the staircase, and `area` closes it below."""

    size: Size
    dots: tuple[Dot, ...]
    frontier: str
    area: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    left: float
    right: float
    top: float
    base: float


class Box(Struct, frozen=True):
    """A part of the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> float:
        """How much of another it covers."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)


class _Scales:
    """Where a cost and a quality stand."""

    def __init__(self, shown: Sequence[Placed], size: Size) -> None:
        self.left, self.right = 4.6 * size.letters, size.width - 6.0
        self.top, self.base = 2.6 * size.letters, size.height - 3.6 * size.letters
        low, high = (math.log10(f(one.cost for one in shown)) for f in (min, max))
        pad = max(0.15, (high - low) * 0.08)
        self.low, self.high = low - pad, high + pad
        worst = min(one.quality for one in shown)
        best = max(one.quality for one in shown)
        self.worst = max(0.0, math.floor(20 * worst - 0.4) / 20)
        self.best = max(self.worst + 0.05, min(1.0, math.ceil(20 * best + 0.2) / 20))

    def x(self, cost: float) -> float:
        part = (math.log10(cost) - self.low) / (self.high - self.low)
        return self.left + part * (self.right - self.left)

    def y(self, quality: float) -> float:
        part = (quality - self.worst) / (self.best - self.worst)
        return self.base - part * (self.base - self.top)


def plot(placed: Sequence[Placed], size: Size = WIDE) -> Plot | None:
    """Quality over the logarithm of cost; None with less than two models to compare."""
    shown = [one for one in placed if one.cost > 0]
    if len(shown) < 2:
        return None
    scales = _Scales(shown, size)
    corners = _staircase([one for one in shown if not one.routed], scales)
    area = corners
    if corners:
        area = [(corners[0][0], scales.base), *corners, (corners[-1][0], scales.base)]
    return Plot(
        size=size,
        dots=_dots(shown, scales, size, corners),
        frontier=_points(corners),
        area=_points(area),
        across=_across(scales, size),
        up=_up(scales),
        left=scales.left,
        right=scales.right,
        top=scales.top,
        base=scales.base,
    )


def _staircase(models: Sequence[Placed], scales: _Scales) -> list[tuple[float, float]]:
    """Its corners from the cheapest model to the right edge; whoever is below it is left out."""
    corners: list[tuple[float, float]] = []
    best = -1.0
    for one in sorted(models, key=lambda p: (p.cost, -p.quality)):
        if one.quality <= best:
            continue
        best = one.quality
        if corners:
            corners.append((scales.x(one.cost), corners[-1][1]))
        corners.append((scales.x(one.cost), scales.y(one.quality)))
    if corners:
        corners.append((scales.right, corners[-1][1]))
    return corners


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _dots(
    shown: Sequence[Placed],
    scales: _Scales,
    size: Size,
    corners: Sequence[tuple[float, float]],
) -> tuple[Dot, ...]:
    """The points with their names, each where it covers least, if that is little.

    The router's comes first, then those of the frontier. The table names them all.
    """
    places = {id(one): (scales.x(one.cost), scales.y(one.quality)) for one in shown}
    taken = [
        Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places.values()
    ] + [
        Box(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1)
        for (a, b), (c, d) in pairwise(corners)
    ]
    within = Box(scales.left, 0.0, scales.right, scales.base)
    named: dict[int, tuple[str, tuple[float, float, str]]] = {}
    for one in sorted(shown, key=lambda p: (not p.routed, places[id(p)] not in corners, p.cost)):
        letters = size.letters * (1.15 if one.routed else 1.0)
        label = one.name if len(one.name) <= _LONGEST else f"{one.name[: _LONGEST - 1]}…"
        width = len(label) * letters * _LETTER
        at, box, covers = _name(places[id(one)], width, letters, taken, within)
        legible = one.routed or covers <= _COVERS * width * letters
        named[id(one)] = label if legible else "", at
        if legible:
            taken.append(box)
    return tuple(
        Dot(
            x=places[id(one)][0],
            y=places[id(one)][1],
            name=one.name,
            label=named[id(one)][0],
            cost=one.cost,
            quality=one.quality,
            routed=one.routed,
            name_x=named[id(one)][1][0],
            name_y=named[id(one)][1][1],
            anchor=named[id(one)][1][2],
        )
        for one in shown
    )


def _name(
    place: tuple[float, float], width: float, letters: float, taken: Sequence[Box], within: Box
) -> tuple[tuple[float, float, str], Box, float]:
    """Where a name goes, of the places around its point, its box there, and what that covers."""
    x, y = place
    away = _RADIUS + 3.0
    choices = []
    for rank, (side, line) in enumerate(
        (
            ("start", y - away),
            ("end", y - away),
            ("start", y + away + letters * 0.6),
            ("end", y + away + letters * 0.6),
            ("middle", y - away - 2.0),
            ("middle", y + away + letters),
            ("start", y - 2.4 * away),
            ("start", y + 2.4 * away),
        )
    ):
        at = {"start": x + 4.0, "end": x - 4.0, "middle": x}[side]
        left = {"start": at, "end": at - width, "middle": at - width / 2}[side]
        box = Box(left, line - letters * 0.8, left + width, line + letters * 0.25)
        covered = sum(box.covers(other) for other in taken)
        outside = width * letters - box.covers(within)
        covered += 4.0 * max(0.0, outside)
        choices.append((covered + rank, (at, line, side), box, covered))
    _, found, box, covered = min(choices, key=lambda choice: choice[0])
    return found, box, covered


def _across(scales: _Scales, size: Size) -> tuple[Tick, ...]:
    """Costs of 1, 2 and 5 times a power of ten, as many as there is room for."""
    lowest, highest = math.floor(scales.low), math.ceil(scales.high)
    for steps, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 4)):
        powers = range(lowest, highest + 1, every)
        costs = [step * 10.0**power for power in powers for step in steps]
        ticks = [
            Tick(scales.x(cost), money(cost))
            for cost in costs
            if scales.low <= math.log10(cost) <= scales.high
        ]
        room = max((len(tick.label) for tick in ticks), default=1) * size.letters * 0.75
        if all(b.at - a.at >= room for a, b in pairwise(ticks)):
            break
    return tuple(ticks)


def _up(scales: _Scales) -> tuple[Tick, ...]:
    count = round((scales.best - scales.worst) / 0.05)
    every = max(1, math.ceil(count / 6))
    values = [scales.worst + 0.05 * n for n in range(0, count + 1, every)]
    return tuple(Tick(scales.y(value), f"{value:.2f}") for value in values)
