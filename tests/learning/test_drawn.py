"""Intervals of operating points, over resamples worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.learning.drawn import Drawn

QUALITY = np.array([[0.9, 0.8], [0.8, 0.8], [0.6, 0.7]])
COST = np.array([[4.0, 1.0], [4.0, 2.0], [4.0, 3.0]])
SMALL = np.array([[0.0, 1.0], [0.0, 0.5], [0.0, 0.5]])
DRAWN = Drawn(QUALITY, COST, SMALL, QUALITY[:, :1], COST[:, :1])


def test_the_best_point_is_found_anew_in_each_resample() -> None:
    found = DRAWN.cheapest(1.0)
    # In the first resample the second point falls short of the reference.
    assert found.cost_usd[:, 0].tolist() == [4.0, 2.0, 3.0]
    assert found.quality[:, 0].tolist() == [0.9, 0.8, 0.7]
    assert found.small[:, 0].tolist() == [0.0, 0.5, 0.5]


def test_resamples_without_a_point_that_reaches_the_fraction_are_left_out() -> None:
    beyond = DRAWN.cheapest(7 / 6)
    assert beyond.quality[:, 0].tolist() == [0.7]
    assert beyond.reference_quality[:, 0].tolist() == [0.6]
    none = DRAWN.cheapest(2.0).spans()[0]
    assert np.isnan(none["saving_interval"]).all()


def test_each_figure_is_of_its_own_resamples_and_relative_to_the_reference_there() -> None:
    reference, second = DRAWN.spans()
    assert reference["saving_interval"] == (0.0, 0.0)
    assert reference["quality_rel_interval"] == (1.0, 1.0)

    def middle(values: list[float]) -> tuple[float, float]:
        low, high = np.quantile(values, [0.025, 0.975])
        return pytest.approx((float(low), float(high)))

    assert second["quality_interval"] == middle([0.8, 0.8, 0.7])
    assert second["quality_rel_interval"] == middle([8 / 9, 1.0, 7 / 6])
    assert second["cost_usd_interval"] == middle([1.0, 2.0, 3.0])
    assert second["saving_interval"] == middle([0.75, 0.5, 0.25])
    assert second["small_share_interval"] == middle([1.0, 0.5, 0.5])


def test_over_a_reference_that_is_never_right_nothing_is_relative() -> None:
    nothing = Drawn(QUALITY, COST, SMALL, np.zeros((3, 1)), COST[:, :1])
    spans = nothing.spans()[1]
    assert np.isnan(spans["quality_rel_interval"]).all()
    assert spans["quality_interval"][0] > 0
