"""Prices are fitted to bills."""

from __future__ import annotations

import random

import pytest

from tierwise.fleet.prices import Bill, fit


def bills(per_input, per_output, noise=0.0):
    rng = random.Random(3)
    for _ in range(200):
        sent, out = rng.randint(20, 900), rng.randint(1, 400)
        cost = (sent * per_input + out * per_output) / 1e6
        yield Bill(sent, out, cost * (1 + rng.uniform(-noise, noise)))


def total(prices, some):
    return sum(b.input_tokens * prices.input + b.output_tokens * prices.output for b in some) / 1e6


def test_exact_bills_give_the_exact_prices():
    prices = fit(list(bills(2.5, 10.0)))
    assert (prices.input, prices.output) == pytest.approx((2.5, 10.0), rel=1e-4)


def test_estimated_costs_add_up_to_the_recorded_ones_though_counts_are_rough():
    some = list(bills(0.3, 0.6, noise=0.5))
    assert total(fit(some), some) == pytest.approx(sum(b.cost_usd for b in some), rel=1e-4)


@pytest.mark.parametrize(
    "some",
    [
        [Bill(100, 1, 0.001), Bill(100, 300, 0.0005), Bill(100, 150, 0.0007)],
        [Bill(1, 100, 0.001), Bill(300, 100, 0.0005), Bill(150, 100, 0.0007)],
    ],
)
def test_no_price_is_below_zero(some):
    prices = fit(some)
    assert min(prices.input, prices.output) >= 0
    assert total(prices, some) == pytest.approx(sum(b.cost_usd for b in some), rel=1e-4)


def test_counts_in_proportion_and_costs_of_nothing_are_no_trouble():
    one = [Bill(10, 20, 0.003)] * 5
    assert total(fit(one), one) == pytest.approx(0.015, rel=1e-4)
    free = fit([Bill(10, 20, 0.0), Bill(20, 10, 0.0)])
    assert (free.input, free.output) == (0.0, 0.0)
