"""What a deployment's failures and load mean for the next request."""

from __future__ import annotations

import pytest

from builders import Clock, a_deployment
from tierwise.errors import (
    ConnectFailed,
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from tierwise.state.health import (
    COOL_S,
    FAILURES_TO_COOL,
    MAX_COOL_S,
    NO_DELAY_S,
    OUT_OF_SERVICE_S,
    Health,
)
from tierwise.types import Deployment

A = a_deployment(provider="a")
B = a_deployment(provider="b")
C = a_deployment(provider="c")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health([A, B, C], clock)


def rest_of(health: Health, clock: Clock, deployment: Deployment = A) -> float:
    return max(0.0, health.states[deployment.id].resting_until - clock())


def fail(health: Health, error: UpstreamError, times: int = 1) -> None:
    for _ in range(times):
        health.failed(A, error)


BREAKERS = [ConnectFailed("x"), UpstreamTimeout("x"), ServerFailed("x"), StreamBroken("x")]


@pytest.mark.parametrize("error", BREAKERS, ids=lambda error: error.kind)
def test_failures_in_a_row_make_a_deployment_rest(
    health: Health, clock: Clock, error: UpstreamError
) -> None:
    fail(health, error, FAILURES_TO_COOL - 1)
    assert health.available(A)
    fail(health, error)
    assert not health.available(A)
    assert rest_of(health, clock) == COOL_S
    clock.forward(COOL_S)
    assert health.available(A)


def test_each_further_failure_doubles_the_rest_up_to_a_limit(health: Health, clock: Clock) -> None:
    fail(health, ServerFailed("x"), FAILURES_TO_COOL)
    rests = [rest_of(health, clock)]
    for _ in range(6):
        clock.forward(rests[-1])
        fail(health, ServerFailed("x"))
        rests.append(rest_of(health, clock))
    assert rests == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert rests[-1] == MAX_COOL_S


def test_an_answer_between_failures_starts_the_count_anew(health: Health) -> None:
    fail(health, ServerFailed("x"), FAILURES_TO_COOL - 1)
    health.succeeded(A, 1.0, None)
    fail(health, ServerFailed("x"), FAILURES_TO_COOL - 1)
    assert health.available(A)


def test_an_answer_ends_a_rest(health: Health) -> None:
    fail(health, ServerFailed("x"), FAILURES_TO_COOL)
    health.succeeded(A, 1.0, None)
    assert health.available(A)


@pytest.mark.parametrize(("asked", "rest"), [(30.0, 30.0), (0.12, 0.12), (None, 5.0)])
def test_a_rate_limit_lasts_as_long_as_was_asked(
    health: Health, clock: Clock, asked: float | None, rest: float
) -> None:
    fail(health, RateLimited("x", retry_after=asked))
    assert rest_of(health, clock) == pytest.approx(rest)


@pytest.mark.parametrize("asked", [0.0, -3.0])
def test_a_rate_limit_that_names_no_time_at_all_is_a_rest_all_the_same(
    health: Health, clock: Clock, asked: float
) -> None:
    fail(health, RateLimited("x", retry_after=asked))
    assert rest_of(health, clock) == NO_DELAY_S
    assert health.order([A]) == []


def test_a_late_failure_does_not_end_a_rate_limit(health: Health, clock: Clock) -> None:
    fail(health, RateLimited("x", retry_after=30))
    fail(health, ServerFailed("x"), FAILURES_TO_COOL)
    assert rest_of(health, clock) == 30
    assert health.rate_limited(A)
    assert health.last_resorts([A]) == []
    assert health.states[A.id].resting_because == "rate_limited: x"


def test_a_rate_limit_that_is_over_leaves_the_longer_rest_a_last_resort(
    health: Health, clock: Clock
) -> None:
    fail(health, RateLimited("x", retry_after=1))
    fail(health, OutOfService("x"))
    assert health.last_resorts([A]) == []
    clock.forward(1)
    assert not health.rate_limited(A)
    assert health.last_resorts([A]) == [A]


def test_an_answer_that_was_asked_for_earlier_does_not_lift_a_rate_limit(
    health: Health, clock: Clock
) -> None:
    fail(health, RateLimited("x", retry_after=30))
    health.succeeded(A, 1.0, None)
    assert rest_of(health, clock) == 30
    clock.forward(30)
    health.succeeded(A, 1.0, None)
    assert health.available(A)
    assert not health.rate_limited(A)


@pytest.mark.parametrize(
    ("asked", "rest"), [(None, OUT_OF_SERVICE_S), (5.0, OUT_OF_SERVICE_S), (90.0, 90.0)]
)
def test_a_deployment_out_of_service_is_left_alone_for_a_while(
    health: Health, clock: Clock, asked: float | None, rest: float
) -> None:
    fail(health, OutOfService("bad key", retry_after=asked))
    assert rest_of(health, clock) == rest
    assert health.states[A.id].resting_because == "out_of_service: bad key"


@pytest.mark.parametrize("error", [UpstreamRejected("x"), ContextTooLong("x")])
def test_a_request_at_fault_is_not_held_against_the_deployment(
    health: Health, error: UpstreamError
) -> None:
    fail(health, error, 10)
    state = health.states[A.id]
    assert (health.available(A), state.failures_in_row, state.last_error) == (True, 0, None)


def test_a_shorter_rest_does_not_cut_a_longer_one(health: Health, clock: Clock) -> None:
    fail(health, OutOfService("x"))
    fail(health, RateLimited("x", retry_after=1))
    assert rest_of(health, clock) == OUT_OF_SERVICE_S


def test_the_log_tells_when_a_deployment_goes_and_when_it_is_back(
    health: Health, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[tuple[str, str]]:
        found = [(record.name, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    fail(health, OutOfService("bad key\nfor you"), 3)
    assert told() == [
        ("tierwise.health", "a/small rests for 60 s: out_of_service: bad key for you")
    ]
    clock.forward(OUT_OF_SERVICE_S)
    health.succeeded(A, 1.0, None)
    health.succeeded(A, 1.0, None)
    assert told() == [("tierwise.health", "a/small answers again")]
    fail(health, ServerFailed("x"), FAILURES_TO_COOL - 1)
    assert told() == []
    fail(health, ServerFailed("x"))
    fail(health, OutOfService("no quota"))
    assert [text for _, text in told()] == [
        "a/small rests for 5 s: server_failed: x",
        "a/small rests for 60 s: out_of_service: no quota",
    ]


def test_an_answer_during_a_rate_limit_is_not_told_as_its_end(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    fail(health, RateLimited("x", retry_after=30))
    health.succeeded(A, 1.0, None)
    assert "answers again" not in caplog.text


def test_the_deployment_with_most_room_goes_first(health: Health) -> None:
    for busy, calls in ((A, 2), (B, 1)):
        for _ in range(calls):
            health.started(busy)
    assert health.order([A, B, C]) == [C, B, A]
    health.left(A)
    health.left(A)
    assert health.order([A, B, C]) == [A, C, B]


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


def test_the_first_return_is_known(health: Health, clock: Clock) -> None:
    health.failed(A, RateLimited("x", retry_after=30))
    health.failed(B, RateLimited("x", retry_after=20))
    assert health.next_return_s([A, B]) == 20
    assert health.next_return_s([A, B, C]) == 0
    assert health.next_return_s([]) == 1


def test_a_stream_counts_as_one_call_from_begin_to_end(health: Health) -> None:
    health.started(A)
    health.left(A)
    health.entered(A)
    assert (health.states[A.id].in_flight, health.states[A.id].requests) == (1, 1)
    health.left(A)
    assert health.states[A.id].in_flight == 0


def test_latencies_are_smoothed(health: Health) -> None:
    health.succeeded(A, 1.0, 0.5)
    health.succeeded(A, 2.0, None)
    state = health.states[A.id]
    assert state.latency_s == pytest.approx(1.2)
    assert state.ttft_s == 0.5
