"""Feedback in the ledger: kept, all of it, in order, also in ledgers of before there was any."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from older_ledgers import age
from tierwise.errors import InvalidRequest
from tierwise.ledger import Feedback, Ledger, labelled, read_feedback
from tierwise.ledger.feedback import LABELS
from tierwise.storage.sqlite_ledger import VERSION
from tierwise.types import Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0


def opinion(decision: str, score: float = 1.0, at: float = 100.0, **more: str) -> Feedback:
    return Feedback(decision_id=decision, at=at, score=score, **{"source": "user", **more})


def test_all_that_was_said_is_kept_by_time(place: str, make_record: MakeRecord) -> None:
    record = make_record()
    decision = record.decision.id
    said = [
        opinion(decision, 0.5, at=3.0, source="judge"),
        opinion(decision, 0.0, at=1.0, label="bad", comment="naïve 東京", caller="key-1"),
        opinion(decision, 1.0, at=2.0, label="good"),
    ]
    with Ledger(place) as ledger:
        ledger.record(lambda: record)
        for one in said:
            assert ledger.rated(one)
        assert ledger.flush(PATIENCE_S)
        assert ledger.feedback(decision) == [said[1], said[2], said[0]]
        assert ledger.feedback("another") == []
        assert (ledger.written, ledger.pending) == (4, 0)


def test_feedback_of_days_later_is_kept_beside_its_record(
    place: str, make_record: MakeRecord
) -> None:
    record = make_record()
    with Ledger(place) as ledger:
        ledger.record(lambda: record)
    with Ledger(place) as ledger:
        ledger.rated(opinion(record.decision.id, at=1e9))
    with Ledger(place) as ledger:
        assert ledger.get(record.decision.id) == record
        assert [one.at for one in ledger.feedback(record.decision.id)] == [1e9]


def test_a_record_is_known_before_it_is_written_if_its_id_is_given(
    place: str, make_record: MakeRecord
) -> None:
    record = make_record()
    with Ledger(place, flush_interval_s=3600) as ledger:
        ledger.record(lambda: record, record.decision.id)
        assert ledger.get(record.decision.id) == record
        assert ledger.written == 0
        assert ledger.flush(PATIENCE_S)
        assert ledger.get(record.decision.id) == record
        assert not ledger._unwritten


def test_a_record_that_cannot_be_made_or_stored_is_not_known_for_ever(
    place: str, make_record: MakeRecord
) -> None:
    def broken() -> Record:
        raise ValueError("no")

    odd = make_record(latency_s=math.nan, id="odd")  # NaN is NULL to SQLite, which refuses it
    with Ledger(place) as ledger:
        ledger.record(broken, "broken")
        ledger.record(lambda: odd, "odd")
        assert ledger.flush(PATIENCE_S)
        assert (ledger.dropped, ledger._unwritten) == (2, {})
        assert ledger.get("odd") is None


def test_a_ledger_without_room_refuses_feedback(place: str) -> None:
    with Ledger(place, queue_size=0) as ledger:
        assert not ledger.rated(opinion("id"))
    assert not ledger.rated(opinion("id"))
    assert ledger.dropped == 0  # who gave it was told


def test_a_ledger_of_before_feedback_is_brought_up_to_date(
    database: Path, make_record: MakeRecord
) -> None:
    old, new = make_record(), make_record()
    with Ledger(database) as ledger:
        ledger.record(lambda: old)
    age(database, 1)
    with Ledger(database) as ledger:
        ledger.record(lambda: new)
        ledger.rated(opinion(old.decision.id, 0.0))
        assert ledger.flush(PATIENCE_S)
        assert [ledger.get(one.decision.id) for one in (old, new)] == [old, new]
        assert [one.score for one in ledger.feedback(old.decision.id)] == [0.0]
        figures = ledger.report(now=1e9)
        assert (figures.requests, figures.labelled, figures.mean_label) == (2, 1, 0.0)
        assert [one.label for one in labelled(database)] == [0.0]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@given(st.floats(0, 1) | st.integers(0, 1))
def test_every_number_from_0_to_1_is_a_score(score: float) -> None:
    assert read_feedback("id", score=score, at=0.0).score == score


@given(
    st.floats().filter(lambda x: not 0 <= x <= 1)
    | st.integers().filter(lambda x: x not in (0, 1))
    | st.booleans()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.integers())
)
def test_everything_else_is_refused_by_name(score: object) -> None:
    with pytest.raises(InvalidRequest, match="`score` is") as refused:
        read_feedback("id", score=score, at=0.0)
    assert refused.value.param == "score"


@given(st.text().filter(lambda text: text not in LABELS) | st.integers() | st.booleans())
def test_other_labels_are_refused_with_all_that_there_are(label: object) -> None:
    with pytest.raises(InvalidRequest, match=r'"good".*"bad"') as refused:
        read_feedback("id", label=label, at=0.0)
    assert refused.value.param == "label"


@given(st.text(max_size=50))
def test_any_comment_comes_back_as_it_was_or_is_refused(comment: str) -> None:
    with Ledger.memory() as ledger:
        one = read_feedback("id", score=1, comment=comment, at=0.0)
        assert ledger.rated(one)
        assert ledger.flush(PATIENCE_S)
        assert ledger.feedback("id") == [one]
