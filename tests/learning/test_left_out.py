"""A dataset that the router never saw: what the guard keeps, and what is lost all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tierwise.learning import evaluate as evaluation
from tierwise.learning.data import Options
from tierwise.learning.evaluate import evaluate
from tierwise.learning.left_out import left_out
from tierwise.learning.outcomes import Outcomes, Prompt
from tierwise.learning.result import Evaluation, LeftOut

from .conftest import questions

COSTS = {"big": 0.010, "a": 0.001, "b": 0.002}
FIGURES = (
    "quality", "cost_usd", "base_quality", "base_cost_usd", "loss", "constant_quality",
    "below_constant", "regret", "foreign",
)  # fmt: skip


@pytest.fixture(scope="module")
def misleading(tmp_path_factory: pytest.TempPathFactory, record: Callable[..., Path]) -> Path:
    """`a` does sums and `b` does works, as one learns; but of the twins of works, which read like
    them, only `a` does any, as it does most of all prompts together."""
    does = {"sums": ("big", "a"), "works": ("big", "b"), "twins": ("big", "a")}
    prompts: dict[str, str] = {}
    for prompt_id, text in questions(300, seed=11).items():
        sort, number = prompt_id.split("-")
        twin = sort == "works" and int(number) >= 75
        prompts[f"twins-{number}" if twin else prompt_id] = text
    rows = [
        (prompt_id, model, float(model in does[prompt_id.split("-")[0]]), cost)
        for prompt_id in prompts
        for model, cost in COSTS.items()
    ]
    return record(tmp_path_factory.mktemp("misleading") / "misleading", prompts, rows)


@pytest.fixture(scope="module")
def found(misleading: Path) -> Evaluation:
    return evaluate(Options(test=(misleading,), reference="big", leave_out=True))


def of(result: Evaluation, dataset: str) -> LeftOut:
    return next(one for one in result.left_out if one.dataset == dataset)


def test_in_foreign_traffic_the_guard_keeps_the_base_where_expectation_would_leave_it(
    misleading: Path, found: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = of(found, "twins")
    assert guarded.foreign > evaluation.FOREIGN_SHARE
    assert guarded.base == "a"
    monkeypatch.setattr(evaluation, "FOREIGN_SHARE", 1.0)
    result = evaluate(Options(test=(misleading,), reference="big", leave_out=True))
    trusting = of(result, "twins")
    assert trusting.base_quality == guarded.base_quality == 1.0
    assert guarded.quality > trusting.quality + 0.1


def test_what_a_router_loses_on_a_dataset_it_never_saw_is_counted(found: Evaluation) -> None:
    twins = of(found, "twins")
    # It asks `b`, which does none of them and costs more than the base `a`.
    assert twins.loss == pytest.approx(twins.base_quality - twins.quality)
    assert twins.loss > 0.1
    assert twins.best_model == "a"
    assert twins.regret == pytest.approx(1.0 - twins.quality)
    assert twins.loss_interval[0] > 0.05
    assert twins.regret_interval[0] > 0.05


def test_who_is_cheaper_than_the_base_loses_nothing_but_may_regret(found: Evaluation) -> None:
    sums = of(found, "sums")
    assert (sums.base, sums.loss, sums.loss_interval) == ("big", 0.0, (0.0, 0.0))
    assert sums.cost_usd < sums.base_cost_usd
    assert sums.quality < sums.base_quality
    assert sums.regret == pytest.approx(1.0 - sums.quality)


def test_every_figure_of_a_dataset_left_out_has_an_interval_that_holds_it(
    found: Evaluation,
) -> None:
    for one in found.left_out:
        for figure in FIGURES:
            low, high = getattr(one, f"{figure}_interval")
            assert low - 1e-12 <= getattr(one, figure) <= high + 1e-12
    low, high = of(found, "twins").quality_interval
    assert 0.05 < high - low < 0.5


def by_hand(pick: Sequence[int], base: int) -> LeftOut:
    """Four prompts: the middle model does half of them, the dear one three, the cheap one one."""
    scores = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    costs = np.tile([4.0, 2.0, 1.0], (4, 1))
    prompts = [Prompt(f"x-{row}", "?", "x", "", "x") for row in range(4)]
    outcomes = Outcomes(prompts, ("dear", "middle", "cheap"), scores, costs)
    strange = np.array([True, False, False, False])
    known = np.array([0.9, 0.6, 0.7])
    return left_out(
        "x", 0.99, outcomes, np.array(pick, np.int16), base, known, strange,
        np.random.default_rng(0),
    )  # fmt: skip


def test_a_router_as_dear_as_the_base_and_worse_loses_the_difference() -> None:
    # Right on the first alone, for 4 + 2 + 1 + 1 = the price of four middle ones.
    found = by_hand([0, 2, 2, 1], base=1)
    assert (found.quality, found.cost_usd) == (0.25, 2.0)
    assert (found.base, found.base_quality, found.base_cost_usd) == ("middle", 0.5, 2.0)
    assert found.loss == 0.25
    assert (found.best_model, found.regret) == ("middle", 0.25)
    assert found.foreign == 0.25


def test_the_best_by_training_at_the_router_s_cost_is_what_it_must_not_fall_below() -> None:
    # At the price of the middle one the cheap one was better in training, and is worse here.
    found = by_hand([0, 2, 2, 1], base=1)
    assert (found.constant, found.constant_quality) == ("cheap", 0.25)
    assert found.below_constant == 0.0
    # Right on none of them; the cheap one is right once.
    found = by_hand([2, 2, 2, 1], base=0)
    assert (found.constant, found.below_constant) == ("cheap", 0.25)
    assert found.below_constant_interval[1] > 0.25
    # At the price of the dear one it was best in training, too.
    assert by_hand([0, 0, 0, 0], base=2).constant == "dear"


def test_the_best_in_hindsight_costs_no_more_than_the_router() -> None:
    found = by_hand([2, 2, 2, 1], base=0)
    assert (found.quality, found.cost_usd) == (0.0, 1.25)
    # The base would have been better, at more than three times the price.
    assert found.loss == 0.0
    assert (found.best_model, found.regret) == ("cheap", 0.25)
    assert found.regret_interval[1] > 0.25


def test_a_router_better_than_every_model_loses_and_regrets_nothing() -> None:
    found = by_hand([0, 0, 0, 2], base=0)
    assert found.quality == 1.0
    assert (found.loss, found.regret) == (0.0, 0.0)
    assert found.regret_interval == (0.0, 0.0)
