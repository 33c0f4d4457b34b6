"""What is out is looked at soon, then less and less often, never rarely."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tierwise.state.probe import FIRST_S, MAX_S, ProbeTimes

NOW = 1000.0


def test_pauses_double_up_to_a_limit_until_it_has_answered() -> None:
    times = ProbeTimes()
    times.out(NOW, 0.0)
    pauses = [times.at - NOW]
    for _ in range(6):
        now = times.at
        times.probed(now, 0.0)
        pauses.append(times.at - now)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    times.answered()
    times.out(NOW, 0.0)
    assert times.at == NOW + FIRST_S


def test_going_out_again_while_it_is_out_changes_nothing() -> None:
    times = ProbeTimes()
    times.out(NOW, 0.0)
    times.probed(NOW, 0.0)
    at = times.at
    times.out(NOW + 0.1, 0.0)
    assert times.at == at


@given(draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_jitter_only_makes_it_sooner(draws: list[float]) -> None:
    times, now = ProbeTimes(), NOW
    times.out(now, draws[0])
    for draw in draws:
        now = times.at
        times.probed(now, draw)
        assert FIRST_S / 2 <= times.at - now <= MAX_S + 1e-9
