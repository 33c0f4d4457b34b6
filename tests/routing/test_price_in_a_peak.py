"""In a peak a cascade follows the plan of a reference that is as much dearer as it is wanted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tierwise.routing.cascade import Cascade
from tierwise.routing.exchange import Rate

PRICES = (0.0, 1.0, 3.0, 10.0, 30.0)
REFERENCE_USD = 0.01
RATE = Rate(per_usd=2.0, quality=0.9, cost_usd=0.005, cost_share=1.0, reaches=True)
NEVER = 2.0
"""Of the reference's quality, which no plan reaches."""


def a_cascade() -> Cascade:
    """The dearer money is, the cheaper and the worse are its plans."""
    artifact = SimpleNamespace(
        arrays={
            "plan_prices": np.array(PRICES),
            "plan_score": np.array([0.92, 0.9, 0.85, 0.8, 0.7]),
            "plan_error": np.zeros(5),
            "plan_cost": np.array([0.009, 0.006, 0.004, 0.002, 0.001]),
            "plan_reference": np.array([0.9, REFERENCE_USD]),
        }
    )
    meta = SimpleNamespace(models=["small", "large"], reference="large")
    return Cascade(artifact, meta, ["small", "large"])  # type: ignore[arg-type]


def test_what_is_hardly_wanted_changes_nothing() -> None:
    cascade = a_cascade()
    assert cascade.price(1.0, RATE.cost_share) == 1.0
    assert cascade.price_in_a_peak(1.0, RATE, 1e-6) == 1.0


def test_what_is_wanted_much_is_as_if_it_were_dearer() -> None:
    # At λ = 1 its cost counts for 0.01 of quality; with 0.02 more for three times that.
    assert a_cascade().price_in_a_peak(1.0, RATE, 0.02) == 3.0


def test_where_no_plan_is_good_enough_money_counts_as_it_does_by_the_prompt_alone() -> None:
    cascade = a_cascade()
    assert cascade.price(NEVER) is None
    assert cascade.price_in_a_peak(NEVER, RATE, 0.08) == 10.0


def test_a_rate_per_share_of_the_reference_s_cost_is_read_in_usd() -> None:
    mean = Rate(
        per_usd=0.02, quality=0.9, cost_usd=0.5, cost_share=1.0, reaches=True,
        reference_cost_usd=1.0,
    )  # fmt: skip
    # 0.02 a reference's cost of 0.01 USD is 2 a USD.
    assert a_cascade().price_in_a_peak(NEVER, mean, 0.08) == 10.0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 2.0))
def test_the_more_it_is_wanted_the_dearer_and_there_is_always_a_plan(
    one: float, other: float, target: float
) -> None:
    cascade = a_cascade()
    less, more = sorted((one, other))
    prices = [cascade.price_in_a_peak(target, RATE, busy) for busy in (less, more)]
    assert prices == sorted(prices)
    assert set(prices) <= set(PRICES)
