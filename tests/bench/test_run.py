"""A whole benchmark, as short as it can be."""

from __future__ import annotations

import pytest

from tierwise.bench import Options, run


@pytest.mark.slow
@pytest.mark.usefixtures("nginx_and_wrk")
def test_a_short_benchmark_measures_everything_and_loses_no_record() -> None:
    options = Options(seconds=1, rounds=1, starts=1)
    steps: list[str] = []
    result = run(options, steps.append)
    assert len(steps) == options.steps
    assert result.cpu_us_per_request > 0
    assert result.nginx_cpu_us_per_request > 0
    assert result.chunk_us > 0
    assert result.nginx_chunk_us > 0
    assert result.rps > 0
    assert result.start_s > 0
    assert result.rss_idle_mb > 0
    assert result.rss_end_mb > 0
    # Those that wrk broke off at the end of a run are recorded too, as cancelled.
    assert result.ledger_records >= result.requests
    assert result.ledger_dropped == 0
