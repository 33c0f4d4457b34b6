"""A probe is worth what it may change, and no more than that."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tierwise.gates import agreement, judge, self_check
from tierwise.gates.worth import (
    Power,
    Stake,
    gain_usd,
    implied_rate,
    sample_information,
    spared,
)

_DRAW = random.Random(7)
_GRID = [0.0, 0.05, 0.3, 0.5, 0.7, 0.95, 1.0]
CASES = [*product(_GRID, _GRID, _GRID, _GRID)] + [
    tuple(_DRAW.random() for _ in range(4)) for _ in range(2000)
]
"""P(acceptable), threshold, and the two sides of a power."""
POWERS = [agreement.CLOSED, self_check.POWER, judge.POWER]


def test_information_is_never_worth_less_than_nothing_or_more_than_certainty() -> None:
    for p, accept, right, wrong in CASES:
        worth = sample_information(p, accept, Power(right, wrong))
        assert 0.0 <= worth <= min(p, accept) - p * accept + 1e-12


def test_certainty_is_worth_the_whole_of_it() -> None:
    for p, accept, *_ in CASES:
        worth = sample_information(p, accept, Power(1.0, 0.0))
        assert worth == pytest.approx(min(p, accept) - p * accept, abs=1e-12)


def test_what_says_the_same_of_right_and_wrong_answers_is_worth_nothing() -> None:
    for p, accept, right, _ in CASES:
        assert sample_information(p, accept, Power(right, right)) == pytest.approx(0, abs=1e-12)


def test_it_is_what_drawing_many_answers_comes_to() -> None:
    draw = random.Random(3)
    p, accept, power = 0.6, 0.7, Power(0.9, 0.3)
    yes = p * power.if_right + (1 - p) * power.if_wrong
    after = {True: p * power.if_right / yes, False: p * (1 - power.if_right) / (1 - yes)}
    total = 0.0
    for _ in range(40_000):
        right = draw.random() < p
        said = draw.random() < (power.if_right if right else power.if_wrong)
        total += max(after[said], accept)
    assert sample_information(p, accept, power) == pytest.approx(
        total / 40_000 - max(p, accept), abs=0.005
    )


def test_a_clearer_probe_is_never_worth_less() -> None:
    # A garbled reply is that of a clearer probe, with noise (Blackwell).
    for p, accept, right, wrong in CASES:
        noise = 0.3
        garbled = Power(right + noise * (0.5 - right), wrong + noise * (0.5 - wrong))
        clear = sample_information(p, accept, Power(right, wrong))
        assert clear >= sample_information(p, accept, garbled) - 1e-12


@pytest.mark.parametrize("power", POWERS)
def test_information_is_worth_most_where_nothing_is_decided(power: Power) -> None:
    assert sample_information(0.5, 0.5, power) > 0.02
    for sure in (0.0, 0.01, 0.999, 1.0):
        assert sample_information(sure, 0.5, power) == pytest.approx(0, abs=1e-12)


def test_a_dearer_probe_gains_less_and_a_rate_makes_money_count() -> None:
    for rate in (None, 1.0, 100.0):
        stake = Stake(0.6, 0.01, rate)
        gains = [gain_usd(0.5, agreement.CLOSED, price, stake) for price in (0.0, 0.001, 1.0)]
        assert gains == sorted(gains, reverse=True)
        assert gains[0] > 0 > gains[-1]
    cheap, dear = Stake(0.6, 0.01, 1.0), Stake(0.6, 0.01, 100.0)
    assert gain_usd(0.5, judge.POWER, 0.0, cheap) > gain_usd(0.5, judge.POWER, 0.0, dear)


def test_quality_at_any_price_buys_whatever_may_change_something() -> None:
    at_any_price = Stake(0.6, 0.01, 0.0)
    assert gain_usd(0.5, judge.POWER, 1e6, at_any_price) > 0
    assert gain_usd(1.0, judge.POWER, 1e-6, at_any_price) < 0


def test_without_a_rate_a_probe_must_cost_less_than_the_escalations_that_it_spares() -> None:
    power = agreement.CLOSED
    share = spared(0.6, 0.7, power)
    assert 0.5 < share < 1.0
    stake = Stake(0.7, 0.01, None)
    assert gain_usd(0.6, power, share * 0.01 - 1e-9, stake) > 0
    assert gain_usd(0.6, power, share * 0.01 + 1e-9, stake) < 0
    # An answer that is taken anyway escalates nowhere; one that is hopeless stays so.
    assert spared(0.8, 0.7, power) == 0
    assert spared(0.1, 0.7, power) == 0


@pytest.mark.parametrize(
    ("accept", "quality", "cost", "rate"),
    [(0.5, 0.9, 0.004, 100.0), (0.9, 0.9, 0.004, None), (0.5, 0.9, 0.0, None)],
)
def test_a_threshold_implies_a_rate_where_the_next_tier_is_better_and_costs(
    accept: float, quality: float, cost: float, rate: float | None
) -> None:
    assert implied_rate(accept, quality, cost) == (rate and pytest.approx(rate))


@pytest.mark.parametrize(
    ("power", "yes", "no"),
    [
        (agreement.CLOSED, agreement.AGREED, agreement.DIFFERED),
        (agreement.OPEN, agreement.ALIKE, agreement.UNLIKE),
    ],
)
def test_a_measured_power_gives_back_what_was_measured(power: Power, yes: float, no: float) -> None:
    says_yes = agreement.BASE * power.if_right + (1 - agreement.BASE) * power.if_wrong
    assert agreement.BASE * power.if_right / says_yes == pytest.approx(yes)
    assert agreement.BASE * (1 - power.if_right) / (1 - says_yes) == pytest.approx(no)
