from __future__ import annotations

from typing import Any

import pytest

from tierwise.routing.exchange import Rate, Terms
from tierwise.routing.weigh import STAY, TIE, weigh
from tierwise.types import Estimate, Weights

RATE = Rate(per_usd=10.0, quality=0.8, cost_usd=0.01, cost_share=0.5, reaches=True)
TERMS = Terms(rate=RATE, base="small", line_up=("large", "small"))


def an_estimate(quality: float, cost_usd: float, **changes: Any) -> Estimate:
    values: dict[str, Any] = {
        "quality": quality,
        "quality_low": quality,
        "cost_usd": cost_usd,
        "cost_p90_usd": cost_usd,
        "ttft_s": 0.5,
        "latency_s": 1.0,
    }
    return Estimate(**{**values, **changes})


def test_the_highest_value_goes_first() -> None:
    estimates = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    weighed = weigh(estimates, TERMS, 0.01, foreign=False)
    assert weighed.values == pytest.approx({"small": 0.69, "large": 0.80})
    assert weighed.first == "large"
    assert "+0.110 over small" in weighed.guard


def test_a_tie_stays_with_the_base() -> None:
    estimates = {
        "small": an_estimate(0.7, 0.001),
        "large": an_estimate(0.79 + TIE / 2, 0.01),
    }
    weighed = weigh(estimates, TERMS, 0.01, foreign=False)
    assert weighed.values["large"] > weighed.values["small"]
    assert weighed.first == "small"
    assert "no model is worth leaving small for" in weighed.guard


def test_in_foreign_traffic_only_a_sure_gain_leaves_the_base() -> None:
    base = an_estimate(0.7, 0.001)
    sure = an_estimate(0.9, 0.01)
    doubtful = an_estimate(0.9, 0.01, quality_low=0.6)
    strange = an_estimate(0.9, 0.01, novelty=0.9)
    assert weigh({"small": base, "large": sure}, TERMS, 0.01, foreign=True).first == "large"
    for doubted in (doubtful, strange):
        estimates = {"small": base, "large": doubted}
        assert weigh(estimates, TERMS, 0.01, foreign=False).first == "large"
        weighed = weigh(estimates, TERMS, 0.01, foreign=True)
        assert weighed.first == "small"
        assert weighed.guard.startswith("in foreign traffic")


def test_without_recorded_costs_only_proportions_count() -> None:
    rate = Rate(10.0, 0.8, 0.01, 0.5, True, reference_cost_usd=0.01)
    terms = Terms(rate, "small", ("large", "small"))
    short = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    long = {"small": an_estimate(0.7, 0.1), "large": an_estimate(0.9, 1.0)}
    assert weigh(short, terms, 0.01, foreign=False).values == pytest.approx(
        weigh(long, terms, 1.0, foreign=False).values
    )


def test_a_model_outside_the_line_up_is_not_chosen_however_well_it_is_spoken_of() -> None:
    estimates = {
        "small": an_estimate(0.7, 0.001),
        "large": an_estimate(0.75, 0.001),
        "lucky": an_estimate(0.99, 0.001),
    }
    weighed = weigh(estimates, TERMS, 0.01, foreign=False)
    assert weighed.first == "large"
    assert weighed.values["lucky"] > weighed.values["large"]


def test_a_conversation_stays_with_its_model_unless_leaving_gains_more_than_a_little() -> None:
    estimates = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.8, 0.01)}
    near, far = (
        {**estimates, "other": an_estimate(0.8 - gap, 0.01)} for gap in (STAY * 0.9, STAY * 1.1)
    )
    terms = Terms(RATE, "small", ("large", "other"))
    stays = weigh(near, terms, 0.01, foreign=False, holder="other")
    assert stays.first == "other"
    assert stays.guard.endswith("kept for the conversation")
    assert weigh(far, terms, 0.01, foreign=False, holder="other").first == "large"
    assert weigh(near, terms, 0.01, foreign=False).first == "large"


def test_waiting_counts_as_much_as_the_policy_says() -> None:
    quick = an_estimate(0.8, 0.001, latency_s=1.0)
    slow = an_estimate(0.85, 0.001, latency_s=11.0)
    estimates = {"quick": quick, "slow": slow}
    terms = Terms(RATE, "quick", ("quick", "slow"))
    hasty = Weights(latency=0.001)
    assert weigh(estimates, terms, 0.01, foreign=False).first == "slow"
    weighed = weigh(estimates, terms, 0.01, foreign=False, weights=hasty)
    assert weighed.first == "quick"
    assert weighed.values["slow"] == pytest.approx(0.85 - 10 * (0.001 + 0.011))


def test_cost_counts_as_much_as_the_policy_says() -> None:
    estimates = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    thrifty = weigh(estimates, TERMS, 0.01, foreign=False, weights=Weights(cost=3.0))
    assert thrifty.first == "small"


def test_a_conversation_can_stay_with_a_model_outside_the_line_up() -> None:
    estimates = {
        "small": an_estimate(0.7, 0.001),
        "large": an_estimate(0.8, 0.01),
        "stand-in": an_estimate(0.8 - STAY / 2, 0.01),
    }
    weighed = weigh(estimates, TERMS, 0.01, foreign=False, holder="stand-in")
    assert weighed.first == "stand-in"
    assert "kept for the conversation" in weighed.guard


def test_a_specialist_may_be_chosen_in_its_own_field() -> None:
    estimates = {
        "small": an_estimate(0.7, 0.001),
        "large": an_estimate(0.75, 0.001),
        "ledger": an_estimate(0.9, 0.001),
    }
    assert weigh(estimates, TERMS, 0.01, foreign=False).first == "large"
    weighed = weigh(estimates, TERMS, 0.01, foreign=False, specialists=["ledger"])
    assert weighed.first == "ledger"


def test_the_rate_that_is_told_is_the_one_that_was_applied() -> None:
    terms = Terms(
        Rate(10.0, 0.8, 0.01, 0.5, True, reference_cost_usd=0.02), "small", ("small", "large")
    )
    estimates = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    weighed = weigh(estimates, terms, 0.01, foreign=False)
    assert weighed.per_usd == pytest.approx(20.0)
    assert weighed.values["large"] == pytest.approx(0.9 - weighed.per_usd * 0.01)
