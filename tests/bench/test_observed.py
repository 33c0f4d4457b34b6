"""What it costs to be told of everything, as short as it can be measured."""

from __future__ import annotations

import pytest

from tierwise.bench.observed import Options, run


@pytest.mark.slow
@pytest.mark.usefixtures("nginx_and_wrk")
def test_every_request_of_the_measurement_is_told_of() -> None:
    options = Options(seconds=1, rounds=1)
    steps: list[str] = []
    result = run(options, steps.append)
    assert len(steps) == options.steps
    assert result.plain_us > 0
    assert result.observed_us > 0
    assert result.plain_chunk_us > 0
    assert result.observed_chunk_us > 0
    # Each has its request, its routing and its call.
    assert result.spans_sent + result.spans_dropped >= 3 * result.requests
    assert result.spans_dropped == 0
    assert result.lines >= result.requests
