"""Failovers are a share of a deployment's own traffic, so that they never multiply an outage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.retry_budget import FREE_PER_S, SHARE, RetryBudget
from tierwise.state.window import WINDOW_S

NOW = 1000.0
FREE = int(FREE_PER_S * WINDOW_S)


def test_little_traffic_can_fail_over_too() -> None:
    budget = RetryBudget()
    assert sum(budget.withdraw(NOW) for _ in range(100)) == FREE


def test_a_share_of_the_traffic_may_be_retries() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.deposit(NOW)
    assert sum(budget.withdraw(NOW) for _ in range(1000)) == int(SHARE * 1000) + FREE


def test_what_is_not_used_expires() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.deposit(NOW)
    assert budget.left(NOW + 2 * WINDOW_S) == FREE


def test_retries_that_nobody_could_refuse_are_counted_all_the_same() -> None:
    budget = RetryBudget()
    for _ in range(50):
        budget.count(NOW)
    assert budget.left(NOW) == 0
    assert not budget.withdraw(NOW)


@given(steps=st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200))
def test_retries_never_exceed_the_share_in_any_window(steps: list[tuple[bool, float]]) -> None:
    budget, now = RetryBudget(), NOW
    first: list[int] = []
    retries: list[int] = []
    for is_first, pause in steps:
        now += pause
        if is_first:
            budget.deposit(now)
            first.append(int(now))
        elif budget.withdraw(now):
            retries.append(int(now))
        begin = int(now) - int(WINDOW_S)
        made = sum(at > begin for at in retries)
        # A retry that was allowed stays counted for the window; its deposit may expire before.
        allowed = SHARE * sum(at > begin - int(WINDOW_S) for at in first) + FREE
        assert made <= allowed + 1e-9
        assert budget.left(now) >= 0
