"""Quality by cost as a plot: the staircase of single models, and names that cover nothing."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from tierwise.dashboard.plot import NARROW, WIDE, Box, Placed, Plot, Size, plot


def drawn(*placed: Placed, size: Size = WIDE) -> Plot:
    found = plot(placed, size)
    assert found is not None
    return found


def corners(found: Plot) -> list[tuple[float, ...]]:
    return [tuple(float(n) for n in one.split(",")) for one in found.frontier.split()]


def test_the_frontier_is_a_staircase_without_whoever_is_dearer_and_worse() -> None:
    found = drawn(
        Placed("cheap", 0.001, 0.7),
        Placed("worse", 0.005, 0.6),
        Placed("best", 0.01, 0.9),
        Placed("Tierwise", 0.002, 0.88, routed=True),
    )
    place = {dot.name: (round(dot.x, 1), round(dot.y, 1)) for dot in found.dots}
    cheap, best = place["cheap"], place["best"]
    assert corners(found) == [cheap, (best[0], cheap[1]), best, (found.right, best[1])]


def test_dearer_is_further_right_and_better_is_higher() -> None:
    found = drawn(Placed("a", 0.001, 0.7), Placed("b", 0.01, 0.9))
    a, b = found.dots
    assert a.x < b.x
    assert a.y > b.y
    for dot in found.dots:
        assert found.left < dot.x < found.right
        assert found.top <= dot.y < found.base


def test_one_model_alone_is_no_plot() -> None:
    assert plot([Placed("only", 0.001, 0.7)]) is None
    assert plot([Placed("a", 0.0, 0.7), Placed("b", 0.0, 0.7)]) is None


def test_equal_models_are_still_drawn() -> None:
    found = drawn(*(Placed(name, 0.001, 1.0) for name in ("a", "b")))
    assert len(corners(found)) == 2


def test_a_router_without_models_has_no_staircase() -> None:
    found = drawn(*(Placed(name, 0.001, 0.9, routed=True) for name in ("a", "b")))
    assert found.frontier == ""
    assert found.area == ""


def box(dot: object, letters: float) -> Box:
    name, x, y = dot.label, dot.name_x, dot.name_y  # type: ignore[attr-defined]
    width = 0.5 * letters * len(name)
    left = {"start": x, "end": x - width, "middle": x - width / 2}[dot.anchor]  # type: ignore[attr-defined]
    return Box(left, y - 0.7 * letters, left + width, y)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_names_of_models_that_stand_close_together_do_not_cover_each_other(size: Size) -> None:
    models = [
        Placed("gpt-nano", 0.00002, 0.65),
        Placed("gpt-mini", 0.00010, 0.88),
        Placed("flash-lite", 0.00012, 0.89),
        Placed("haiku-small", 0.00013, 0.885),
        Placed("opus", 0.01, 0.99),
        Placed("Tierwise", 0.0004, 0.95, routed=True),
    ]
    found = drawn(*models, size=size)
    assert [dot.label for dot in found.dots] == [one.name for one in models]
    names = [box(dot, size.letters) for dot in found.dots]
    for one, other in combinations(names, 2):
        assert one.covers(other) == 0
    for one in names:
        assert one.left >= 0
        assert one.right <= size.width


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_of_hundreds_of_models_those_are_named_whose_names_can_be_read(size: Size) -> None:
    crowd = [Placed(f"model-{n}", 0.001 * 1.01**n, 0.5 + 0.001 * n) for n in range(200)]
    best = Placed("vendor/a-name-that-is-longer-than-its-place", 0.05, 0.95)
    router = Placed("Tierwise", 0.002, 0.9, routed=True)
    found = drawn(*crowd, best, router, size=size)
    assert len(found.dots) == 202
    named = {dot.name: dot for dot in found.dots if dot.label}
    assert router.name in named
    assert named[best.name].label == "vendor/a-name-that-is-longe…"
    assert len(named) < 60
    for one, other in combinations([box(dot, size.letters) for dot in named.values()], 2):
        smaller = min((b.right - b.left) * (b.bottom - b.top) for b in (one, other))
        assert one.covers(other) <= 0.2 * smaller


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_marks_of_an_axis_have_room(size: Size) -> None:
    found = drawn(Placed("a", 0.0000001, 0.1), Placed("b", 10.0, 0.9), size=size)
    places = [tick.at for tick in found.across]
    assert len(places) >= 2
    assert min(b - a for a, b in pairwise(places)) >= size.letters * 3
