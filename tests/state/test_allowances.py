"""Each client has limits of its own, and nobody uses up another's."""

from __future__ import annotations

import pytest

from tierwise.errors import Overloaded
from tierwise.state.allowances import Allowances
from tierwise.types import Limits, Usage

NOW = 1000.0


def test_without_limits_a_client_has_no_limiter() -> None:
    assert Allowances(Limits(), {}).of("key-1") is None
    assert Allowances(Limits(), {}).of(None) is None


def test_a_client_that_is_at_its_limit_leaves_others_theirs() -> None:
    allowances = Allowances(Limits(rpm=1), {})
    one, other = allowances.of("key-1"), allowances.of("key-2")
    assert one is not None
    assert other is not None
    one.take(NOW)
    assert one.wait_s(NOW) > 0
    assert other.wait_s(NOW) == 0
    assert allowances.of("key-1") is one


def test_limits_of_one_s_own_come_before_those_of_all() -> None:
    allowances = Allowances(Limits(rpm=1), {"key-1": Limits(rpm=5)})
    own, usual = allowances.of("key-1"), allowances.of(None)
    assert own is not None
    assert usual is not None
    assert (own.left(NOW).requests, usual.left(NOW).requests) == (5, 1)


def test_a_client_may_be_without_limits_where_others_have_some() -> None:
    assert Allowances(Limits(rpm=1), {"key-1": Limits()}).of("key-1") is None


def test_a_request_beyond_a_limit_is_told_when_the_next_fits() -> None:
    allowances = Allowances(Limits(rpm=2), {})
    for _ in range(2):
        with allowances.enter("key-1", 10, NOW):
            pass
    with pytest.raises(Overloaded) as caught:
        allowances.enter("key-1", 10, NOW)
    assert caught.value.retry_after == pytest.approx(30.0)
    assert caught.value.code == "rate_limit_exceeded"
    assert "fits in 30.0 s" in caught.value.message
    assert "key-1" not in caught.value.message


def test_a_client_with_too_many_requests_under_way_is_told_that_and_no_time() -> None:
    allowances = Allowances(Limits(concurrency=1), {})
    with allowances.enter("key-1", 0, NOW), pytest.raises(Overloaded) as caught:
        allowances.enter("key-1", 0, NOW)
    assert "has 1 requests under way" in caught.value.message
    assert "fits in" not in caught.value.message


def test_what_an_answer_took_is_what_counts() -> None:
    allowances = Allowances(Limits(tpm=1000), {})
    with allowances.enter("key-1", 1000, NOW) as taken:
        with pytest.raises(Overloaded):
            allowances.enter("key-1", 100, NOW)
        taken.used(Usage(input_tokens=100, output_tokens=200))
    limiter = allowances.of("key-1")
    assert limiter is not None
    assert limiter.left(NOW).tokens == pytest.approx(700)


def test_a_request_that_fails_gives_its_place_back() -> None:
    allowances = Allowances(Limits(concurrency=1), {})
    with pytest.raises(ZeroDivisionError), allowances.enter("key-1", 0, NOW):
        raise ZeroDivisionError
    with allowances.enter("key-1", 0, NOW), pytest.raises(Overloaded):
        allowances.enter("key-1", 0, NOW)


def test_without_limits_any_number_may_be_under_way() -> None:
    allowances = Allowances(Limits(), {})
    with allowances.enter("a", 10**9, NOW) as one, allowances.enter("a", 10**9, NOW):
        one.used(Usage())
