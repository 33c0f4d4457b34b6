"""A call is slow by the measure of its own deployment, and a long answer is not a slow one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.pace import MIN_CALLS, SLOW_BY_S, SLOW_TIMES, Pace
from tierwise.state.quantile import LATEST, MIN_VALUES, Latest


def later(pace: Pace) -> float:
    """A moment that is not close to the last call."""
    return max(0.0, pace.seen_at) + 1.0


def whole(pace: Pace, latency_s: float, tokens: int | None) -> bool:
    return pace.saw(later(pace), latency_s, tokens=tokens) > 1


def stream(pace: Pace, ttft_s: float, latency_s: float = 30.0) -> bool:
    return pace.saw(later(pace), latency_s, ttft_s) > 1


def a_pace() -> Pace:
    """Answers of 10 to 2,000 tokens, half a second and then a hundred tokens a second."""
    pace, draw = Pace(), random.Random(3)
    for _ in range(200):
        tokens = draw.randint(10, 2000)
        whole(pace, (0.5 + tokens / 100) * draw.uniform(0.7, 1.4), tokens)
        stream(pace, 0.5 * draw.uniform(0.5, 2.0))
    return pace


def test_a_call_that_ends_with_another_counts_as_that_one_did() -> None:
    pace = a_pace()
    now = later(pace)
    assert pace.saw(now, 60.0, tokens=10) > 1
    known = pace.latency_s
    assert pace.saw(now + 0.0001, 0.1, tokens=10) > 1
    assert pace.latency_s == known
    assert pace.saw(now + 0.01, 0.1, tokens=10) <= 1


def test_moving_averages_follow() -> None:
    pace = Pace()
    pace.saw(0.0, 1.0, 0.5)
    pace.saw(1.0, 2.0)
    assert pace.latency_s == pytest.approx(1.2)
    assert pace.ttft_s == 0.5
    assert pace.seen_at == 1.0


def test_a_long_answer_is_not_slow_and_a_short_one_that_takes_as_long_is() -> None:
    pace = a_pace()
    assert not whole(pace, 40.5, 4000)
    assert whole(pace, 40.5, 100)


def test_an_answer_that_nobody_counted_is_never_slow() -> None:
    pace = a_pace()
    assert not whole(pace, 500.0, None)


def test_a_stream_is_slow_by_its_first_token_and_never_by_its_reader() -> None:
    pace = a_pace()
    assert not stream(pace, 0.6, latency_s=3000.0)
    assert stream(pace, 10.0)


def test_nothing_is_slow_before_anything_is_usual() -> None:
    pace = Pace()
    assert not any(stream(pace, 10.0 * place) for place in range(MIN_CALLS))


def test_what_is_late_by_little_is_not_slow_however_quick_the_usual() -> None:
    pace = Pace()
    for _ in range(100):
        stream(pace, 0.001)
    assert not stream(pace, SLOW_BY_S)
    assert stream(pace, SLOW_BY_S + 0.01)


def test_a_bound_that_was_configured_holds_whatever_is_usual() -> None:
    pace = Pace()
    assert pace.saw(0.0, 60.0, 6.0, slow_s=5.0) > 1
    assert pace.saw(0.0, 60.0, 4.0, slow_s=5.0) <= 1
    assert pace.saw(0.0, 6.0, slow_s=5.0) > 1


def test_turning_slow_is_seen_for_many_calls_and_becomes_usual_in_the_end() -> None:
    pace = a_pace()
    slow = [stream(pace, 0.5 * 5 * SLOW_TIMES) for _ in range(300)]
    assert all(slow[:30])
    assert not any(slow[-10:])


def test_one_hung_call_does_not_make_the_next_hung_call_usual() -> None:
    pace = a_pace()
    assert whole(pace, 100_000.0, 100)
    assert whole(pace, 60.0, 100)


def test_a_mix_of_streams_and_whole_answers_is_one_steady_figure() -> None:
    pace, draw, seen = Pace(), random.Random(5), []
    for place in range(400):
        if draw.random() < 0.5:
            stream(pace, 0.5, latency_s=600.0)
        else:
            whole(pace, 5.0, 100)
        if place > 100:
            seen.append(pace.heard_s or 0.0)
    assert min(seen) > 1.2
    assert max(seen) < 4.5


def test_percentiles_are_there_when_there_are_enough_values() -> None:
    pace = Pace()
    for place in range(100):
        assert (pace.p95_ttft_s is None) == (place < MIN_VALUES)
        pace.saw(later(pace), 9.0, place / 100)
    assert pace.p95_ttft_s == 0.95
    pace.saw(0.0, 9.0)
    assert pace.p95_ttft_s == 0.95


@given(values=st.lists(st.floats(0, 1e3), max_size=3 * LATEST), share=st.floats(0, 1))
def test_quantiles_are_those_of_the_latest_values(values: list[float], share: float) -> None:
    latest = Latest()
    for value in values:
        latest.add(value)
    kept = sorted(values[-LATEST:])
    if len(kept) < MIN_VALUES:
        assert latest.quantile(share) is None
    else:
        assert latest.quantile(share) == kept[min(len(kept) - 1, int(share * len(kept)))]
