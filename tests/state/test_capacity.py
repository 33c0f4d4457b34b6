"""What a model can take, when it is full, and the switch that takes prices away."""

from __future__ import annotations

import pytest

from builders import a_deployment
from tierwise.errors import RateLimited
from tierwise.state.health import Health
from tierwise.state.shadow import PERIOD_S
from tierwise.types import Limits

ONE = a_deployment("large", "one", limits=Limits(concurrency=1))
TWO = a_deployment("large", "two", limits=Limits(concurrency=2))
FREE = a_deployment("large", "free")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def health() -> Health:
    return Health([ONE, TWO, FREE], Clock())


def test_a_model_is_full_when_every_place_is_at_its_limit(health: Health) -> None:
    places = [ONE, TWO]
    assert not health.is_full(places)
    health.started(ONE)
    assert health.is_full([ONE])
    assert not health.is_full(places)
    for _ in range(2):
        health.started(TWO)
    assert health.is_full(places)
    health.left(TWO)
    assert not health.is_full(places)


def test_a_place_without_limits_is_never_full_until_it_is_found_to_be(health: Health) -> None:
    for _ in range(100):
        health.started(FREE)
    assert not health.is_full([FREE])
    health.states[FREE.id].cap = 50.0
    assert health.is_full([FREE])


def test_tokens_count_as_well() -> None:
    place = a_deployment("large", limits=Limits(tpm=1000))
    health = Health([place], Clock())
    health.started(place, 900)
    assert health.is_full([place], 200)
    assert not health.is_full([place], 50)


def test_what_is_out_is_not_full(health: Health) -> None:
    health.started(ONE)
    health.drain(ONE)
    assert not health.is_full([ONE])
    health.failed(TWO, RateLimited("later", retry_after=60.0))
    assert not health.is_full([TWO])
    assert not health.is_full([])


def test_whoever_is_out_leaves_the_others_full(health: Health) -> None:
    health.drain(TWO)
    assert not health.is_full([ONE, TWO])
    health.started(ONE)
    assert health.is_full([ONE, TWO])


def test_it_is_told_when_a_call_is_over(health: Health) -> None:
    told: list[str] = []
    health.freed = told.append
    health.started(ONE)
    assert told == []
    health.left(ONE)
    assert told == ["large"]


@pytest.mark.parametrize("on", [True, False])
def test_with_the_switch_off_nothing_has_a_price(on: bool) -> None:
    clock = Clock()
    health = Health([ONE], clock, shadow_prices=on)
    health.states[ONE.id].pace.saw(clock.now, 1.0, None, None, 60.0)
    for _ in range(100):
        clock.now += PERIOD_S
        for _ in range(10):
            health.wanted("large", 100)
        health.scarcity.now()
    assert bool(health.scarcity.now()) == on


def test_what_it_takes_is_calls_at_a_time_over_how_long_one_takes() -> None:
    health = Health([TWO], Clock())
    assert health.capacity("large", 100) is None
    for _ in range(100):
        health.started(TWO)
        health.succeeded(TWO, 0.5, None)
        health.left(TWO)
    assert health.capacity("large", 100) == pytest.approx(4.0)


def test_some_long_answers_count_for_as_long_as_they_take() -> None:
    health = Health([TWO], Clock())
    found = []
    for number in range(400):
        health.started(TWO)
        health.succeeded(TWO, 4.0 if number % 10 == 0 else 0.2, None)
        health.left(TWO)
        found.append(health.capacity("large", 100) or 0.0)
    # 0.58 s in the mean. Of the last few calls only it would mostly seem to be three times more.
    assert sum(found[100:]) / 300 == pytest.approx(2 / 0.58, rel=0.25)
