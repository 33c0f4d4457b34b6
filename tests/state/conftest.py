"""Deployments whose time is told by hand."""

from __future__ import annotations

import random

import pytest

from builders import Clock
from standing import LIMITED, A, B, C
from tierwise.state.health import Health


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health([A, B, C], clock, random.Random(1))


@pytest.fixture
def alone(clock: Clock) -> Health:
    """One deployment that may start two requests a minute, of 100 tokens."""
    return Health([LIMITED], clock, random.Random(1))
