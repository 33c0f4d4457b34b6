from __future__ import annotations

import numpy as np

from tierwise.routing.lineup import line_up
from tierwise.routing.sample import Sample

TASKS = 400
LARGE, SMALL = 0, 1


def a_sample(*models: tuple[np.ndarray, np.ndarray, float]) -> Sample:
    """Of (predicted, outcome, cost in USD) of each model."""
    predicted, outcome, costs = zip(*models, strict=True)
    return Sample(
        np.stack(predicted, axis=1),
        np.stack(outcome, axis=1),
        np.tile(costs, (TASKS, 1)),
    )


EASY = (np.arange(TASKS) % 2).astype(float)
FORESEEN_LARGE = (np.ones(TASKS), np.ones(TASKS), 1.0)
FORESEEN_SMALL = (EASY, EASY, 0.1)


def test_a_small_model_that_saves_joins_the_reference() -> None:
    assert line_up(a_sample(FORESEEN_LARGE, FORESEEN_SMALL), LARGE) == (LARGE, SMALL)


def test_a_model_that_is_never_worth_its_price_stays_out() -> None:
    dear = (np.ones(TASKS), np.ones(TASKS), 5.0)
    assert line_up(a_sample(FORESEEN_LARGE, dear), LARGE) == (LARGE,)


def test_a_model_whose_good_predictions_are_luck_stays_out() -> None:
    random = np.random.default_rng(0)
    ease = random.random(TASKS)
    small = (ease, (random.random(TASKS) < ease).astype(float), 0.1)
    lucky = (random.random(TASKS), (random.random(TASKS) < 0.3).astype(float), 0.1)
    found = line_up(a_sample(FORESEEN_LARGE, small, lucky, lucky), LARGE)
    assert found == (LARGE, SMALL)


def test_of_two_alike_one_is_enough() -> None:
    found = line_up(a_sample(FORESEEN_LARGE, FORESEEN_SMALL, FORESEEN_SMALL), LARGE)
    assert found == (LARGE, SMALL)


def test_without_costs_there_is_nothing_to_save() -> None:
    free = (np.ones(TASKS), np.ones(TASKS), 0.0)
    assert line_up(a_sample(free, (EASY, EASY, 0.0)), LARGE) == (LARGE,)
