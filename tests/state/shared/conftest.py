"""A Redis that keeps what replicas share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from replicated import RedisServer


@pytest.fixture
def lasting_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that has everything again when it is started again."""
    with RedisServer(tmp_path / "lasting", keeps=True) as server:
        yield server
