"""A window counts the events of the last seconds, as if it had kept them all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.window import BUCKET_S, BUCKETS, Window

STEPS = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 15)), max_size=60)


@given(start=st.floats(0, 1e6), steps=STEPS)
def test_counts_are_those_of_a_list_of_all_events(
    start: float, steps: list[tuple[int, float]]
) -> None:
    window, now = Window(3), start
    events: list[tuple[int, int]] = []
    for kind, pause in steps:
        now += pause
        window.add(kind, now)
        events.append((kind, int(now / BUCKET_S)))
        first = int(now / BUCKET_S) - BUCKETS + 1
        expected = [sum(k == kind and at >= first for k, at in events) for kind in range(3)]
        assert list(window.totals(now)) == expected


def test_what_is_cleared_is_forgotten() -> None:
    window = Window(2)
    window.add(1, 5.0)
    window.clear()
    window.add(0, 5.5)
    assert list(window.totals(6.0)) == [1, 0]
