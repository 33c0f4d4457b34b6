from __future__ import annotations

from typing import Any

import pytest

from tierwise.routing.exchange import Rate
from tierwise.routing.weigh import TIE, weigh
from tierwise.types import Estimate

RATE = Rate(per_usd=10.0, base=0, quality=0.8, cost_usd=0.01, reaches=True)


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
    weighed = weigh(estimates, RATE, "small", 0.01, foreign=False)
    assert weighed.values == pytest.approx({"small": 0.69, "large": 0.80})
    assert weighed.first == "large"
    assert "+0.110 over small" in weighed.guard


def test_a_tie_stays_with_the_base() -> None:
    estimates = {
        "small": an_estimate(0.7, 0.001),
        "large": an_estimate(0.79 + TIE / 2, 0.01),
    }
    weighed = weigh(estimates, RATE, "small", 0.01, foreign=False)
    assert weighed.values["large"] > weighed.values["small"]
    assert weighed.first == "small"
    assert "no model is worth leaving small for" in weighed.guard


def test_in_foreign_traffic_only_a_sure_gain_leaves_the_base() -> None:
    base = an_estimate(0.7, 0.001)
    sure = an_estimate(0.9, 0.01)
    doubtful = an_estimate(0.9, 0.01, quality_low=0.6)
    strange = an_estimate(0.9, 0.01, novelty=0.9)
    assert weigh({"b": base, "m": sure}, RATE, "b", 0.01, foreign=True).first == "m"
    for doubted in (doubtful, strange):
        estimates = {"b": base, "m": doubted}
        assert weigh(estimates, RATE, "b", 0.01, foreign=False).first == "m"
        weighed = weigh(estimates, RATE, "b", 0.01, foreign=True)
        assert weighed.first == "b"
        assert weighed.guard.startswith("in foreign traffic")


def test_without_recorded_costs_only_proportions_count() -> None:
    rate = Rate(10.0, 0, 0.8, 0.01, True, reference_cost_usd=0.01)
    short = {"small": an_estimate(0.7, 0.001), "large": an_estimate(0.9, 0.01)}
    long = {"small": an_estimate(0.7, 0.1), "large": an_estimate(0.9, 1.0)}
    assert weigh(short, rate, "small", 0.01, foreign=False).values == pytest.approx(
        weigh(long, rate, "small", 1.0, foreign=False).values
    )
