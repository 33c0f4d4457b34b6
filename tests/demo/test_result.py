from __future__ import annotations

import pytest

from tierwise.demo.drive import Outcome
from tierwise.demo.result import percentile, summarise
from tierwise.fleet import Fleet

FLEET = Fleet.simulated(speed=0.0)
ITEMS = FLEET.workload(4)


def outcome(number: int, **changes: object) -> Outcome:
    values: dict[str, object] = {
        "item": ITEMS[number],
        "status": 200,
        "latency_s": 0.1,
        "model": "sim-small",
        "deployment": "gamma/sim-small",
        "tier": 1,
        "attempts": 1,
        "cost_usd": 0.001,
        "score": 1.0,
        "right": True,
    }
    return Outcome(**{**values, **changes})  # type: ignore[arg-type]


def summary(*outcomes: Outcome):
    return summarise(
        FLEET,
        outcomes,
        policy="auto",
        learned_from=0,
        failovers=3,
        escalations=2,
        added_s=[0.001, 0.002, 0.003],
        killed="gamma",
        seconds=1.0,
    )


def test_a_failed_request_counts_as_failed_and_as_worth_nothing() -> None:
    failed = outcome(
        1, status=503, model=None, deployment=None, cost_usd=0.0, score=None, error="no path"
    )
    result = summary(outcome(0), failed)
    assert result.failed == 1
    assert result.quality == 0.5
    assert result.small_share == 0.5
    assert result.errors == ["no path"]


def test_an_altered_answer_is_counted() -> None:
    assert summary(outcome(0), outcome(1, right=False)).wrong == 1


def test_the_reference_is_not_a_small_model() -> None:
    assert summary(outcome(0), outcome(1, model=FLEET.reference)).small_share == 0.5


def test_costs_are_compared_with_the_reference_on_the_same_requests() -> None:
    result = summary(outcome(0), outcome(1))
    reference = FLEET.reference_cost(ITEMS[0]) + FLEET.reference_cost(ITEMS[1])
    assert result.cost_usd == pytest.approx(0.002)
    assert result.reference_cost_usd == pytest.approx(reference)
    assert result.saving == pytest.approx(1 - 0.002 / reference)


def test_added_latency_is_given_in_milliseconds() -> None:
    added = summary(outcome(0)).added_latency_ms
    assert (added.p50, added.p99) == (pytest.approx(2.0), pytest.approx(3.0))


@pytest.mark.parametrize(
    ("values", "fraction", "wanted"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), ([1.0, 2.0], 0.99, 2.0)],
)
def test_percentiles_are_nearest_rank(values: list[float], fraction: float, wanted: float) -> None:
    assert percentile(values, fraction) == wanted
