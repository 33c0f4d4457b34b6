"""Redis counts requests and tokens a minute exactly as a process by itself does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis as client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicated import RedisServer
from tierwise.state.limits import Limiter
from tierwise.state.shared.scripts import ALL, LEAVE_TEXT, TAKE_TEXT, rates
from tierwise.types import Limits

STILL = "local now = tonumber(redis.call('GET', 'now'))\n"
"""A clock that the test sets."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield client.Redis.from_url(running.url)


steps = st.lists(
    st.tuples(
        st.floats(0, 90),  # seconds that pass
        st.integers(0, 3000),  # tokens expected
        st.integers(0, 5000),  # tokens used
        st.booleans(),  # whether the oldest call that runs is over now
    ),
    max_size=30,
)


@given(st.integers(1, 100), st.integers(1, 10_000), st.integers(1, 4), steps)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_redis_counts_as_a_process_does(
    server: Any, rpm: int, tpm: int, concurrency: int, steps: list[tuple[float, int, int, bool]]
) -> None:
    server.flushall()
    take = server.register_script(rates(TAKE_TEXT, STILL).text)
    leave = server.register_script(rates(LEAVE_TEXT, STILL).text)
    limiter = Limiter(Limits(rpm=rpm, tpm=tpm, concurrency=concurrency))
    keys = ["buckets", "calls"]
    now = 1000.0
    running: list[tuple[float, bytes, int, int, int]] = []
    for number, (passed, expected, used, over) in enumerate(steps):
        now += passed
        server.set("now", repr(now))
        if over and running:
            began, at, was_expected, was_used, name = running.pop(0)
            limiter.settle(began, was_expected, was_used)
            limiter.release()
            leave(keys, [tpm, at, was_expected, was_used, name])
        wait = limiter.wait_s(now, expected)
        found, at, *full, calls, _ = take(
            keys, [rpm, tpm, concurrency, expected, number, 1e9, 0, 0, 1.0]
        )
        assert float(found) == pytest.approx(wait, abs=2e-6)
        assert calls == limiter.running
        if wait == 0:
            limiter.take(now, expected)
            running.append((now, at, expected, used, number))
        else:
            assert [float(one) for one in full] == pytest.approx(limiter.full_in_s(now), abs=1e-6)


def test_redis_takes_every_script_under_the_name_that_it_is_called_by(server: Any) -> None:
    server.flushall()
    assert len({script.sha for script in ALL}) == len(ALL)
    for script in ALL:
        assert server.script_load(script.text) == script.sha
