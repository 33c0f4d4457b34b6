"""What stays of quality in a peak: the runs on a simulated fleet, in seconds instead of minutes."""

from __future__ import annotations

import json

import msgspec
import pytest

from tierwise.bench.peak import MODES, Options, Peak, run
from tierwise.bench.peak_drive import Arrival, Phases, Seen, arrivals
from tierwise.bench.peak_figures import Course, Priced, figures
from tierwise.cli.bench_peak import show
from tierwise.fleet import Fleet, WorkItem

TINY = Phases(before_s=0.5, peak_s=1.5, after_s=0.5, calm_rps=6.0, peak_rps=30.0)
LONG = Phases(before_s=10.0, peak_s=60.0, after_s=10.0, calm_rps=5.0, peak_rps=20.0)


@pytest.fixture(scope="module")
def result() -> Peak:
    steps: list[str] = []
    options = Options(phases=TINY, speed=0.1)
    found = run(options, steps.append)
    assert len(steps) == options.steps
    return found


@pytest.mark.process
def test_the_json_has_the_promised_keys(result: Peak) -> None:
    told = json.loads(msgspec.json.encode(result))
    assert told["simulated"] is True
    assert told["learned_from"] == 0
    assert told["calls"] >= 1
    assert told["in_turn"][0] == told["reference"]
    assert list(told["runs"]) == ["unlimited", "prices", "first_come", "round_robin"] == [*MODES]
    for mode, one in told["runs"].items():
        assert set(one) == set(told["runs"]["unlimited"])
        assert one["requests"] == told["runs"]["unlimited"]["requests"] > 0
        assert one["failed"] == 0
        assert (one["use"] is None) == (mode == "unlimited")
    unlimited = told["runs"]["unlimited"]
    assert (unlimited["quality_rel"], unlimited["complex_rel"]) == (1.0, 1.0)
    assert unlimited["price_gone_s"] is None


@pytest.mark.process
def test_without_prices_there_are_none(result: Peak) -> None:
    for mode in ("unlimited", "first_come", "round_robin"):
        assert result.runs[mode].price_max == 0.0
        assert result.runs[mode].price_moves_per_min == 0.0


@pytest.mark.process
def test_people_are_told_that_it_is_simulated(
    result: Peak, capsys: pytest.CaptureFixture[str]
) -> None:
    show(result)
    shown = capsys.readouterr().out
    assert "simulated" in shown
    assert "round robin" in shown
    assert "…" not in shown


def test_requests_come_at_the_rate_of_their_phase_and_always_the_same() -> None:
    fleet = Fleet.simulated()
    coming = arrivals(fleet, LONG, seed=1)
    assert coming == arrivals(fleet, LONG, seed=1)
    assert [one.at for one in coming] == sorted(one.at for one in coming)
    peak = [one for one in coming if LONG.in_peak(one.at)]
    assert len(peak) == pytest.approx(1200, rel=0.15)
    assert len(coming) - len(peak) == pytest.approx(100, rel=0.4)


def an_item(name: str) -> WorkItem:
    return WorkItem(id=name, request={}, kind="qa", domain="general")


def seen(at: float, model: str | None, score: float, name: str = "a") -> Seen:
    return Seen(arrival=Arrival(at, an_item(name)), model=model, latency_s=1.0, score=score)


def a_course(*requests: Seen, prices: tuple[Priced, ...] = (), busy_s: float = 0.0) -> Course:
    difficulty = {"easy": 0.1, "so-so": 0.5, "hard": 0.9}
    return Course(seen=requests, prices=prices, busy_s=busy_s, difficulty=difficulty)


def test_figures_are_of_the_peak_and_beside_the_run_without_limits() -> None:
    peak = [("easy", 1.0), ("so-so", 1.0), ("hard", 0.0)]
    limited = a_course(
        seen(1.0, None, 0.0),  # before the peak
        *(seen(20.0, "large" if name == "hard" else "small", score, name) for name, score in peak),
        prices=(Priced(9.0, 0.0), Priced(20.0, 0.1), Priced(72.5, 0.1), Priced(73.0, 0.0)),
        busy_s=60.0,
    )
    usual = a_course(*(seen(20.0, "large", 1.0, name) for name, _ in peak))
    found = figures(
        limited, usual, reference="large", phases=LONG, calls=2, needy={"so-so"}
    )  # fmt: skip
    assert found.requests == 3
    assert found.quality_rel == pytest.approx(2 / 3, abs=1e-4)
    assert (found.complex_rel, found.needy_rel) == (0.0, 1.0)
    assert found.reference_share == pytest.approx(1 / 3, abs=1e-4)
    assert found.use == 0.5
    assert found.failed == 1
    assert found.price_moves_per_min == pytest.approx(60 * 2 / 80)
    assert found.price_gone_s == 2.5


def test_a_share_of_traffic_that_turns_from_second_to_second_is_counted() -> None:
    turning = [seen(10.5 + second, "large" if second % 2 else "small", 1.0) for second in range(60)]
    steady = [seen(10.5 + second, "large", 1.0) for second in range(60)]
    counted = [
        figures(
            a_course(*one), a_course(*steady), reference="large", phases=LONG, calls=1, needy=()
        ).turns_per_min
        for one in (turning, steady)
    ]
    assert counted == [59.0, 0.0]
