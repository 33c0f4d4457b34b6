"""Figures as people read them, and where the marks of a chart stand."""

from __future__ import annotations

import pytest

from tierwise.dashboard import charts, words


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (1234.5, "$1,234"),
        (12.345, "$12.35"),
        (0.1234, "$0.123"),
        (0.00012345, "$0.000123"),
        (-0.5, "−$0.500"),
    ],
)
def test_money_has_the_digits_that_tell_something(amount: float | None, text: str) -> None:
    assert words.usd(amount) == text


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.0001, "< 1 ms"), (0.25, "250 ms"), (3.21, "3.2 s"), (600, "10 min"), (7200, "2.0 h")],
)
def test_times_have_the_unit_that_fits(time_s: float, text: str) -> None:
    assert words.seconds(time_s) == text


def test_a_column_is_as_high_as_what_was_spent_and_saved() -> None:
    chart = charts.columns([charts.Slot("a", 1.0, 4.0, 1), charts.Slot("b", 2.0, 1.0, 1)])
    first, second = chart.columns
    assert first.saved_height == pytest.approx(3 * first.spent_height)
    assert first.saved_y + first.saved_height == pytest.approx(first.spent_y)
    assert second.spent_height == pytest.approx(2 * first.spent_height)
    assert second.saved_height == 0  # it has cost more than the reference
    assert chart.up[-1].at <= first.saved_y
    assert chart.up[0].label == "$0"


def test_nothing_spent_is_a_chart_without_columns_in_it() -> None:
    chart = charts.columns([charts.Slot("a", 0.0, 0.0, 0)])
    assert chart.columns[0].spent_height == 0


def test_the_frontier_leaves_out_whoever_is_dearer_and_worse() -> None:
    plot = charts.plot(
        [
            charts.Placed("cheap", 0.001, 0.7),
            charts.Placed("worse", 0.005, 0.6),
            charts.Placed("best", 0.01, 0.9),
            charts.Placed("Tierwise", 0.002, 0.88, routed=True),
        ]
    )
    assert plot is not None
    corners = plot.frontier.split()
    place = {dot.name: f"{dot.x:.1f},{dot.y:.1f}" for dot in plot.dots}
    assert corners == [place["cheap"], place["best"]]
    assert all(0 < dot.x < plot.width and 0 < dot.y < plot.base for dot in plot.dots)


def test_one_model_alone_is_no_plot() -> None:
    assert charts.plot([charts.Placed("only", 0.001, 0.7)]) is None
    assert charts.plot([charts.Placed("a", 0.0, 0.7), charts.Placed("b", 0.0, 0.7)]) is None


def test_equal_models_are_still_drawn() -> None:
    same = [charts.Placed(name, 0.001, 1.0) for name in ("a", "b")]
    assert charts.plot(same) is not None
