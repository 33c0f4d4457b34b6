"""What a deployment's failures and load mean for the next request."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import Clock, a_deployment
from standing import LIMITED, A, B, C, answer, fail, rest_of
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
from tierwise.state.breaker import FAILURES_IN_ROW, MAX_OPEN_S, OPEN_S, TRIALS
from tierwise.state.deployment import SILENT_CALLS
from tierwise.state.health import ALONE_S, NO_DELAY_S, OUT_OF_SERVICE_S, Health
from tierwise.state.limits import Left
from tierwise.types import Timeouts

BREAKERS = [ConnectFailed("x"), UpstreamTimeout("x"), ServerFailed("x"), StreamBroken("x")]


@pytest.mark.parametrize("error", BREAKERS, ids=lambda error: error.kind)
def test_failures_in_a_row_make_a_deployment_rest(
    health: Health, clock: Clock, error: UpstreamError
) -> None:
    fail(health, error, FAILURES_IN_ROW - 1)
    assert health.available(A)
    fail(health, error)
    assert not health.available(A)
    assert health.order([A, B]) == [B]
    clock.forward(OPEN_S)
    assert health.available(A)


def test_a_deployment_that_has_rested_is_tried_by_one_call_and_then_by_few(
    health: Health, clock: Clock
) -> None:
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    clock.forward(OPEN_S)
    assert health.order([A]) == [A]
    health.started(A)
    assert health.order([A]) == []
    health.left(A)
    health.succeeded(A, 1.0, None)
    answer(health, times=TRIALS - 1)
    assert health.states[A.id].clear is False
    assert health.order([A]) == [A]
    assert health.states[A.id].clear is True


def test_recovery_waits_for_nothing_when_nothing_else_is_alive(
    health: Health, clock: Clock
) -> None:
    for _ in range(40):
        fail(health, ServerFailed("x"), FAILURES_IN_ROW)
        clock.forward(MAX_OPEN_S / 10)
        health.started(A)
    assert health.last_resorts([A]) == [A]
    assert health.next_return_s([A]) <= ALONE_S
    health.succeeded(A, 1.0, None)
    assert health.order([A]) == [A]


def test_an_answer_between_failures_starts_the_count_anew(health: Health) -> None:
    fail(health, ServerFailed("x"), FAILURES_IN_ROW - 1)
    health.succeeded(A, 1.0, None)
    fail(health, ServerFailed("x"), FAILURES_IN_ROW - 1)
    assert health.available(A)


def test_slow_answers_make_a_deployment_rest(clock: Clock) -> None:
    impatient = a_deployment(timeouts=Timeouts(slow=2.0))
    health = Health([impatient], clock, random.Random(1))
    answer(health, impatient, times=9, latency_s=3.0)
    assert health.available(impatient)
    answer(health, impatient, latency_s=3.0)
    assert not health.available(impatient)
    assert "10 of 10 calls in 10 s were slow" in health.why_out(impatient)


def test_a_deployment_that_takes_calls_and_never_answers_is_found_out_soon(
    health: Health, clock: Clock
) -> None:
    answer(health, times=30, ttft_s=0.3)
    for _ in range(SILENT_CALLS):
        health.started(A)
    clock.forward(1.0)
    assert A in health.order([A, B])
    clock.forward(1.0)
    assert health.order([A, B]) == [B]
    assert "3 calls and no answer for 2.0 s" in health.why_out(A)


@pytest.mark.parametrize("sign", ["answer", "stream", "error"])
def test_any_sign_of_life_ends_a_silence(health: Health, clock: Clock, sign: str) -> None:
    answer(health, times=30, ttft_s=0.3)
    for _ in range(SILENT_CALLS):
        health.started(A)
    clock.forward(1.9)
    if sign == "stream":
        health.goes_on(A)
    elif sign == "error":
        health.failed(A, UpstreamRejected("x"))
    else:
        health.succeeded(A, 1.9, 0.3)
    clock.forward(0.2)
    assert health.available(A)
    assert A in health.order([A, B])


def test_who_usually_takes_long_is_not_silent_so_soon(health: Health, clock: Clock) -> None:
    answer(health, times=30, latency_s=20.0)
    for _ in range(10):
        health.started(A)
    clock.forward(25.0)
    assert health.order([A]) == [A]


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
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
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
    assert health.snapshot()[0].calls == 0


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
    fail(health, ServerFailed("x"), FAILURES_IN_ROW - 1)
    assert told() == []
    fail(health, ServerFailed("x"))
    fail(health, OutOfService("no quota"))
    opened, out = (text for _, text in told())
    assert re.fullmatch(
        r"a/small rests for 0\.\d+ s: 3 failures in a row; server_failed: x", opened
    )
    assert out == "a/small rests for 60 s: out_of_service: no quota"


def test_an_answer_during_a_rate_limit_is_not_told_as_its_end(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    fail(health, RateLimited("x", retry_after=30))
    health.succeeded(A, 1.0, None)
    assert "answers again" not in caplog.text


def test_a_stream_counts_as_one_call_from_begin_to_end(health: Health) -> None:
    health.started(A)
    health.goes_on(A)
    assert (health.states[A.id].in_flight, health.states[A.id].requests) == (1, 1)
    health.left(A)
    assert health.states[A.id].in_flight == 0


def test_latencies_are_smoothed(health: Health) -> None:
    health.succeeded(A, 1.0, 0.5)
    health.succeeded(A, 2.0, None)
    state = health.states[A.id]
    assert state.latency_s == pytest.approx(1.2)
    assert state.ttft_s == 0.5


def test_a_rate_limit_that_names_no_time_leaves_a_last_resort_soon(
    health: Health, clock: Clock
) -> None:
    fail(health, RateLimited("x"))
    assert health.last_resorts([A]) == []
    clock.forward(NO_DELAY_S)
    assert health.order([A]) == []
    assert health.last_resorts([A]) == [A]


def test_an_answer_that_says_a_limit_is_used_up_makes_it_rest(health: Health, clock: Clock) -> None:
    health.rest(A, 2.0, "no requests are left")
    assert health.order([A, B]) == [B]
    assert health.why_out(A) == "resting for 2 s (rate_limited: no requests are left)"
    clock.forward(2.0)
    assert health.order([A]) == [A]


def test_configured_limits_keep_calls_away_before_a_429_does(alone: Health, clock: Clock) -> None:
    assert alone.order([LIMITED], 50) == [LIMITED]
    for _ in range(2):
        alone.started(LIMITED, 50)
    assert alone.order([LIMITED], 50) == []
    assert alone.last_resorts([LIMITED], 50) == []
    assert alone.rate_limited(LIMITED)
    assert alone.next_return_s([LIMITED], 50) == pytest.approx(30.0)
    assert alone.why_out(LIMITED) == "at its limit for 30.0 s"
    clock.forward(30.0)
    assert alone.order([LIMITED], 50) == [LIMITED]


def test_expected_tokens_are_taken_and_settled(alone: Health, clock: Clock) -> None:
    began = clock()
    clock.forward(0.001)
    alone.started(LIMITED, 200)
    assert alone.order([LIMITED], 50) == []
    alone.settle(LIMITED, began, 200, 30)
    assert alone.order([LIMITED], 50) == [LIMITED]
    assert alone.snapshot()[0].left == Left(1.0, pytest.approx(170.0), 4)


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (UpstreamTimeout("x"), 7.0),
        (RateLimited("x"), 7.0),
        (ServerFailed("x", status=503), 7.0),
        (ServerFailed("x", status=529), 7.0),
        (ServerFailed("x", status=500), None),
        (ConnectFailed("x"), None),
    ],
)
def test_only_what_speaks_of_too_many_calls_limits_them(
    health: Health, error: UpstreamError, limit: float | None
) -> None:
    for _ in range(10):
        health.started(A)
    health.left(A)
    health.failed(A, error)
    assert health.snapshot()[0].concurrency == (None if limit is None else pytest.approx(limit))


def test_what_was_turned_away_limits_the_calls_at_a_time(health: Health, clock: Clock) -> None:
    for _ in range(10):
        health.started(A)
    health.left(A)
    fail(health, RateLimited("x", retry_after=1.0))
    clock.forward(1.0)
    assert health.snapshot()[0].concurrency == pytest.approx(7.0)
    assert health.order([A, B]) == [B]
    assert health.last_resorts([A]) == [A], "a guess is no reason to answer nobody"
    for _ in range(3):
        health.left(A)
    assert health.order([A]) == [A]
    assert health.order([B, C])[0] in (B, C)


def test_the_p95_of_first_tokens_is_there_once_enough_streams_were_seen(health: Health) -> None:
    answer(health, times=10, ttft_s=0.3)
    assert health.p95_ttft_s(A) is None
    answer(health, times=80, ttft_s=0.3)
    answer(health, times=10, ttft_s=2.0)
    assert health.p95_ttft_s(A) == 2.0
    assert health.p95_ttft_s(B) is None


def test_what_has_rested_is_said_to_be_tried_again(health: Health, clock: Clock) -> None:
    fail(health, ServerFailed("boom"), FAILURES_IN_ROW)
    clock.forward(OPEN_S)
    state = next(one.state for one in health.snapshot() if one.id == A.id)
    assert state == "half_open"
    assert health.why_out(A) == "being tried again (3 failures in a row; server_failed: boom)"


def test_a_snapshot_says_of_each_deployment_how_it_stands(health: Health, clock: Clock) -> None:
    answer(health, A, latency_s=2.0, ttft_s=0.5)
    health.started(A)
    health.failed(A, ServerFailed("boom"))
    for _ in range(FAILURES_IN_ROW):
        health.failed(B, ConnectFailed("nobody there"))
    health.drain(C)
    clock.forward(0.5)
    a, b, c = health.snapshot()
    assert (a.id, a.model, a.provider, a.state, a.why) == ("a/small", "small", "a", "ready", None)
    assert (a.in_flight, a.requests, a.calls, a.failed, a.failures_in_row) == (1, 2, 2, 1, 1)
    assert (a.latency_s, a.ttft_s, a.p95_s, a.left, a.concurrency) == (2.0, 0.5, None, None, None)
    assert (a.last_error, a.last_error_age_s) == ("server_failed: boom", 0.5)
    assert (b.state, b.breaker, b.last_error_age_s) == ("open", "open", 0.5)
    assert b.back_s is not None
    assert 0 < b.back_s <= OPEN_S
    assert b.why == "resting for 0 s (3 failures in a row; connect_failed: nobody there)"
    assert (c.state, c.back_s, c.last_error_age_s) == ("drained", None, None)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "answer", "fail", "limit", "timeout", "reject", "wait", "drain"]),
        st.integers(0, 2),
        st.floats(0, 20),
    ),
    max_size=80,
)


@given(steps=STEPS, seed=st.integers(0, 5))
def test_whatever_happens_whoever_is_not_told_to_wait_can_be_asked(
    steps: list[tuple[str, int, float]], seed: int
) -> None:
    clock = Clock()
    health = Health([A, B, C], clock, random.Random(seed))
    running = {one.id: 0 for one in (A, B, C)}
    errors = {
        "fail": ServerFailed("x"), "limit": RateLimited("x", retry_after=5.0),
        "timeout": UpstreamTimeout("x"), "reject": UpstreamRejected("x"),
    }  # fmt: skip
    for what, place, amount in steps:
        one = (A, B, C)[place]
        if what == "wait":
            clock.forward(amount)
        elif what == "start":
            health.started(one)
            running[one.id] += 1
        elif what == "drain":
            (health.drain if amount < 5 else health.restore)(one)
        elif running[one.id]:
            running[one.id] -= 1
            health.left(one)
            if what == "answer":
                health.succeeded(one, amount, None, 10)
            else:
                health.failed(one, errors[what])
        ready = health.order([A, B, C])
        assert len({d.id for d in ready}) == len(ready)
        usable = [*ready, *health.last_resorts([A, B, C])]
        for state, d in ((health.states[d.id], d) for d in (A, B, C)):
            assert state.in_flight == running[d.id]
            assert state.unanswered <= state.in_flight
            waits = state.drained or state.rate_limited_until > clock()
            assert (d in usable) != waits
        assert health.next_return_s([A, B, C]) >= 0
        assert len(health.snapshot()) == 3
