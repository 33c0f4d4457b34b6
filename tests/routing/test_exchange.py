from __future__ import annotations

import numpy as np
import pytest

from tierwise.routing import exchange as exchange_module
from tierwise.routing.exchange import Exchange, solve
from tierwise.routing.sample import Sample

SMALL, LARGE = 0, 1
COSTS = np.tile([0.1, 1.0], (4, 1))
# The small model is right on the first two tasks; the large one on all but the last.
OUTCOME = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
FORESEEN = Sample(OUTCOME, OUTCOME, COSTS)


def test_the_full_target_keeps_the_large_model_only_where_it_is_better() -> None:
    rate = solve(FORESEEN, LARGE, 1.0, caution=0.0)
    assert rate.reaches
    assert rate.quality == pytest.approx(0.75)
    assert rate.cost_usd == pytest.approx((0.1 * 3 + 1.0) / 4)


def test_a_lower_target_buys_less() -> None:
    rate = solve(FORESEEN, LARGE, 0.6, caution=0.0)
    assert rate.quality == pytest.approx(0.5)
    assert rate.cost_usd == pytest.approx(0.1)
    assert rate.per_usd > solve(FORESEEN, LARGE, 1.0, caution=0.0).per_usd


def test_outcomes_count_and_not_what_was_predicted_of_them() -> None:
    # By its predictions the small model reaches 0.9 of the large one; what came out says 0.67.
    dreamt = Sample(np.tile([0.9, 1.0], (4, 1)), OUTCOME, COSTS)
    rate = solve(dreamt, LARGE, 0.9, caution=0.0)
    assert rate.quality == pytest.approx(0.75)
    assert rate.cost_usd == pytest.approx(1.0)


def test_a_small_sample_must_meet_the_target_with_a_margin() -> None:
    # The small model is right on 2 of 4 where 1.8 are wanted: more than enough, if four tasks
    # could tell. On many tasks of the same sort the margin is small.
    cautious = solve(FORESEEN, LARGE, 0.6)
    assert cautious.quality == pytest.approx(0.75)
    many = Sample(*(np.tile(part, (200, 1)) for part in (OUTCOME, OUTCOME, COSTS)))
    assert solve(many, LARGE, 0.6).quality == pytest.approx(0.5)


def test_a_target_beyond_reach_gets_the_best_there_is_and_says_so() -> None:
    rate = solve(FORESEEN, LARGE, 1.2, caution=0.0)
    assert not rate.reaches
    assert rate.quality == pytest.approx(0.75)


def test_the_base_is_the_best_single_model_at_the_rate() -> None:
    easy = Sample(*(np.tile(part[:3], (50, 1)) for part in (OUTCOME, OUTCOME, COSTS)))
    hard = Sample(*(np.tile(part[2:], (50, 1)) for part in (OUTCOME, OUTCOME, COSTS)))
    names = ("small", "large")
    assert Exchange(easy, names).terms(names, "large", 0.6).base == "small"
    assert Exchange(hard, names).terms(names, "large", 1.0).base == "large"


def test_the_base_is_one_of_the_line_up_however_cheap_another_is() -> None:
    random = np.random.default_rng(0)
    outcome = (random.random((500, 3)) < (0.9, 0.85, 0.3)).astype(float)
    costs = np.tile([1.0, 0.1, 0.001], (500, 1))
    names = ("large", "small", "tiny")
    predicted = np.tile([0.9, 0.85, 0.3], (500, 1))
    terms = Exchange(Sample(predicted, outcome, costs), names).terms(names, "large", 0.8)
    assert terms.line_up == ("large", "small")
    assert terms.base == "small"


def test_a_reference_that_may_not_be_asked_still_sets_the_target() -> None:
    models = ("small", "large", "best")
    outcome = np.column_stack([OUTCOME, np.ones(4)])
    costs = np.column_stack([COSTS, np.full(4, 9.0)])
    exchange = Exchange(Sample(outcome, outcome, costs), models)
    # 0.75 of the best one's 1.0 is all that the large model can do.
    terms = exchange.terms(("small", "large"), "best", 0.75)
    assert terms.rate.reaches
    assert terms.rate.quality == pytest.approx(0.75)
    assert terms.base in ("small", "large")
    assert not exchange.terms(("small", "large"), "best", 0.9).rate.reaches


def test_a_sample_is_walked_once_whatever_targets_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks: list[int] = []
    original = exchange_module.walk

    def walk(sample: Sample, reference: int) -> exchange_module.Path:
        walks.append(reference)
        return original(sample, reference)

    monkeypatch.setattr(exchange_module, "walk", walk)
    sample = Sample(*(np.tile(part, (200, 1)) for part in (OUTCOME, OUTCOME, COSTS)))
    exchange = Exchange(sample, ("small", "large"))
    first = exchange.terms(("small", "large"), "large", 1.0)
    assert exchange.terms(("small", "large"), "large", 1.0) == first
    assert exchange.terms(("small", "large"), "large", 0.1) != first
    assert len(walks) == 1


@pytest.mark.parametrize("target", [0.3, 0.8, 0.95, 1.0, 1.1])
@pytest.mark.parametrize("caution", [0.0, 1.0])
def test_the_walk_knows_the_margin_as_the_tasks_themselves_do(
    target: float, caution: float
) -> None:
    random = np.random.default_rng(4)
    outcome = (random.random((300, 3)) < (0.5, 0.7, 0.9)).astype(float)
    costs = random.random((300, 3)) * (0.1, 0.5, 2.0)
    sample = Sample(outcome * 0.5 + random.random((300, 3)) * 0.5, outcome, costs)
    found = solve(sample, 2, target, caution=caution)
    reached = []
    for rate in exchange_module.walk(sample, 2).rates:
        chosen = np.argmax(sample.predicted - rate * costs, axis=1)
        over = outcome[np.arange(300), chosen] - target * outcome[:, 2]
        if over.mean() - caution * over.std() / np.sqrt(300) >= -1e-12:
            reached.append(costs[np.arange(300), chosen].mean())
    assert found.reaches == bool(reached)
    if reached:
        assert found.cost_usd == pytest.approx(min(reached))
