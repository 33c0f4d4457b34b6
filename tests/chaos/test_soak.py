"""The long run: its trend, and the command for a few seconds."""

from __future__ import annotations

import random

import pytest

from tierwise.chaos import Options
from tierwise.chaos import soak as long_run
from tierwise.chaos.soak import trend
from tierwise.cli.chaos_view import soaked


def readings(slope: float, noise: float, seconds: int = 900) -> list[tuple[float, float]]:
    draw = random.Random(0)
    return [(float(at), 80.0 + slope * at + draw.gauss(0, noise)) for at in range(seconds)]


def test_growth_shows_in_the_trend() -> None:
    slope, low, high = trend(readings(slope=0.01, noise=1.0))
    assert slope == pytest.approx(0.01, rel=0.1)
    assert 0 < low < slope < high


def test_noise_alone_is_no_growth() -> None:
    slope, low, high = trend(readings(slope=0.0, noise=1.0))
    assert low < 0 < high
    assert abs(slope) < 0.001


def test_too_few_readings_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        trend(readings(slope=0.0, noise=1.0, seconds=5))


def test_a_short_run_gives_all_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_run, "FULL_S", 1.0)
    found = long_run.soak(Options(speed=0.0), minutes=0.08)
    assert (found.failed, found.wrong, found.errors) == (0, 0, [])
    assert found.simulated
    assert found.requests > 20
    assert found.rate == found.full_rate / 2
    assert found.rss_most_mb >= found.rss_first_mb > 0
    shown = soaked(found)
    assert "SIMULATED" in shown
    assert f"{found.requests:,} requests, 0 failed, 0 wrong" in shown
