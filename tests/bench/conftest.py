"""Benchmarks take long, and need programs that few machines have."""

from __future__ import annotations

import pytest

from tierwise.bench.programs import MissingProgram, find_program


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest.fixture
def nginx_and_wrk() -> None:
    """Skips a test where they are not: CI has no wrk, since nothing is measured there."""
    try:
        for name in ("nginx", "wrk"):
            find_program(name, name)
    except MissingProgram as error:
        pytest.skip(str(error))
