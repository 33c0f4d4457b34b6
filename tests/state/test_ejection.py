"""Who is much worse than its siblings goes, but never too many, and never for an accident."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.ejection import MIN_CALLS, Sibling, outliers


def a_sibling(
    failed: int = 0, calls: int = 100, latency_s: float | None = 1.0, **more: bool
) -> Sibling:
    return Sibling(calls, failed, latency_s, more.get("up", True), more.get("ejected", False))


def test_who_fails_much_more_often_goes() -> None:
    assert outliers([a_sibling(), a_sibling(failed=30)]) == [1]
    assert outliers([a_sibling(failed=30), a_sibling(), a_sibling()]) == [0]


def test_who_is_much_slower_goes() -> None:
    assert outliers([a_sibling(latency_s=1.0), a_sibling(latency_s=9.0)]) == [1]
    assert outliers([a_sibling(latency_s=1.0), a_sibling(latency_s=2.0)]) == []
    assert outliers([a_sibling(latency_s=0.001), a_sibling(latency_s=0.1)]) == []


def test_few_calls_say_nothing() -> None:
    few = MIN_CALLS - 1
    assert outliers([a_sibling(), a_sibling(failed=few, calls=few)]) == []
    assert outliers([a_sibling(calls=few), a_sibling(failed=50)]) == []


def test_when_all_fail_alike_nobody_is_an_outlier() -> None:
    assert outliers([a_sibling(failed=40), a_sibling(failed=45), a_sibling(failed=38)]) == []


def test_of_many_the_worst_goes_first_and_half_stay() -> None:
    siblings = [a_sibling(), a_sibling(failed=30), a_sibling(failed=60), a_sibling(), a_sibling()]
    assert outliers(siblings) == [2, 1]
    assert outliers([*siblings[:3], a_sibling(failed=90), a_sibling()])[0] == 3


def test_the_only_one_that_is_up_stays() -> None:
    assert outliers([a_sibling(failed=50)]) == []
    assert outliers([a_sibling(failed=50), a_sibling(up=False)]) == []
    assert outliers([a_sibling(failed=50), a_sibling(ejected=True), a_sibling(up=False)]) == []


def test_equal_siblings_are_hardly_ever_told_apart() -> None:
    draw = random.Random(1)
    found = 0
    for _ in range(2000):
        calls = [draw.randint(20, 200) for _ in range(3)]
        failed = [sum(draw.random() < 0.1 for _ in range(count)) for count in calls]
        found += bool(outliers([a_sibling(f, c) for f, c in zip(failed, calls, strict=True)]))
    assert found < 60


SIBLINGS = st.lists(
    st.integers(0, 300).flatmap(
        lambda calls: st.builds(
            Sibling,
            st.just(calls),
            st.integers(0, calls),
            st.none() | st.floats(0, 100),
            st.booleans(),
            st.booleans(),
        )
    ),
    max_size=9,
)


@given(siblings=SIBLINGS)
def test_never_more_than_half_are_out_and_never_the_last(siblings: list[Sibling]) -> None:
    going = outliers(siblings)
    assert len(set(going)) == len(going)
    assert all(siblings[place].up and not siblings[place].ejected for place in going)
    if going:
        out = sum(one.ejected for one in siblings) + len(going)
        assert out <= len(siblings) // 2
        staying = [
            place
            for place, one in enumerate(siblings)
            if one.up and not one.ejected and place not in going
        ]
        assert staying
