"""What gates' verdicts are worth, fitted to labelled answers."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.errors import ConfigError
from tierwise.gates.combine import at, chance
from tierwise.learning.calibrate import Labelled, _table, chances, fit, join, predict, rising

pytest.importorskip("sklearn")
Vector = np.ndarray


def answers(count: int, seed: int = 0) -> tuple[list[Labelled], Vector]:
    """Answers, and their true P(right): `good` tells half of it, `noise` nothing, the router half.

    `good` is badly scaled (the square of a probability), and silent on a fifth of the answers.
    """
    random = np.random.default_rng(seed)
    easy, sure = random.normal(0.5, 1.0, count), random.normal(0.0, 1.5, count)
    true = np.array([chance(float(x)) for x in easy + sure])
    found = []
    for row in range(count):
        verdicts = {"noise": float(random.uniform(0.01, 0.99))}
        if random.random() < 0.8:
            verdicts["good"] = max(1e-3, chance(float(sure[row])) ** 2)
        right = float(random.random() < true[row])
        found.append(Labelled(verdicts=verdicts, right=right, expected=chance(float(easy[row]))))
    return found, true


def test_a_combination_predicts_nearly_what_is_true() -> None:
    combination = fit(answers(2000)[0])
    fresh, true = answers(1500, seed=1)
    said = np.array([predict(answer, combination) for answer in fresh])
    heard = np.array(["good" in answer.verdicts for answer in fresh])
    assert np.corrcoef(said[heard], true[heard])[0, 1] > 0.95
    right = np.array([answer.right for answer in fresh])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (said >= low) & (said < high)
        assert said[inside].mean() == pytest.approx(right[inside].mean(), abs=0.06)


def test_a_gate_that_knows_nothing_gets_no_weight() -> None:
    weight = {gate.gate: gate.weight for gate in fit(answers(2000)[0]).gates}
    assert weight["good"] > 0.6
    assert weight["noise"] < 0.3 * weight["good"]


def test_a_gate_s_curve_makes_its_scale_right() -> None:
    random = np.random.default_rng(0)
    true = random.random(3000)
    curve = rising(true**3, (random.random(3000) < true).astype(float))
    for p in (0.2, 0.5, 0.8):
        assert at(curve, p**3) == pytest.approx(p, abs=0.07)


@pytest.mark.parametrize("rare", [0.01, 0.99], ids=["below the others", "above"])
def test_a_gate_that_fires_seldom_and_is_right_keeps_a_step_of_its_own(rare: float) -> None:
    """40 of 4,000 answers, a hundredth of what a step is wide else."""
    random = np.random.default_rng(0)
    p = np.where(np.arange(4000) < 40, rare, 0.5)
    right = (random.random(4000) < np.where(p == 0.5, 0.5, rare)).astype(float)
    curve = rising(p, right)
    assert at(curve, rare) == pytest.approx(rare, abs=0.06)
    assert at(curve, 0.5) == pytest.approx(0.5, abs=0.05)


def test_a_curve_rises_and_keeps_the_best_scores_apart() -> None:
    random = np.random.default_rng(0)
    x = random.random(400)
    curve = rising(x, (random.random(400) < 0.2 + 0.6 * x).astype(float))
    assert list(curve.y) == sorted(curve.y)
    best = np.sort(x)[-5:]
    assert len({at(curve, float(value)) for value in best}) == 5
    assert 0 < curve.y[0] < curve.y[-1] < 1


def test_hard_failures_are_not_learned_from() -> None:
    good, _ = answers(400)
    broken = [Labelled(verdicts={"good": 0.0}, right=0.0) for _ in range(400)]
    assert fit([*good, *broken]) == fit(good)


def test_every_fit_of_the_same_answers_is_the_same() -> None:
    found, _ = answers(300)
    assert fit(found) == fit(found)


@pytest.mark.parametrize("right", [None, 0.0, 1.0], ids=["few", "all wrong", "all right"])
def test_too_little_to_learn_from_is_an_error_that_says_what_is_needed(right) -> None:
    found, _ = answers(60 if right is None else 300)
    if right is not None:
        found = [Labelled(verdicts=answer.verdicts, right=right) for answer in found]
    with pytest.raises(ConfigError, match="At least 100 are needed, 10 of them right"):
        fit(found)


def test_many_answers_at_once_get_what_each_would_get_in_the_gateway() -> None:
    known, _ = answers(400)
    # One of them is the only one of which a third gate said something, and two have no expectation.
    known[0] = Labelled(verdicts={**known[0].verdicts, "rare": 0.4}, right=1.0)
    known[1] = Labelled(verdicts={"rare": 0.4}, right=0.0)
    said = _table(known)
    combination = join(said, np.array([one.right for one in known]))
    assert chances(combination, said) == pytest.approx(
        [predict(one, combination) for one in known]
    )  # fmt: skip
    unheard = said.rows(np.arange(2, 400))
    assert chances(combination, unheard) == pytest.approx(
        [predict(one, combination) for one in known[2:]]
    )
