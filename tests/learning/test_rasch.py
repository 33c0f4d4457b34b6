"""Abilities and difficulties on one scale, out of incomplete tables."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.learning.rasch import fit_rasch, sigmoid


def draw(ability, prompts=600, seed=0):
    random = np.random.default_rng(seed)
    difficulty = random.normal(0, 1.2, prompts)
    p = sigmoid(np.asarray(ability) - difficulty[:, None])
    return (random.random(p.shape) < p).astype(float), difficulty, p


def test_abilities_and_difficulties_come_out_in_order():
    outcomes, difficulty, _ = draw([-1.0, 0.0, 1.0, 2.0])
    found = fit_rasch(outcomes)
    assert np.all(np.diff(found.ability) > 0.4)
    assert np.corrcoef(found.difficulty, difficulty)[0, 1] > 0.6
    assert found.difficulty.mean() == pytest.approx(0.0, abs=1e-9)


def test_missing_cells_get_what_is_expected_and_others_stay():
    outcomes, _, p = draw([-1.0, 0.5, 1.5])
    holes = outcomes.copy()
    holes[300:, 0] = np.nan
    found = fit_rasch(holes)
    full = found.complete(holes)
    assert not np.isnan(full).any()
    np.testing.assert_array_equal(full[:300], outcomes[:300])
    assert full[300:, 0].mean() == pytest.approx(p[300:, 0].mean(), abs=0.06)


def test_models_of_two_sources_meet_by_a_model_that_both_have():
    # The second source is harder: by raw means `late` looks weaker than `early`, yet is stronger.
    random = np.random.default_rng(3)
    difficulty = np.concatenate([random.normal(-1, 0.7, 400), random.normal(1.5, 0.7, 400)])
    p = sigmoid(np.array([0.5, 0.0, 1.0]) - difficulty[:, None])
    outcomes = (random.random(p.shape) < p).astype(float)
    outcomes[400:, 1] = np.nan
    outcomes[:400, 2] = np.nan
    _, early, late = np.nanmean(outcomes, axis=0)
    assert early > late
    found = fit_rasch(outcomes, groups=["easy"] * 400 + ["hard"] * 400)
    assert found.ability[2] > found.ability[1] + 0.4


def test_a_model_that_is_always_right_has_a_finite_ability():
    found = fit_rasch(np.ones((50, 2)))
    assert np.isfinite(found.ability).all()
    assert (found.expected() > 0.9).all()


def test_a_group_that_is_always_right_has_a_finite_difficulty():
    outcomes = np.array([[1.0]] * 30 + [[0.4]] * 30)
    found = fit_rasch(outcomes, groups=["easy"] * 30 + ["hard"] * 30)
    assert found.difficulty[0] < found.difficulty[-1]
    assert np.abs(found.difficulty).max() < 5


def test_what_is_known_of_models_tells_a_hard_source_from_weak_models():
    random = np.random.default_rng(0)
    easy = (random.random((300, 1)) < 0.9).astype(float)
    hard = (random.random((300, 1)) < 0.5).astype(float)
    outcomes = np.full((600, 2), np.nan)
    outcomes[:300, :1], outcomes[300:, 1:] = easy, hard
    sources = ["easy"] * 300 + ["hard"] * 300
    strong_on_hard = fit_rasch(outcomes, sources, [0.6, 0.9])
    full = strong_on_hard.complete(outcomes)
    assert full[:300, 1].mean() > 0.95
    assert full[300:, 0].mean() < 0.3
    # A model of which nothing is known is fitted as ever.
    assert np.isfinite(fit_rasch(outcomes, sources, [0.6, None]).ability).all()
