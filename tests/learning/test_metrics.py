"""Figures against ones worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.learning.metrics import (
    calibration_error,
    interval,
    rank_intervals,
    rank_worth,
    weights,
)

STRONG = np.array([1.0, 1.0, 1.0, 1.0])
WEAK = np.array([0.0, 1.0, 0.0, 1.0])


def test_a_perfect_ranking_recovers_the_gap_with_half_of_the_calls():
    worth = rank_worth(np.array([4.0, 2.0, 3.0, 1.0]), STRONG, WEAK)
    # Recovered after 0 to 4 of 4 calls: 0, 1/2, 1, 1, 1; trapezoids over quarters.
    assert worth.apgr == pytest.approx((0.25 + 0.75 + 1 + 1) / 4)
    assert (worth.cpt50, worth.cpt80) == (25.0, 50.0)


def test_the_worst_ranking_is_the_mirror_of_the_perfect_one():
    worth = rank_worth(np.array([1.0, 3.0, 2.0, 4.0]), STRONG, WEAK)
    assert worth.apgr == pytest.approx(1 - (0.25 + 0.75 + 1 + 1) / 4)
    assert (worth.cpt50, worth.cpt80) == (75.0, 100.0)


def test_a_guess_recovers_half_on_the_average():
    random = np.random.default_rng(0)
    strong, weak = random.random(4000) < 0.9, random.random(4000) < 0.6
    worth = rank_worth(random.random(4000), strong.astype(float), weak.astype(float))
    assert worth.apgr == pytest.approx(0.5, abs=0.03)


def test_without_a_gap_a_ranking_is_worth_nothing():
    assert rank_worth(np.arange(4.0), WEAK, STRONG) is None
    assert rank_worth(np.arange(4.0), STRONG, STRONG) is None


def test_intervals_of_a_ranking_hold_its_worth():
    random = np.random.default_rng(1)
    strong, weak = np.ones(800), (random.random(800) < 0.6).astype(float)
    gain = random.normal(size=800) - weak
    worth = rank_worth(gain, strong, weak)
    found = rank_intervals(gain, strong, weak, random)
    for name in ("apgr", "cpt50", "cpt80"):
        low, high = found[name]
        assert low <= getattr(worth, name) <= high
        assert low < high


def test_calibration_error_is_the_gap_between_said_and_done():
    outcomes = np.array([[1.0], [0.0], [1.0], [0.0]])
    assert calibration_error(np.full((4, 1), 0.5), outcomes) == pytest.approx(0.0)
    assert calibration_error(np.full((4, 1), 0.8), outcomes) == pytest.approx(0.3)
    # Two bins, each off by 0.1 in its own direction, do not cancel.
    mixed = np.array([[0.9], [0.1], [0.9], [0.1]])
    assert calibration_error(mixed, outcomes) == pytest.approx(0.1)


def test_the_interval_of_a_mean_narrows_with_the_number_of_rows():
    random = np.random.default_rng(0)
    few, many = random.random(50), random.random(5000)
    (a, b), (c, d) = (interval(weights(len(values), random) @ values) for values in (few, many))
    assert a < few.mean() < b
    assert c < many.mean() < d
    assert d - c < (b - a) / 4
