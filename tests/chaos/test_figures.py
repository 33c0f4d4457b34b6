"""Which failures count, and what is compared with what."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.chaos.detect import Call, Detected, detected
from tierwise.chaos.figures import Result, ScenarioFigures, figures
from tierwise.chaos.judge import Judged
from tierwise.chaos.outage import Played, Rest, places
from tierwise.chaos.scenarios import NAMES, Scenario, chosen
from tierwise.chaos.seen import Seen
from tierwise.errors import ConfigError
from tierwise.fleet import Fleet

FLEET = Fleet.simulated(speed=0.0)
ITEM = FLEET.workload(1)[0]
FINE = Judged(model="sim-small", provider="gamma")
TOLD = Judged(failed="503: all dead", clear=True)
SUDDEN = Judged(failed="no answer")


def seen(number: int, at: float, latency_s: float = 0.1) -> Seen:
    return Seen(
        number=number, item=ITEM, stream=False, at=at, latency_s=latency_s, status=200,
        headers={}, body=b"",
    )  # fmt: skip


def played(*requests: tuple[Seen, Judged], **more: Any) -> Played:
    values: dict[str, Any] = {
        "scenario": Scenario(name="dies", what="a provider dies"), "seen": list(requests),
        "hit": ("gamma",), "path_alive": True, "recovery_s": 0.5, "began": 10.0, "ended": 20.0,
        "rests": [], "wall_s": 0.0,
    }  # fmt: skip
    return Played(**{**values, **more})


def test_every_failure_counts_while_a_path_is_alive() -> None:
    found = figures(played((seen(0, 12.0), TOLD), (seen(1, 13.0), FINE)), {}, None, 5.0)
    assert (found.requests, found.failed, found.refused) == (2, 1, 0)


@pytest.mark.parametrize(
    ("request_seen", "verdict", "failed"),
    [
        (seen(0, 12.0), TOLD, 0),
        (seen(0, 12.0), SUDDEN, 1),
        (seen(0, 12.0, 6.0), TOLD, 1),
        (seen(0, 9.0), TOLD, 1),
        (seen(0, 9.0, 2.0), TOLD, 0),
        (seen(0, 21.0), TOLD, 0),
        (seen(0, 23.0), TOLD, 1),
    ],
)
def test_with_every_path_dead_a_clear_error_in_time_is_all_that_can_be_asked_for(
    request_seen: Seen, verdict: Judged, failed: int
) -> None:
    found = figures(played((request_seen, verdict), path_alive=False), {}, None, 5.0)
    assert (found.failed, found.refused) == (failed, 1 - failed)


def test_added_latency_is_that_of_the_same_requests_during_the_outage() -> None:
    requests = [(seen(0, 1.0, 9.0), FINE), *((seen(n, 10.0 + n, 0.3), FINE) for n in range(1, 4))]
    found = figures(played(*requests), {0: 0.1, 1: 0.1, 2: 0.2}, None, 5.0)
    assert found.added_p50_ms == pytest.approx(100.0)
    assert found.added_p99_ms == pytest.approx(200.0)
    assert found.added_p50_share == pytest.approx(1.0)


def test_wrong_answers_are_counted_and_told() -> None:
    wrong = Judged(wrong=("2 times role", "0 times usage"), model="sim-small", provider="gamma")
    found = figures(played((seen(0, 12.0), wrong)), {}, None, 5.0)
    assert found.wrong == 1
    assert found.errors == ["1 x 2 times role, 0 times usage"]


def test_found_out_is_when_the_gateway_leaves_the_slowest_of_the_deployments_alone() -> None:
    calls = [Call("gamma/a", 9.0), *(Call("gamma/a", 10.0 + n / 10) for n in range(4))]
    calls += [Call("gamma/b", 11.0), Call("gamma/b", 13.0), Call("beta/c", 10.0)]
    rests = [Rest("gamma/a", 10.25), Rest("gamma/b", 13.1), Rest("gamma/b", 30.0)]
    found = detected(calls, rests, ["gamma"], 10.0, 20.0)
    assert found == Detected(2, pytest.approx(2.1))
    assert detected(calls, [Rest("gamma/a", 25.0)], ["gamma"], 10.0, 20.0) is None


def test_providers_have_their_places_by_who_answered_most() -> None:
    healthy = [Judged(provider=name) for name in ("delta", "delta", "gamma", "beta")]
    assert places(FLEET, healthy) == ["delta", "gamma", "beta", "alpha"]


def test_a_scenario_is_measured_against_the_healthy_run() -> None:
    assert [one.name for one in chosen(["dies"])] == ["healthy", "dies"]
    assert [one.name for one in chosen([])] == list(NAMES)
    assert [one.name for one in chosen(["crowd"])] == ["crowd"]


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="flaps"):
        chosen(["flap"])


@pytest.mark.parametrize(
    ("path_alive", "failed", "wrong", "passed"),
    [(True, 0, 0, True), (True, 1, 0, False), (True, 0, 1, False), (False, 1, 0, True)],
)
def test_it_passes_if_nothing_failed_where_a_path_was_alive(
    path_alive: bool, failed: int, wrong: int, passed: bool
) -> None:
    one = ScenarioFigures(
        name="dies", what="", path_alive=path_alive, requests=3, failed=failed, wrong=wrong
    )
    result = Result(
        scenarios=[one], simulated=True, seed=0, speed=1.0, rate=1.0, timeouts={}, deadline_s=1.0,
        load=0.0,
    )  # fmt: skip
    assert result.passed is passed
