"""Labelled answers out of the ledger: what calibration learns from."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from builders import a_decision, a_plan, a_profile, a_record, an_attempt
from tierwise.errors import ConfigError
from tierwise.ledger import Feedback, Labelled, Ledger, labelled
from tierwise.types import Candidate, Estimate, Record, Tier, Verdict

PLAN = a_plan(Tier(model="small", gates=("form",), accept=0.7), Tier(model="large"))
ESTIMATE = Estimate(
    quality=0.62, quality_low=0.5, cost_usd=0.1, cost_p90_usd=0.2, ttft_s=0.1, latency_s=1.0
)
VERDICTS = (Verdict(gate="form", p=0.9, reason="neat"),)


def record(decision: str, at: float = 1.0, *, policy: str = "auto", **fields: Any) -> Record:
    """A request that `small` answered well enough for its gate."""
    made = a_decision(
        PLAN,
        id=decision,
        at=at,
        policy=policy,
        profile=a_profile(kind="code", domain="finance"),
        candidates=(Candidate(model="small", role="tier", why="cheap", estimate=ESTIMATE),),
    )
    attempts = fields.pop("attempts", (an_attempt(model="small-2", verdicts=VERDICTS),))
    return a_record(decision=made, attempts=attempts, caller="key-1", **fields)


def rating(decision: str, score: float, source: str = "user", at: float = 50.0) -> Feedback:
    return Feedback(decision_id=decision, at=at, source=source, score=score)


def write(place: str | Path, *entries: Record | Feedback) -> None:
    with Ledger(place) as ledger:
        for entry in entries:
            if isinstance(entry, Record):
                ledger.record(lambda entry=entry: entry)  # type: ignore[misc]
            else:
                ledger.rated(entry)


def test_an_example_says_what_was_thought_before_and_what_was_said_after(place: str) -> None:
    write(place, record("1", 5.0), record("2"), rating("1", 0.25))
    assert list(labelled(place)) == [
        Labelled(
            decision_id="1",
            at=5.0,
            policy="auto",
            caller="key-1",
            kind="code",
            domain="finance",
            tier=1,
            model="small-2",
            gates=("form",),
            verdicts=VERDICTS,
            accept=0.7,
            accepted=True,
            quality=0.62,
            label=0.25,
            source="user",
            length=None,
            cost_usd=0.0002,
            reference_cost_usd=0.001,
        )
    ]


def test_one_example_a_decision_and_the_latest_of_the_first_source_counts(place: str) -> None:
    write(
        place,
        record("1"),
        rating("1", 0.0, at=60.0),
        rating("1", 1.0, at=70.0),
        rating("1", 0.5, "judge", at=80.0),
    )
    assert [(one.label, one.source) for one in labelled(place)] == [(1.0, "user")]
    judged = labelled(place, sources=("judge", "user"))
    assert [(one.label, one.source) for one in judged] == [(0.5, "judge")]
    assert list(labelled(place, sources=("score",))) == []


def test_a_period_and_a_policy_can_be_chosen(place: str) -> None:
    entries = [record(str(n), float(n), policy="auto" if n % 2 else "best") for n in range(1, 7)]
    write(place, *entries, *(rating(str(n), 1.0) for n in range(1, 7)))
    assert [one.decision_id for one in labelled(place, since=3.0)] == ["3", "4", "5", "6"]
    assert [one.decision_id for one in labelled(place, policy="best")] == ["2", "4", "6"]


def test_thousands_come_one_by_one_by_time_and_each_once(place: str) -> None:
    entries = [record(str(n), float(n % 40)) for n in range(1000)]
    write(place, *entries, *(rating(str(n), n % 2) for n in range(1000)))
    found = list(labelled(place))
    assert {one.decision_id for one in found} == {str(n) for n in range(1000)}
    assert len(found) == 1000
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert all(one.label == int(one.decision_id) % 2 for one in found)


def test_the_ledger_may_grow_while_examples_are_read(database: Path) -> None:
    write(database, *(record(str(n), float(n)) for n in range(500)))
    write(database, *(rating(str(n), 1.0) for n in range(500)))
    examples = labelled(database)
    assert next(examples).decision_id == "0"
    with Ledger(database) as ledger:
        ledger.record(lambda: record("late", 999.0))
        ledger.rated(rating("late", 0.0))
        assert ledger.flush()
        with closing(sqlite3.connect(database)) as other:
            # Busy is 0: no reader is in the way of folding the log into the file.
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert [one.decision_id for one in examples][-1] == "late"


def test_what_did_not_end_well_or_was_not_answered_is_no_example(place: str) -> None:
    nobody = record("2", status="error", model=None, deployment=None, tier=None)
    write(
        place,
        record("1", status="cancelled"),
        nobody,
        record("3"),
        *(rating(n, 1.0) for n in ("1", "2", "3", "unknown")),
    )
    assert [one.decision_id for one in labelled(place)] == ["3"]


def test_an_answer_of_the_last_tier_has_no_verdicts_and_no_expectation(place: str) -> None:
    attempts = (
        an_attempt(outcome="rejected", verdicts=(Verdict(gate="form", p=0.1, reason="odd"),)),
        an_attempt(deployment="near/large", model="large", tier=2),
    )
    last = record("1", attempts=attempts, model="large", deployment="near/large", tier=2)
    write(place, last, rating("1", 1.0))
    (one,) = labelled(place)
    assert (one.tier, one.model, one.verdicts, one.quality) == (2, "large", (), None)
    assert one.accepted


def test_a_damaged_bundle_hides_no_other(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(database, record("1"), rating("1", 1.0))
    write(database, record("2"), rating("2", 1.0))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE bundles SET records = x'00' WHERE id = 1")
    assert [one.decision_id for one in labelled(database)] == ["2"]
    assert "bundle 1 of the ledger cannot be read" in caplog.text


def test_no_ledger_is_an_error_that_says_how_one_comes_about(database: Path) -> None:
    with pytest.raises(ConfigError, match="tierwise serve"):
        next(labelled(database))
