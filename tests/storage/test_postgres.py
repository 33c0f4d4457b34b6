"""A ledger in PostgreSQL bears what servers do: they die, come back, and leave answers out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from postgres import Postgres, running
from tierwise.errors import LedgerUnreachable
from tierwise.ledger import Feedback, Ledger
from tierwise.ledger.postgres import PostgresStore
from tierwise.types import Owner, Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0


def count(url: str, table: str = "requests") -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])


def put(ledger: Ledger, record: Record) -> bool:
    return ledger.record(lambda: record)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Postgres]:
    """A server that only tests of its death use."""
    with running() as server:
        yield server


def test_a_server_that_died_and_came_back_has_every_record_once(
    mortal: Postgres, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.ledger.MAX_RETRY_S", 0.2)
    url = mortal.migrated()
    stop = threading.Event()
    with Ledger(url, batch_size=20, flush_interval_s=0.01) as ledger:
        made = 0

        def ask() -> None:
            nonlocal made
            while not stop.is_set():
                assert put(ledger, make_record())
                made += 1
                time.sleep(0.001)

        asking = threading.Thread(target=ask)
        asking.start()
        for _ in range(2):
            until(lambda: ledger.written > made // 2)
            mortal.kill()
            until(lambda: ledger.failed_batches > 0 and ledger.last_error is not None)
            mortal.start()
            until(lambda: ledger.last_error is None)
        stop.set()
        asking.join()
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.dropped) == (made, 0)
    assert count(url) == count(url, "(SELECT DISTINCT id FROM requests) AS r") == made


def test_what_the_queue_cannot_hold_while_the_server_is_away_is_counted(
    mortal: Postgres,
    make_record: MakeRecord,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tierwise.ledger.ledger.MAX_RETRY_S", 0.2)
    url = mortal.migrated()
    with Ledger(url, queue_size=10, batch_size=2) as ledger:
        mortal.kill()
        try:
            taken = [put(ledger, make_record()) for _ in range(50)]
            with pytest.raises(LedgerUnreachable) as told:
                ledger.get("id-0001")
            assert "postgresql" not in told.value.message  # clients read it, operators the log
            assert f"the ledger {ledger.path} cannot be read" in caplog.text
        finally:
            mortal.start()
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == sum(taken)
        assert ledger.dropped == 50 - sum(taken) > 0
    assert count(url) == sum(taken)


class Cut(PostgresStore):
    """A store whose answers to COMMIT get lost, so many times."""

    lost = 1

    def append(self, entries: Any) -> None:
        super().append(entries)
        if self.lost:
            self.lost -= 1
            self._unsettled = entries
            raise OperationalError("COMMIT", {}, psycopg.OperationalError("server closed"))


def test_a_batch_is_written_once_though_the_answer_to_its_commit_was_lost(
    postgres: Postgres, make_record: MakeRecord
) -> None:
    url = postgres.migrated()
    with Ledger(url) as ledger:
        store = Cut(url)
        store.open()
        ledger._store.close()
        ledger._store = store
        for _ in range(5):
            put(ledger, make_record())
        ledger.rated(Feedback(decision_id="id-0001", at=1.0, score=1.0, source="user"))
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.failed_batches) == (6, 1)
        put(ledger, make_record())
        assert ledger.flush(PATIENCE_S)
    assert (count(url), count(url, "feedback")) == (6, 1)


def test_a_commit_that_is_still_under_way_is_waited_for(
    postgres: Postgres, make_record: MakeRecord
) -> None:
    """A connection may be lost whose transaction the server still brings to its end."""
    url = postgres.migrated()
    store = PostgresStore(url)
    store.open()
    batch = [make_record()]
    with psycopg.connect(url) as other:
        other.execute("INSERT INTO writers VALUES (%s, 1, 0)", (store._writer,))
        again = threading.Thread(target=store.append, args=(batch,))
        again.start()
        again.join(0.3)
        assert again.is_alive()
        other.commit()
    again.join(PATIENCE_S)
    store.close()
    assert count(url) == 0  # the other transaction was this batch


def test_gateways_that_share_a_database_share_labels_and_lose_nothing(
    postgres: Postgres, make_record: MakeRecord
) -> None:
    url = postgres.migrated()
    ledgers = [Ledger(url) for _ in range(3)]
    for ledger in ledgers:
        ledger.open()
    for number in range(300):
        record = make_record(kind=f"kind-{number % 7}", caller=f"key-{number % 5}")
        ledgers[number % 3].record(lambda record=record: record)  # type: ignore[misc]
    for ledger in ledgers:
        assert ledger.flush(PATIENCE_S)
        assert ledger.dropped == 0
    for ledger in ledgers:
        ledger._store.roll(1000)
        ledger.close()
    assert [count(url, t) for t in ("requests", "shapes", "owners")] == [300, 7, 5]
    assert count(url, "daily WHERE part = 2") == 35
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT sum(requests) FROM daily WHERE part = 1").fetchone() == (
            300,
        )


def test_text_that_postgresql_cannot_hold_is_written_all_the_same(
    postgres: Postgres, make_record: MakeRecord
) -> None:
    record = make_record(caller="a\x00b", error="boom\x00", status="error")
    with Ledger(postgres.migrated()) as ledger:
        ledger.record(lambda: record)
        assert ledger.flush(PATIENCE_S)
        assert ledger.dropped == 0
        assert ledger.get(record.decision.id) == record
        assert ledger.get("a\x00b") is None
        assert ledger.aside("a\x00b") is None
        assert ledger.feedback("a\x00b") == []


def test_what_an_index_cannot_hold_keeps_no_other_record_from_being_written(
    postgres: Postgres, make_record: MakeRecord
) -> None:
    """Random characters, because PostgreSQL packs all others."""
    letters = Random(7)
    tags = tuple(
        "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(100)) for _ in range(20)
    )
    tagged = make_record(owner=Owner(key="k1", tags=tags))
    too_large = make_record(kind="".join(tags))
    with Ledger(postgres.migrated()) as ledger:
        for record in (tagged, too_large, make_record()):
            put(ledger, record)
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.dropped) == (2, 1)
        assert ledger.get(tagged.decision.id) == tagged
        assert ledger.get(too_large.decision.id) is None


def until(reached: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < give_up
        time.sleep(0.01)
