"""A limit that nobody knows is found, never starves a deployment, and gives way when it can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.concurrency import CUT, FLOOR, MOST, AdaptiveLimit

NOW = 1000.0


def test_there_is_no_limit_until_something_says_so() -> None:
    limit = AdaptiveLimit()
    for _ in range(100):
        limit.answered(500, 0.1)
    assert limit.limit == float("inf")


def test_being_turned_away_leaves_a_share_of_what_was_running() -> None:
    limit = AdaptiveLimit()
    limit.overloaded(NOW, 50, 1.0)
    assert limit.limit == CUT * 50


def test_calls_that_fail_together_cut_once() -> None:
    limit = AdaptiveLimit()
    for place in range(50):
        limit.overloaded(NOW + place / 100, 50 - place, 1.0)
    assert limit.limit == CUT * 50


def test_it_grows_by_about_one_in_the_time_of_one_call() -> None:
    limit = AdaptiveLimit()
    limit.overloaded(NOW, 20, 1.0)
    before = limit.limit
    for _ in range(int(before)):
        limit.answered(int(before), 0.1)
    assert before + 0.9 < limit.limit < before + 1.1


def test_it_does_not_grow_while_calls_are_late_or_little_of_it_is_used() -> None:
    limit = AdaptiveLimit()
    limit.overloaded(NOW, 20, 1.0)
    before = limit.limit
    limit.answered(14, 0.9)
    limit.answered(3, 0.1)
    assert limit.limit == before


def test_it_settles_near_what_a_deployment_takes() -> None:
    """One that turns away whatever is beyond 30 calls at a time, asked for 60."""
    limit, now, kept = AdaptiveLimit(), NOW, []
    for step in range(4000):
        now += 1 / 30
        running = int(min(60, limit.limit))
        if running > 30:
            limit.overloaded(now, running, 1.0)
        else:
            limit.answered(running, 0.2)
        if step > 2000:
            kept.append(limit.limit)
    assert min(kept) > 20
    assert max(kept) < 33


@given(
    signs=st.lists(
        st.tuples(st.booleans(), st.integers(0, 100), st.floats(0, 5), st.floats(0, 2)),
        max_size=100,
    )
)
def test_it_stays_between_the_floor_and_the_most(
    signs: list[tuple[bool, int, float, float]],
) -> None:
    limit, now = AdaptiveLimit(), NOW
    for overloaded, in_flight, pause, late in signs:
        now += pause
        if overloaded:
            limit.overloaded(now, in_flight, 1.0)
        else:
            limit.answered(in_flight, late)
        assert limit.limit == float("inf") or FLOOR <= limit.limit <= MOST
