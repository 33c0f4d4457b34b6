"""Limits are never exceeded by who waits as long as it is told, and nobody is told too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tierwise.state.limits import MINUTE_S, Left, Limiter
from tierwise.types import Limits

NOW = 1000.0


def test_without_limits_nothing_waits() -> None:
    limiter = Limiter(Limits())
    for _ in range(1000):
        limiter.take(NOW, 10**9)
    assert limiter.wait_s(NOW, 10**9) == 0
    assert limiter.left(NOW) == Left(None, None, None)


def test_a_minute_s_requests_may_come_at_once_and_the_next_waits_for_one_to_be_refilled() -> None:
    limiter = Limiter(Limits(rpm=60))
    for _ in range(60):
        assert limiter.wait_s(NOW) == 0
        limiter.take(NOW)
    assert limiter.wait_s(NOW) == pytest.approx(1.0)
    assert limiter.wait_s(NOW + 1.0) == 0


def test_tokens_that_were_not_used_are_given_back() -> None:
    limiter = Limiter(Limits(tpm=6000))
    limiter.take(NOW, 6000)
    assert limiter.wait_s(NOW + 1, 1000) == pytest.approx(9.0)
    limiter.settle(NOW, 6000, 1000)
    assert limiter.wait_s(NOW + 1, 1000) == 0


def test_tokens_that_were_used_beyond_what_was_expected_are_owed() -> None:
    limiter = Limiter(Limits(tpm=6000))
    limiter.take(NOW, 0)
    limiter.settle(NOW, 0, 12_000)
    left = limiter.left(NOW)
    assert left.tokens == 0
    assert limiter.wait_s(NOW, 1) == pytest.approx(60.01)


def test_what_was_made_good_by_waiting_is_not_given_back_as_well() -> None:
    limiter = Limiter(Limits(tpm=6000))
    limiter.take(NOW, 3000)
    later = NOW + 90
    limiter.take(later, 6000)
    limiter.settle(NOW, 3000, 0)
    assert limiter.left(later).tokens == pytest.approx(0)


def test_a_prompt_larger_than_a_minute_s_allowance_waits_for_all_of_it() -> None:
    limiter = Limiter(Limits(tpm=6000))
    assert limiter.wait_s(NOW, 9000) == 0
    limiter.take(NOW, 9000)
    assert limiter.wait_s(NOW, 9000) == pytest.approx(90.0)


def test_calls_at_a_time_are_limited_and_the_wait_is_a_share_of_a_call() -> None:
    limiter = Limiter(Limits(concurrency=4))
    for _ in range(4):
        limiter.take(NOW)
    assert limiter.wait_s(NOW, usual_s=8.0) == 2.0
    assert limiter.left(NOW).calls == 0
    limiter.release()
    assert limiter.wait_s(NOW) == 0
    assert limiter.left(NOW).calls == 1


@given(rpm=st.floats(0.5, 60), pauses=st.lists(st.floats(0, 2), min_size=1, max_size=80))
def test_who_waits_as_told_may_begin_and_who_waits_less_may_not(
    rpm: float, pauses: list[float]
) -> None:
    limiter, now = Limiter(Limits(rpm=rpm)), NOW
    for pause in pauses:
        now += pause
        limiter.take(now)  # whoever waits or not
    wait = limiter.wait_s(now)
    assert limiter.wait_s(now + wait) == 0
    if wait > 0.01:
        assert limiter.wait_s(now + 0.99 * wait) > 0


class LimiterMachine(RuleBasedStateMachine):
    """Callers that wait when they are told to, and answers of any length."""

    @initialize(rpm=st.integers(1, 200), tpm=st.integers(10, 10_000), calls=st.integers(1, 5))
    def limits(self, rpm: int, tpm: int, calls: int) -> None:
        self.rpm, self.tpm, self.calls = rpm, tpm, calls
        self.limiter = Limiter(Limits(rpm=rpm, tpm=tpm, concurrency=calls))
        self.now = NOW
        self.running: list[tuple[float, int]] = []
        self.requests = 0
        self.tokens = 0
        self.owed = 0

    @rule(seconds=st.floats(0, 90))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(tokens=st.integers(0, 10_000))
    def a_call_is_wanted(self, tokens: int) -> None:
        tokens = min(tokens, self.tpm)
        wait = self.limiter.wait_s(self.now, tokens)
        assert wait >= 0
        if wait > 0:
            return
        assert len(self.running) < self.calls
        self.limiter.take(self.now, tokens)
        self.running.append((self.now, tokens))
        self.requests += 1
        self.tokens += tokens

    @precondition(lambda self: self.running)
    @rule(share=st.floats(0, 2))
    def a_call_ends(self, share: float) -> None:
        taken_at, expected = self.running.pop()
        used = int(share * expected)
        self.limiter.release()
        self.limiter.settle(taken_at, expected, used)
        self.tokens += used - expected
        self.owed = max(self.owed, 0) + max(0, used - expected)

    @invariant()
    def no_more_was_let_through_than_a_bucket_holds_and_refills(self) -> None:
        minutes = (self.now - NOW) / MINUTE_S
        assert self.requests <= self.rpm * (1 + minutes) + 1e-3
        assert self.tokens <= self.tpm * (1 + minutes) + self.owed + 1e-3

    @invariant()
    def what_is_left_is_never_below_zero_nor_above_the_limit(self) -> None:
        left = self.limiter.left(self.now)
        assert 0 <= left.requests <= self.rpm
        assert 0 <= left.tokens <= self.tpm + 1e-6
        assert left.calls == self.calls - len(self.running)


TestLimiterMachine = LimiterMachine.TestCase
