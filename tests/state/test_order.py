"""Which deployment is asked first, and who may be asked after a failure."""

from __future__ import annotations

import random

from builders import Clock, a_deployment
from standing import A, B, C, answer, fail
from tierwise.errors import (
    OutOfService,
    RateLimited,
    ServerFailed,
)
from tierwise.state.breaker import FAILURES_IN_ROW, OPEN_S
from tierwise.state.choice import STALE_S
from tierwise.state.health import OUT_OF_SERVICE_S, Health


def test_the_deployment_with_most_room_goes_first(health: Health) -> None:
    for _ in range(2):
        health.started(A)
    assert health.order([A, B]) == [B, A]
    for _ in range(3):
        health.started(B)
    assert health.order([A, B]) == [A, B]


def test_of_three_the_busiest_is_never_first_and_the_better_of_two_is(health: Health) -> None:
    for busy, calls in ((A, 2), (B, 1)):
        for _ in range(calls):
            health.started(busy)
    firsts = [health.order([A, B, C])[0] for _ in range(600)]
    assert A not in firsts
    assert 320 < firsts.count(C) < 480, "two of three pairs have it"


def test_a_quicker_deployment_takes_more_calls_and_a_slow_one_some(health: Health) -> None:
    answer(health, A, latency_s=1.0)
    answer(health, B, latency_s=3.0)
    taken = []
    for _ in range(12):
        first = health.order([B, A])[0]
        health.started(first)
        taken.append(first)
    assert taken.count(A) == 9


def test_a_latency_of_long_ago_does_not_keep_calls_away(health: Health, clock: Clock) -> None:
    answer(health, A, latency_s=1.0)
    answer(health, B, latency_s=50.0)
    health.started(A)
    assert health.order([A, B]) == [A, B]
    clock.forward(STALE_S)
    answer(health, A, latency_s=1.0)
    assert health.order([A, B]) == [B, A]


def test_the_same_draws_give_the_same_order(clock: Clock) -> None:
    orders = [
        [Health([A, B, C], clock, random.Random(7)).order([A, B, C]) for _ in range(20)]
        for _ in range(2)
    ]
    assert orders[0] == orders[1]


def test_a_heavier_deployment_takes_more_calls(health: Health) -> None:
    heavy = a_deployment(provider="c", weight=3.0)
    taken = []
    for _ in range(8):
        first = health.order([A, heavy])[0]
        health.started(first)
        taken.append(first.id)
    assert taken.count(heavy.id) == 6


def test_resting_deployments_are_left_out_of_the_order(health: Health, clock: Clock) -> None:
    fail(health, OutOfService("x"))
    assert health.order([A]) == []
    assert health.order([A, B]) == [B]
    clock.forward(OUT_OF_SERVICE_S)
    assert health.order([A]) == [A]


def test_the_last_resort_is_who_comes_back_first_but_never_a_rate_limit(health: Health) -> None:
    health.failed(A, OutOfService("x", retry_after=90))
    health.failed(B, OutOfService("x"))
    health.failed(C, RateLimited("x", retry_after=1))
    assert health.last_resorts([A, B, C]) == [B, A]
    assert health.last_resorts([C]) == []


def test_the_last_resort_may_be_somebody_that_was_busy_a_moment_ago(health: Health) -> None:
    assert health.last_resorts([A]) == [A]


def test_the_first_return_is_known(health: Health, clock: Clock) -> None:
    health.failed(A, RateLimited("x", retry_after=30))
    health.failed(B, RateLimited("x", retry_after=20))
    assert health.next_return_s([A, B]) == 20
    assert health.next_return_s([A, B, C]) == 0
    assert health.next_return_s([]) == 1


def test_a_deployment_that_is_well_takes_every_failover(health: Health) -> None:
    assert all(health.may_fail_over(B) for _ in range(500))


def test_a_deployment_that_fails_takes_failovers_as_a_share_of_its_traffic(health: Health) -> None:
    for _ in range(100):
        health.started(A)
        health.left(A)
    fail(health, ServerFailed("x"))
    assert sum(health.may_fail_over(A) for _ in range(500)) == 30
    assert health.snapshot()[0].retries_left == 0


def test_the_trials_of_one_that_is_let_back_need_no_budget(health: Health, clock: Clock) -> None:
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    while health.may_fail_over(A):
        pass
    clock.forward(OPEN_S)
    assert health.may_fail_over(A)


def test_a_failover_is_no_traffic_of_its_own(health: Health) -> None:
    for _ in range(100):
        health.started(A, first=False)
    assert health.snapshot()[0].retries_left == 10
