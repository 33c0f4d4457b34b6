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
        (1e-17, "$0"),
    ],
)
def test_money_has_the_digits_that_tell_something(amount: float | None, text: str) -> None:
    assert words.usd(amount) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (None, "–"), (0.0, "0 %"), (0.004, "< 1 %"), (0.5, "50 %"), (0.998, "> 99 %"),
        (1.0, "100 %"), (-0.004, "0 %"), (-0.5, "−50 %"), (1.5, "150 %"),
    ],
)  # fmt: skip
def test_almost_nothing_is_not_called_nothing_nor_almost_all_all(
    fraction: float | None, text: str
) -> None:
    assert words.percent(fraction) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.0, "±0 %"), (1.003, "+0.3 %"), (0.95, "−5.0 %"), (0.13, "−87 %"), (2.0, "+100 %")],
)
def test_a_change_has_its_sign(ratio: float, text: str) -> None:
    assert words.change(ratio) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.8, "$0.80"), (0.075, "$0.075"), (10, "$10.00"), (2.4, "$2.40")],
)
def test_prices_are_as_in_lists_of_prices(amount: float, text: str) -> None:
    assert words.price(amount) == text


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.0001, "< 1 ms"), (0.25, "250 ms"), (3.21, "3.2 s"), (600, "10 min"), (7200, "2.0 h")],
)
def test_times_have_the_unit_that_fits(time_s: float, text: str) -> None:
    assert words.seconds(time_s) == text


def test_a_day_is_not_to_be_taken_for_a_month() -> None:
    assert words.day(1_605_139_200.0) == "Nov 12"


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
