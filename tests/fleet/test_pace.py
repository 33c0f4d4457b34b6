"""How long answers take."""

from __future__ import annotations

import pytest

from tierwise.fleet.faults import Slow
from tierwise.fleet.pace import pace
from tierwise.fleet.source import FleetModel, Said
from tierwise.types import Prices

MODEL = FleetModel(
    id="m",
    upstream="m",
    prices=Prices(input=1, output=1),
    quality=0.5,
    homes=("alpha",),
    ttft_s=0.5,
    tokens_per_s=50,
)


def said(tokens, latency_s=None):
    return Said(text="x", input_tokens=1, output_tokens=tokens, latency_s=latency_s)


def test_an_answer_takes_its_first_token_and_then_a_time_for_each():
    first, rest = pace(MODEL, [said(100)], "hello", 1.0, None)
    assert 0.35 <= first < 0.75
    assert rest == pytest.approx(2.0)


def test_the_first_token_differs_from_prompt_to_prompt_and_stays_the_same():
    firsts = [pace(MODEL, [said(1)], f"prompt {i}", 1.0, None)[0] for i in range(20)]
    assert len(set(firsts)) == 20
    assert firsts == [pace(MODEL, [said(1)], f"prompt {i}", 1.0, None)[0] for i in range(20)]


def test_speed_scales_all_of_it_and_zero_answers_at_once():
    first, rest = pace(MODEL, [said(100)], "hello", 1.0, None)
    assert pace(MODEL, [said(100)], "hello", 0.25, None) == pytest.approx((first / 4, rest / 4))
    assert pace(MODEL, [said(100)], "hello", 0.0, None) == (0.0, 0.0)


def test_slow_multiplies_and_adds():
    first, rest = pace(MODEL, [said(100)], "hello", 1.0, None)
    slow = Slow(factor=20, seconds=3)
    assert pace(MODEL, [said(100)], "hello", 1.0, slow) == pytest.approx(
        (20 * first + 3, 20 * rest)
    )


def test_a_recorded_latency_is_kept():
    assert sum(pace(MODEL, [said(900, latency_s=1.75)], "hello", 1.0, None)) == pytest.approx(1.75)
    assert sum(pace(MODEL, [said(900, latency_s=0.1)], "hello", 1.0, None)) == pytest.approx(0.1)


def test_choices_are_made_at_the_same_time():
    alone = pace(MODEL, [said(100)], "hello", 1.0, None)
    assert pace(MODEL, [said(10), said(100), said(30)], "hello", 1.0, None) == alone
