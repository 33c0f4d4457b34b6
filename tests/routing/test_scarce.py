"""In a peak, tasks that lose least by it leave the model that everybody wants."""

from __future__ import annotations

import pytest

from tierwise.routing.weigh import weigh
from tierwise.types import Decision, Task

from .test_decide import EASY, HARD, a_router, a_task, order
from .test_weigh import TERMS, an_estimate

BUSY = {"large": 0.1}


def decide(task: Task | None = None, *, hard: bool, scarce: dict[str, float]) -> Decision:
    return a_router().decide(
        task or a_task(model="best"),
        HARD if hard else EASY,
        decision_id="d",
        now=1.0,
        latency={},
        scarce=scarce,
    )


def test_by_rules_an_easy_task_leaves_and_a_hard_one_stays() -> None:
    assert order(decide(hard=False, scarce={}))[0] == "large"
    assert order(decide(hard=False, scarce=BUSY))[0] == "middle"
    assert order(decide(hard=True, scarce=BUSY))[0] == "large"


def test_who_is_scarce_does_not_stand_behind_the_others() -> None:
    plan = decide(a_task(model="auto"), hard=False, scarce=BUSY).plan
    assert "large" not in [tier.model for tier in plan.tiers]
    assert "large" in plan.fallbacks


def test_the_decision_says_what_counted_against_whom() -> None:
    decision = decide(hard=False, scarce=BUSY)
    assert {one.model: one.scarcity for one in decision.candidates} == {
        "small": 0.0, "middle": 0.0, "large": 0.1,
    }  # fmt: skip
    large = next(one for one in decision.candidates if one.model == "large")
    assert large.estimate is not None
    assert large.estimate.quality > 0.9  # what is expected of it is still the same


@pytest.mark.parametrize(("busy", "first"), [(0.0, "large"), (0.05, "large"), (0.2, "small")])
def test_by_value_a_task_leaves_when_the_price_exceeds_its_gain(busy: float, first: str) -> None:
    estimates = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    scarce = {"large": busy} if busy else {}
    weighed = weigh(estimates, TERMS, 0.01, foreign=False, scarce=scarce)
    assert weighed.first == first
    assert weighed.values["large"] == pytest.approx(0.8 - busy)


def test_by_value_anybody_may_be_chosen_where_one_of_the_line_up_is_scarce() -> None:
    estimates = {
        "small": an_estimate(0.5, 0.001),
        "middle": an_estimate(0.75, 0.005),
        "large": an_estimate(0.9, 0.01),
    }
    assert weigh(estimates, TERMS, 0.01, foreign=False).first == "large"
    busy = {"large": 0.15}
    assert weigh(estimates, TERMS, 0.01, foreign=False, scarce=busy).first == "middle"
    # It is not in the line-up, so that nothing else opens the choice to it.
    assert weigh(estimates, TERMS, 0.01, foreign=False, scarce={"middle": 0.01}).first == "large"
