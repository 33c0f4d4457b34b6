"""λ runs from the best that can be had to the cheapest."""

from __future__ import annotations

import numpy as np

from tierwise.learning import choose
from tierwise.routing.sample import rates

QUALITY = np.array([[0.9, 0.8], [0.9, 0.3], [0.9, 0.95]])
COST = np.tile([0.010, 0.001], (3, 1))
BOTH = (0, 1)


def test_at_no_price_the_best_is_chosen_and_at_any_price_the_cheapest():
    prices = rates(0.010)
    chosen = choose.choices(QUALITY, COST, prices, BOTH)
    assert chosen[0].tolist() == [0, 0, 1]
    assert chosen[-1].tolist() == [1, 1, 1]
    assert np.all(np.diff(prices) > 0)


def test_in_between_those_move_first_that_lose_least():
    middle = choose.choices(QUALITY, COST, np.array([0.2 / 0.009]), BOTH)
    assert middle[0].tolist() == [1, 0, 1]


def test_the_cheapest_point_that_reaches_the_target_is_taken():
    score, cost = np.array([0.9, 0.88, 0.85, 0.6]), np.array([4.0, 3.0, 2.0, 1.0])
    assert choose.cheapest(score, cost, 0.86) == 1
    assert choose.cheapest(score, cost, 0.9) == 0
    assert choose.cheapest(score, cost, 0.95) is None


def test_a_curve_counts_what_was_recorded_and_not_what_was_predicted():
    scores = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    path = choose.curve(np.array([[0, 0, 1], [1, 1, 1]], np.int16), scores, COST)
    np.testing.assert_allclose(path.mean_score, [1.0, 2 / 3])
    np.testing.assert_allclose(path.mean_cost, [0.007, 0.001])
    assert path.small(0).tolist() == [1 / 3, 1.0]


def test_for_foreign_prompts_the_base_is_kept_unless_the_gain_is_sure():
    prices, base = np.array([0.0]), np.array([1])
    apart = np.zeros_like(QUALITY)
    known = choose.guarded(QUALITY, apart, COST, prices, base, np.zeros(3), BOTH)
    assert known[0].tolist() == [0, 0, 1]
    strange = choose.guarded(QUALITY, apart, COST, prices, base, np.ones(3), BOTH)
    assert strange[0].tolist() == [1, 1, 1]
    torn = choose.guarded(QUALITY, apart + 0.2, COST, prices, base, np.zeros(3), BOTH)
    assert torn[0].tolist() == [1, 0, 1]


def test_the_base_is_the_best_single_model_at_each_price():
    means, costs = np.array([0.9, 0.7]), np.array([0.010, 0.001])
    assert choose.bases(means, costs, np.array([0.0, 10.0, 100.0]), BOTH).tolist() == [0, 0, 1]


def test_only_models_of_the_line_up_are_chosen():
    prices = rates(0.010)
    assert set(choose.choices(QUALITY, COST, prices, (0,)).ravel()) == {0}
    base = np.ones(len(prices), np.intp)
    known = choose.guarded(QUALITY, np.zeros_like(QUALITY), COST, prices, base, np.zeros(3), (1,))
    assert set(known.ravel()) == {1}
