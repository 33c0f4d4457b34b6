"""A report's figures against ones worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise.errors import ConfigError
from tierwise.ledger import Ledger, Report, parse_since, report
from tierwise.types import Attempt, Record, Usage

MakeRecord = Callable[..., Record]


def attempt(deployment: str, outcome: str, cost: float = 0.0, tier: int = 1) -> Attempt:
    answered = outcome in ("accepted", "rejected")
    return Attempt(
        deployment=deployment,
        model=deployment.partition("/")[2],
        tier=tier,
        outcome=outcome,
        usage=Usage(input_tokens=100, output_tokens=10) if answered else None,
        cost_usd=cost,
    )


@pytest.fixture
def story(make_record: MakeRecord) -> list[Record]:
    """Six requests.

    1 and 2 `small` answers at once: 0.001 each, the reference would cost 0.01.
    3 `small` is rejected (0.001), `large` answers (0.010): 0.011 against 0.01.
    4 `alpha` is down, `beta` answers with `small`: 0.002 against 0.01.
    5 the caller names `large`, which costs what the reference costs: 0.01 against 0.01.
    6 nobody answers: two calls fail, 0 against 0.
    """
    escalated = (
        attempt("alpha/small", "rejected", 0.001),
        attempt("alpha/large", "accepted", 0.010, tier=2),
    )
    failed_over = (
        attempt("alpha/small", "server_failed"),
        attempt("beta/small", "accepted", 0.002),
    )
    return [
        make_record(latency_s=1.0, ttft_s=0.1, domain="finance"),
        make_record(latency_s=2.0, domain="finance"),
        make_record(
            attempts=escalated,
            cost_usd=0.011,
            model="large",
            deployment="alpha/large",
            tier=2,
            latency_s=4.0,
            domain="legal",
        ),
        make_record(
            attempts=failed_over,
            cost_usd=0.002,
            deployment="beta/small",
            failovers=1,
            latency_s=3.0,
            kind="code",
        ),
        make_record(
            policy=None,
            model="large",
            deployment="alpha/large",
            cost_usd=0.01,
            latency_s=5.0,
            attempts=(attempt("alpha/large", "accepted", 0.01),),
        ),
        make_record(
            attempts=(attempt("alpha/small", "timeout"), attempt("beta/small", "rate_limited")),
            status="error",
            error="AllPathsFailed: every permitted path failed",
            cost_usd=0.0,
            reference_cost_usd=0.0,
            model=None,
            deployment=None,
            tier=None,
            failovers=2,
            usage=Usage(),
            latency_s=60.0,
        ),
    ]


@pytest.fixture
def figures(story: list[Record], place: str) -> Report:
    with Ledger(place) as ledger:
        for record in story:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
    return report(place, now=100.0)


def test_the_whole_adds_up(figures: Report) -> None:
    assert (figures.requests, figures.ok, figures.errors, figures.cancelled) == (6, 5, 1, 0)
    assert figures.cost_usd == pytest.approx(0.001 * 2 + 0.011 + 0.002 + 0.01)
    assert figures.reference_cost_usd == pytest.approx(0.05)
    assert figures.saving_usd == pytest.approx(0.025)
    assert figures.saving == pytest.approx(0.5)
    assert (figures.input_tokens, figures.output_tokens) == (500, 50)


def test_small_answers_are_those_of_a_cheaper_model_than_the_reference(figures: Report) -> None:
    assert figures.small_share == pytest.approx(3 / 5)


def test_a_rejected_answer_is_an_escalation_and_waste(figures: Report) -> None:
    assert figures.escalations == 1
    assert figures.wasted_usd == pytest.approx(0.001)


def test_failed_calls_are_counted_by_request_call_and_kind(figures: Report) -> None:
    assert (figures.requests_with_failover, figures.failovers) == (2, 3)
    assert figures.upstream_errors == {"rate_limited": 1, "server_failed": 1, "timeout": 1}
    assert figures.errors_by_kind == {"AllPathsFailed": 1}


def test_groups_count_and_cost_what_is_theirs(figures: Report) -> None:
    def seen(groups: object) -> dict[str, tuple[int, float]]:
        assert isinstance(groups, dict)
        return {name: (g.requests, round(g.cost_usd, 6)) for name, g in groups.items()}

    assert seen(figures.by_tier) == {"1": (4, 0.014), "2": (1, 0.011), "none": (1, 0)}
    assert seen(figures.by_model) == {"small": (3, 0.004), "large": (2, 0.021), "none": (1, 0)}
    assert seen(figures.by_policy) == {"auto": (5, 0.015), "none": (1, 0.01)}
    assert seen(figures.by_domain) == {
        "general": (3, 0.012),
        "finance": (2, 0.002),
        "legal": (1, 0.011),
    }
    assert seen(figures.by_kind) == {"qa": (5, 0.023), "code": (1, 0.002)}


def test_shares_and_savings_of_groups(figures: Report) -> None:
    small = figures.by_model["small"]
    assert small.share == pytest.approx(0.5)
    assert small.saving == pytest.approx(1 - 0.004 / 0.03)
    assert figures.by_tier["2"].saving == pytest.approx(-0.1)
    assert figures.by_tier["none"].saving is None


def test_deployments_count_every_call_and_what_their_provider_bills(figures: Report) -> None:
    seen = {
        name: (g.requests, g.attempts, g.failures, round(g.billed_usd, 6))
        for name, g in figures.by_deployment.items()
    }
    assert seen == {
        "alpha/small": (2, 5, 2, 0.003),
        "alpha/large": (2, 2, 0, 0.02),
        "beta/small": (1, 2, 1, 0.002),
        "none": (1, 0, 0, 0.0),
    }
    billed = sum(g.billed_usd for g in figures.by_deployment.values())
    assert billed == pytest.approx(figures.cost_usd)


def test_percentiles_are_of_ok_requests_by_nearest_rank(figures: Report) -> None:
    assert (figures.latency_p50_s, figures.latency_p90_s, figures.latency_p99_s) == (3.0, 5.0, 5.0)
    assert (figures.ttft_p50_s, figures.ttft_p99_s) == (0.1, 0.1)


def test_a_refusal_of_the_request_is_no_escalation(place: str, make_record: MakeRecord) -> None:
    refused = make_record(
        attempts=(attempt("alpha/small", "refused"),),
        status="error",
        model=None,
        deployment=None,
        tier=None,
        failovers=1,
        error="UpstreamRejected: no",
    )
    with Ledger(place) as ledger:
        ledger.record(lambda: refused)
    found = report(place, now=100.0)
    assert found.escalations == 0
    assert found.upstream_errors == {"refused": 1}


def test_only_the_period_asked_for_counts(story: list[Record], place: str) -> None:
    with Ledger(place) as ledger:
        for record in story:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        assert ledger.flush()
        last_two = ledger.report(since_s=1.0, now=6.0)
        assert (last_two.requests, last_two.period.since, last_two.period.until) == (2, 5.0, 6.0)
        assert ledger.report(now=4.0).requests == 4


def test_an_empty_ledger_has_no_figures_instead_of_wrong_ones(place: str) -> None:
    with Ledger(place):
        pass
    found = report(place, now=1.0)
    assert (found.requests, found.cost_usd, found.saving, found.small_share) == (0, 0, None, None)
    assert (found.latency_p50_s, found.ttft_p99_s, found.by_tier) == (None, None, {})


def test_a_report_of_no_ledger_says_how_one_comes_about(database: Path) -> None:
    with pytest.raises(ConfigError, match="tierwise serve"):
        report(database, now=1.0)
    assert not database.exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("24h", 86_400),
        ("7d", 604_800),
        (" 1.5 h ", 5400),
        ("2w", 1209600),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_since(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0h", "7 days", "1e3s", "7d2h"])
def test_other_spans_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match='for example "24h"'):
        parse_since(text)
