"""Luck must not choose among plans that are nearly alike."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.learning.margin import falling, standard_error


def test_what_falls_already_is_left_as_it_is():
    scores = np.array([0.9, 0.9, 0.85, 0.6])
    np.testing.assert_allclose(falling(scores), scores)


def test_a_lucky_plan_is_judged_with_its_neighbours():
    fitted = falling(np.array([0.90, 0.84, 0.89, 0.70]))
    np.testing.assert_allclose(fitted, [0.90, 0.865, 0.865, 0.70])


def test_scores_that_only_rise_are_all_the_same():
    np.testing.assert_allclose(falling(np.array([0.1, 0.2, 0.6])), [0.3, 0.3, 0.3])


def test_a_gain_that_differs_by_dataset_is_less_sure():
    gain = np.repeat([0.2, 0.2, -0.2, -0.2], 100) + np.tile([0.01, -0.01], 200)
    same = standard_error(gain, ["one"] * 400)
    apart = standard_error(gain, np.repeat(["a", "b", "c", "d"], 100).tolist())
    assert same == pytest.approx(gain.std() / 20)
    assert apart == pytest.approx(0.2 / 3**0.5)


def test_few_datasets_say_nothing_of_how_far_apart_they_are():
    gain = np.repeat([0.2, 0.0, -0.2], 100)
    by_dataset = standard_error(gain, np.repeat(["a", "b", "c"], 100).tolist())
    assert by_dataset == pytest.approx(gain.std() / 300**0.5)


def test_datasets_that_are_alike_leave_the_error_of_prompts():
    gain = np.tile([1.0, -1.0], 200)
    names = np.repeat(["a", "b", "c", "d"], 100).tolist()
    assert standard_error(gain, names) == pytest.approx(0.05)
