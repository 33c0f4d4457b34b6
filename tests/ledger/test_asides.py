"""Requests that are for no answer, in the ledger and in its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from older_ledgers import age
from tierwise.errors import UnknownDecision
from tierwise.ledger import (
    EMBEDDINGS,
    Aside,
    Ledger,
    PassedGroup,
    Report,
    labelled,
    rate,
    read_feedback,
    report,
)
from tierwise.types import Attempt, Owner, Record, Usage

PATIENCE_S = 30.0
MakeRecord = Callable[..., Record]


def embedding(name: str, *outcomes: str, **changes: Any) -> Aside:
    """A request for embeddings whose calls ended so."""
    attempts = tuple(
        Attempt(
            deployment=f"{provider}/vectors",
            model="vectors",
            tier=0,
            outcome=outcome,
            status=200 if outcome == "accepted" else 500,
            usage=Usage(input_tokens=500 if outcome == "accepted" else 0),
            cost_usd=0.001 if outcome == "accepted" else 0.0,
            latency_s=0.5,
            error=None if outcome == "accepted" else "boom",
        )
        for provider, outcome in zip(("beta", "gamma"), outcomes, strict=False)
    )
    ok = "accepted" in outcomes
    given: dict[str, Any] = {
        "id": name,
        "at": 50.0,
        "kind": EMBEDDINGS,
        "asked": "vectors",
        "status": "ok" if ok else "error",
        "latency_s": 0.6,
        "caller": "team",
        "provider": attempts[-1].deployment.partition("/")[0] if ok else None,
        "model": "vectors" if ok else None,
        "deployment": attempts[-1].deployment if ok else None,
        "code": attempts[-1].status,
        "cost_usd": 0.001 if ok else 0.0,
        "input_tokens": 500 if ok else 0,
        "output_tokens": 0,
        "error": None if ok else "AllPathsFailed: none",
        "attempts": attempts,
        **changes,
    }
    return Aside(**given)


def passed(name: str, **changes: Any) -> Aside:
    """A call that was passed through."""
    given: dict[str, Any] = {
        "id": name,
        "at": 50.0,
        "kind": "images",
        "asked": "POST /v1/images/generations",
        "status": "ok",
        "latency_s": 2.0,
        "provider": "alpha",
        "code": 200,
        **changes,
    }
    return Aside(**given)


def written(place: str | Path, *asides: Aside, records: tuple[Record, ...] = ()) -> Report:
    with Ledger(place) as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        for aside in asides:
            assert ledger.noted(aside)
    return report(place, now=100.0)


def test_they_come_back_as_they_were(place: str) -> None:
    one = embedding("e1", "server_failed", "accepted")
    found = ("keys refused 1 api key in the request", "size noted 9 chars of 5, naïve")
    other = passed("p1", at=60.0, cost_usd=None, error="ConnectFailed: naïve", guardrails=found)
    with Ledger(place) as ledger:
        ledger.noted(one)
        ledger.noted(other)
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == 2
        assert ledger.aside("e1") == one
        assert ledger.aside("another") is None
        assert ledger.asides() == [other, one]
        assert ledger.asides(1) == ledger.asides(since=55.0) == [other]


def test_they_come_back_with_whoever_asked(place: str) -> None:
    """The owner decides who may see them, as it does with answers."""
    tagged = Owner(key="k1", user="u1", team="t1", org="o1", tags=("naïve", "b"))
    some = Owner(user="u2", org="o1")
    asked = [
        embedding("e1", "accepted", caller="k1", owner=tagged),
        passed("p1", caller="ann@example.org", owner=some),
        passed("p2", caller="a name and no more"),
        passed("p3"),
    ]
    with Ledger(place) as ledger:
        for one in asked:
            ledger.noted(one)
        assert ledger.flush(PATIENCE_S)
        assert [ledger.aside(one.id) for one in asked] == asked
        assert sorted(ledger.asides(), key=lambda one: one.id) == asked


def test_embeddings_are_in_the_totals_and_save_nothing(place: str, make_record: MakeRecord) -> None:
    before = make_record(cost_usd=0.002, reference_cost_usd=0.01)
    figures = written(place, embedding("e1", "accepted"), records=(before,))
    assert (figures.requests, figures.ok) == (2, 2)
    assert figures.cost_usd == pytest.approx(0.003)
    assert figures.reference_cost_usd == pytest.approx(0.011)
    assert figures.saving_usd == pytest.approx(0.008)
    assert figures.input_tokens == 600
    group = figures.by_kind[EMBEDDINGS]
    assert (group.requests, group.cost_usd, group.saving_usd) == (1, 0.001, 0.0)
    assert figures.by_model["vectors"].cost_usd == 0.001
    for groups in (figures.by_tier, figures.by_domain, figures.by_policy):
        assert groups[EMBEDDINGS].requests == 1
        assert sum(one.requests for one in groups.values()) == 2


def test_figures_of_answers_leave_embeddings_out(place: str, make_record: MakeRecord) -> None:
    answer = make_record(latency_s=3.0)
    figures = written(place, *(embedding(f"e{n}", "accepted") for n in range(9)), records=(answer,))
    assert figures.small_share == 1.0
    assert (figures.latency_p50_s, figures.latency_p99_s) == (3.0, 3.0)
    assert figures.judged_by_tier == {}
    assert figures.labelled == 0


def test_calls_for_embeddings_that_fail_are_counted_where_they_failed(place: str) -> None:
    figures = written(
        place,
        embedding("e1", "server_failed", "accepted"),
        embedding("e2", "server_failed", "rate_limited"),
    )
    assert (figures.ok, figures.errors) == (1, 1)
    assert (figures.requests_with_failover, figures.failovers) == (2, 3)
    assert figures.upstream_errors == {"server_failed": 2, "rate_limited": 1}
    assert figures.errors_by_kind == {"AllPathsFailed": 1}
    beta, gamma = figures.by_deployment["beta/vectors"], figures.by_deployment["gamma/vectors"]
    assert (beta.requests, beta.attempts, beta.failures, beta.billed_usd) == (0, 2, 2, 0.0)
    assert (gamma.requests, gamma.attempts, gamma.failures, gamma.billed_usd) == (1, 2, 1, 0.001)


def test_what_is_passed_through_is_counted_apart_and_its_cost_is_unknown_not_0(
    place: str,
) -> None:
    figures = written(
        place,
        passed("p1", input_tokens=7, output_tokens=100),
        passed("p2", status="error", code=400),
        passed("p3", status="cancelled", code=None),
        passed("p4", kind="files", provider="beta", cost_usd=0.0),
    )
    assert (figures.requests, figures.cost_usd, figures.input_tokens) == (0, 0.0, 0)
    assert list(figures.passed) == ["alpha/images", "beta/files"]
    assert figures.passed["alpha/images"] == PassedGroup(
        requests=3,
        ok=1,
        errors=1,
        cancelled=1,
        cost_usd=0.0,
        unknown_cost=3,
        input_tokens=7,
        output_tokens=100,
    )
    assert figures.passed["beta/files"].unknown_cost == 0


def test_only_the_period_asked_for_counts(place: str) -> None:
    written(place, embedding("e1", "accepted", at=10.0), passed("p1", at=10.0))
    figures = report(place, since_s=20.0, now=100.0)
    assert (figures.requests, figures.passed) == (0, {})


def test_who_watches_for_them_sees_each_once_be_there_room_for_it_or_not(place: str) -> None:
    seen: list[Aside] = []
    one, other, last = (embedding(name, "accepted") for name in ("e1", "e2", "e3"))

    def broken(_: Aside) -> None:
        raise RuntimeError("no")

    ledger = Ledger(place, queue_size=1)
    ledger.watch_asides(broken)
    ledger.watch_asides(seen.append)
    assert [ledger.noted(one), ledger.noted(other)] == [True, False]
    assert seen == [other]
    with ledger:
        assert ledger.flush(PATIENCE_S)
        assert seen == [other, one]
        ledger.unwatch_asides(seen.append)
        assert ledger.noted(last)
        assert ledger.flush(PATIENCE_S)
    assert seen == [other, one]


def test_nothing_that_learns_or_looks_on_sees_them(place: str) -> None:
    seen: list[Record] = []
    with Ledger(place) as ledger:
        ledger.watch(seen.append)
        assert ledger.noted(embedding("e1", "accepted"))
        assert ledger.flush(PATIENCE_S)
        assert list(ledger.recent(None)) == []
        assert ledger.get("e1") is None
    assert seen == []
    assert list(labelled(place)) == []


async def test_vectors_cannot_be_rated(place: str) -> None:
    with Ledger(place) as ledger:
        ledger.noted(embedding("e1", "accepted"))
        assert ledger.flush(PATIENCE_S)
        with pytest.raises(UnknownDecision):
            await rate(ledger, read_feedback("e1", score=1, at=1.0))


def test_one_for_which_there_is_no_room_is_dropped_and_counted(place: str) -> None:
    ledger = Ledger(place, queue_size=1)
    assert [ledger.noted(passed("p1")), ledger.noted(passed("p2"))] == [True, False]
    assert (ledger.pending, ledger.dropped) == (1, 1)


def test_a_ledger_of_version_2_is_brought_up_to_date(
    database: Path, make_record: MakeRecord
) -> None:
    written(database, records=(make_record(),))
    age(database, 2)
    figures = written(database, embedding("e1", "accepted"))
    assert (figures.requests, figures.by_kind[EMBEDDINGS].requests) == (2, 1)
