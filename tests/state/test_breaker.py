"""A breaker keeps calls away from what fails, lets them back carefully, and locks nobody out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tierwise.state.breaker import (
    FAILURES_IN_ROW,
    JITTER,
    MAX_OPEN_S,
    MIN_CALLS,
    OPEN_S,
    RELAPSE_S,
    TRIAL_S,
    TRIALS,
    Breaker,
)
from tierwise.state.window import WINDOW_S

NOW = 1000.0


def an_open_breaker() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_IN_ROW):
        breaker.failed(NOW)
    return breaker


def let_back(breaker: Breaker, now: float) -> None:
    for _ in range(TRIALS):
        breaker.began(now)
        breaker.succeeded(now)


def test_failures_in_a_row_open_it_at_once() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_ROW - 1):
        breaker.failed(NOW)
    assert breaker.allows(NOW)
    breaker.failed(NOW)
    assert not breaker.allows(NOW)
    assert breaker.why == "3 failures in a row"


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(NOW)
        breaker.succeeded(NOW)
    assert breaker.closed


def test_half_of_the_calls_failing_opens_it_within_ten() -> None:
    breaker = Breaker()
    for _ in range(MIN_CALLS // 2):
        breaker.succeeded(NOW)
        breaker.failed(NOW)
    assert not breaker.closed
    assert breaker.why == "5 of 10 calls in 10 s failed"


def test_half_of_the_calls_being_slow_opens_it() -> None:
    breaker = Breaker()
    for _ in range(MIN_CALLS // 2):
        breaker.succeeded(NOW)
        breaker.succeeded(NOW, slow=True)
    assert not breaker.closed
    assert breaker.why == "5 of 10 calls in 10 s were slow"


def test_what_is_long_ago_is_not_held_against_it() -> None:
    breaker = Breaker()
    for step in range(40):
        now = NOW + step * WINDOW_S / 4
        breaker.failed(now)
        breaker.succeeded(now)
    assert breaker.closed


def test_each_failed_trial_doubles_the_time_open_up_to_a_limit() -> None:
    breaker, now = an_open_breaker(), NOW
    periods = []
    for _ in range(7):
        periods.append(breaker.until - now)
        now = breaker.until
        breaker.began(now)
        breaker.failed(now)
    assert periods == [1.0, 2.0, 4.0, 8.0, 16.0, MAX_OPEN_S, MAX_OPEN_S]


@given(jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens_the_time_open(jitter: float) -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_ROW):
        breaker.failed(NOW, jitter)
    assert OPEN_S * (1 - JITTER) <= breaker.until - NOW <= OPEN_S


def test_half_open_it_lets_one_call_through_then_a_few_then_all() -> None:
    breaker = an_open_breaker()
    now = breaker.until
    assert breaker.state(now) == "half_open"
    assert breaker.allows(now)
    breaker.began(now)
    assert not breaker.allows(now)
    breaker.succeeded(now)
    for _ in range(TRIALS):
        assert breaker.allows(now)
        breaker.began(now)
    assert not breaker.allows(now)
    breaker.succeeded(now)
    breaker.succeeded(now)
    assert breaker.closed


def test_a_slow_trial_is_a_failed_one() -> None:
    breaker = an_open_breaker()
    now = breaker.until
    breaker.began(now)
    breaker.succeeded(now, slow=True)
    assert breaker.state(now) == "open"


def test_a_trial_that_is_never_heard_of_again_makes_room_for_another() -> None:
    breaker = an_open_breaker()
    now = breaker.until
    breaker.began(now)
    assert not breaker.allows(now + TRIAL_S / 2)
    assert breaker.allows(now + TRIAL_S)


def test_calls_that_began_before_it_opened_do_not_make_it_wait_longer() -> None:
    breaker = an_open_breaker()
    until = breaker.until
    for _ in range(20):
        breaker.failed(NOW + 0.5)
    assert breaker.until == until


def test_an_answer_while_it_is_open_counts_as_a_trial() -> None:
    breaker = an_open_breaker()
    breaker.began(NOW)  # a last resort
    breaker.succeeded(NOW)
    assert breaker.state(NOW) == "half_open"
    assert breaker.allows(NOW)


def test_who_fails_soon_after_it_was_let_back_is_left_alone_for_longer() -> None:
    breaker = an_open_breaker()
    now = breaker.until
    let_back(breaker, now)
    for _ in range(FAILURES_IN_ROW):
        breaker.failed(now)
    assert breaker.until - now == 2 * OPEN_S
    now = breaker.until
    let_back(breaker, now)
    now += 2 * RELAPSE_S
    for _ in range(FAILURES_IN_ROW):
        breaker.failed(now)
    assert breaker.until - now == OPEN_S


def test_signs_of_life_let_the_next_call_try() -> None:
    breaker = an_open_breaker()
    breaker.try_now(NOW)
    assert breaker.allows(NOW)
    assert not breaker.closed


class BreakerMachine(RuleBasedStateMachine):
    """Calls that begin, end well, slowly, badly or never, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = NOW
        self.running = 0
        self.begun_at: list[float] = []

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.allows(self.now))
    @rule()
    def a_call_begins(self) -> None:
        if not self.breaker.closed:
            self.begun_at = [at for at in self.begun_at if self.now - at < TRIAL_S]
            self.begun_at.append(self.now)
        self.breaker.began(self.now)
        self.running += 1

    @rule()
    def a_last_resort_begins(self) -> None:
        self.breaker.began(self.now)
        self.running += 1

    @precondition(lambda self: self.running)
    @rule(slow=st.booleans(), jitter=st.floats(0, 0.99))
    def a_call_is_answered(self, slow: bool, jitter: float) -> None:
        self.running -= 1
        self.begun_at.clear()
        before = self.breaker.until
        self.breaker.succeeded(self.now, slow=slow, jitter=jitter)
        if not slow:
            assert self.breaker.state(self.now) != "open"
            assert self.breaker.until <= max(before, self.now)

    @precondition(lambda self: self.running)
    @rule(jitter=st.floats(0, 0.99))
    def a_call_fails(self, jitter: float) -> None:
        self.running -= 1
        self.begun_at.clear()
        self.breaker.failed(self.now, jitter)

    @precondition(lambda self: self.running)
    @rule()
    def a_call_is_cancelled(self) -> None:
        self.running -= 1

    @invariant()
    def closed_means_that_calls_pass_and_have_not_all_failed(self) -> None:
        if self.breaker.closed:
            assert self.breaker.allows(self.now)
            assert self.breaker.failures_in_row < FAILURES_IN_ROW
        else:
            assert self.breaker.why

    @invariant()
    def nobody_is_locked_out(self) -> None:
        assert self.breaker.until <= self.now + MAX_OPEN_S
        later = max(self.now, self.breaker.until) + TRIAL_S
        assert self.breaker.allows(later)

    @invariant()
    def few_try_at_a_time(self) -> None:
        assert len(self.begun_at) <= TRIALS + 1


TestBreakerMachine = BreakerMachine.TestCase


@pytest.mark.parametrize("silent_s", [0.0, 5.0, 100.0])
def test_the_window_counts_what_is_in_it(silent_s: float) -> None:
    breaker = Breaker()
    for _ in range(7):
        breaker.succeeded(NOW)
    breaker.failed(NOW)
    expected = (8, 1) if silent_s < WINDOW_S else (0, 0)
    assert breaker.seen(NOW + silent_s) == expected
