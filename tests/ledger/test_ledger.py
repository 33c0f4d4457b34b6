"""The ledger takes records at once, writes them soon, and loses none that it need not lose."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from gateway import until
from tierwise.errors import ConfigError, DecisionUnreadable
from tierwise.ledger import Ledger
from tierwise.storage.sqlite_ledger import APPLICATION_ID, MIGRATIONS, VERSION
from tierwise.types import Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0


def put(ledger: Ledger, *records: Record) -> list[bool]:
    return [ledger.record(lambda record=record: record) for record in records]  # type: ignore[misc]


def transactions(path: Path) -> int:
    """How many bundles there are: one for each transaction of up to 64 records."""
    with sqlite3.connect(path) as connection:
        count: int = connection.execute("SELECT count(*) FROM bundles").fetchone()[0]
        return count


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def held(ledger: Ledger) -> Iterator[None]:
    """The writer thread is busy with a record until the block ends."""
    reached, release = threading.Event(), threading.Event()

    def make() -> Record:
        reached.set()
        release.wait(PATIENCE_S)
        raise ValueError("this one was never meant to be written")

    ledger.record(make)
    assert reached.wait(PATIENCE_S)
    try:
        yield
    finally:
        release.set()


def test_a_record_comes_back_as_it_was(place: str, make_record: MakeRecord) -> None:
    record = make_record(prompt="naïve 東京", answer="", caller="key-1", session="s", ttft_s=0.25)
    with Ledger(place) as ledger:
        put(ledger, record)
        assert ledger.flush(PATIENCE_S)
        assert ledger.get(record.decision.id) == record
        assert ledger.get("another") is None


def test_what_waits_together_is_written_in_one_transaction(
    database: Path, make_record: MakeRecord
) -> None:
    with Ledger(database) as ledger:
        with held(ledger):
            put(ledger, *(make_record() for _ in range(50)))
            assert ledger.pending >= 50
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == 50
    assert transactions(database) == 1


def test_a_batch_is_no_larger_than_it_may_be(database: Path, make_record: MakeRecord) -> None:
    with Ledger(database, batch_size=10) as ledger:
        with held(ledger):
            put(ledger, *(make_record() for _ in range(35)))
        assert ledger.flush(PATIENCE_S)
    assert transactions(database) == 4


def test_half_a_batch_sets_the_writer_to_work_before_its_time(
    database: Path, make_record: MakeRecord
) -> None:
    with Ledger(database, batch_size=10, flush_interval_s=3600) as ledger:
        made = threading.Event()
        ledger.watch(lambda _: made.set())
        put(ledger, *(make_record() for _ in range(5)))
        assert not made.is_set()
        put(ledger, make_record())
        assert made.wait(PATIENCE_S)


def test_a_full_queue_drops_and_counts_and_takes_again_when_there_is_room(
    place: str, make_record: MakeRecord
) -> None:
    with Ledger(place, queue_size=3) as ledger:
        with held(ledger):
            assert put(ledger, *(make_record() for _ in range(5))) == [True] * 3 + [False] * 2
            assert ledger.dropped == 2
        assert ledger.flush(PATIENCE_S)
        assert put(ledger, make_record()) == [True]
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == 4
        assert ledger.dropped == 3  # the two, and the one that could not be made
        assert ledger.pending == 0


def test_what_is_dropped_is_shown_all_the_same_and_without_delay(
    database: Path, make_record: MakeRecord
) -> None:
    seen: list[str] = []
    with Ledger(database, queue_size=3) as ledger:
        ledger.watch(lambda record: seen.append(record.decision.id))
        with held(ledger):
            put(ledger, *(make_record(id=name) for name in "abcde"))
            assert seen == ["d", "e"]
        assert ledger.flush(PATIENCE_S)
    put(ledger, make_record(id="f"))
    assert seen == ["d", "e", "a", "b", "c", "f"]


def test_a_dropped_record_that_cannot_be_made_harms_nobody(database: Path) -> None:
    def broken() -> Record:
        raise ValueError("no such thing")

    ledger = Ledger(database, queue_size=0)
    ledger.watch(lambda _: None)
    assert not ledger.record(broken)
    assert ledger.dropped == 1


@pytest.fixture
def stuck(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Ledger, list[str]]]:
    """A ledger with room for 5 that waits for an hour to write a record again, and what it has
    shown so far. It was locked out; the lock is gone."""
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    monkeypatch.setattr("tierwise.ledger.ledger.FIRST_RETRY_S", 3600)
    seen: list[str] = []
    failing = threading.Event()

    def failed(record: logging.LogRecord) -> bool:
        if "cannot be written" in record.getMessage():
            failing.set()
        return True

    log = logging.getLogger("tierwise.ledger")
    log.addFilter(failed)
    with Ledger(database, queue_size=5, batch_size=4) as ledger:
        ledger.watch(lambda record: seen.append(record.decision.id))
        with locked(database):
            put(ledger, make_record(id="first"))
            assert failing.wait(PATIENCE_S)
        yield ledger, seen
    log.removeFilter(failed)


def test_observers_do_not_wait_for_a_write_that_is_tried_again(
    stuck: tuple[Ledger, list[str]], make_record: MakeRecord
) -> None:
    ledger, seen = stuck
    shown = threading.Event()
    ledger.watch(lambda record: shown.set() if record.decision.id == "last" else None)
    put(ledger, make_record(id="more"), make_record(id="last"))
    assert shown.wait(PATIENCE_S)
    assert seen == ["first", "more", "last"]
    assert ledger.written == 0
    ledger.close()
    assert (ledger.written, ledger.dropped) == (3, 0)


def test_what_waits_for_a_write_stays_within_bounds(
    stuck: tuple[Ledger, list[str]], make_record: MakeRecord
) -> None:
    ledger, seen = stuck
    for number in range(20):
        shown = threading.Event()
        ledger.watch(lambda _, shown=shown: shown.set())  # type: ignore[misc]
        put(ledger, make_record(id=str(number)))
        assert shown.wait(PATIENCE_S)
    assert (ledger.pending, ledger.dropped) == (6, 15)
    assert seen == ["first", *map(str, range(20))]
    ledger.close()
    assert (ledger.written, ledger.dropped) == (6, 15)


def test_drops_are_logged_at_the_first_and_then_ever_more_seldom(
    database: Path, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(database, queue_size=0)
    put(ledger, *(make_record() for _ in range(9)))
    told = [record.args[1] for record in caplog.records]  # type: ignore[index]
    assert told == [1, 2, 4, 8]
    assert "8 records were dropped so far" in caplog.text


def test_a_locked_database_is_tried_again_and_loses_nothing(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    with Ledger(database) as ledger:
        with locked(database):
            put(ledger, make_record())
            assert not ledger.flush(0.3)
            assert ledger.failed_batches > 0
            assert "locked" in str(ledger.last_error)
            assert ledger.pending == 1
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.dropped, ledger.last_error) == (1, 0, None)


def test_each_time_that_it_cannot_be_written_is_told_and_its_end_too(
    database: Path,
    make_record: MakeRecord,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    with Ledger(database) as ledger:
        for _ in range(3):
            caplog.clear()
            failed = ledger.failed_batches
            with locked(database):
                put(ledger, make_record())
                until(lambda failed=failed: ledger.failed_batches > failed, "a try that fails")
            assert ledger.flush(PATIENCE_S)
            until(lambda: "is written again" in caplog.text, "the end to be told")
            assert "cannot be written: " in caplog.messages[0]
            assert "locked" in caplog.messages[0]


def test_closing_while_locked_gives_up_in_time_and_counts_the_loss(
    database: Path,
    make_record: MakeRecord,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    seen: list[str] = []
    ledger = Ledger(database, batch_size=1)
    ledger.watch(lambda record: seen.append(record.decision.id))
    ledger.open()
    with locked(database):
        put(ledger, *(make_record(id=name) for name in "abc"))
        ledger.close(timeout_s=0.1)
    assert (ledger.written, ledger.dropped, ledger.pending) == (0, 3, 0)
    assert seen == ["a", "b", "c"]
    assert "3 records were not written to the ledger" in caplog.text
    assert "database is locked" in caplog.text


def test_closing_in_the_middle_of_a_retry_does_not_wait_for_the_next_flush(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    ledger = Ledger(database, flush_interval_s=3600)
    ledger.open()
    with locked(database):
        put(ledger, make_record())
        assert not ledger.flush(0.2)
        assert ledger.failed_batches > 0
        closer = threading.Thread(target=ledger.close, args=(0.1,), daemon=True)
        closer.start()
        closer.join(PATIENCE_S)
        assert not closer.is_alive()
    assert ledger.dropped == 1


def test_once_time_is_up_no_batch_is_tried_any_more(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    ledger = Ledger(database, batch_size=1)
    ledger.open()
    with locked(database):
        put(ledger, *(make_record() for _ in range(20)))
        ledger.close(timeout_s=0)
    assert ledger.dropped == 20
    assert ledger.failed_batches <= 2


def test_closing_a_ledger_that_lost_nothing_says_nothing(
    database: Path, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(database) as ledger:
        put(ledger, make_record())
    assert not caplog.records


def test_closing_writes_what_waits(place: str, make_record: MakeRecord) -> None:
    ledger = Ledger(place, flush_interval_s=60)
    ledger.open()
    put(ledger, *(make_record() for _ in range(20)))
    ledger.close()
    assert ledger.written == 20
    with Ledger(place) as again:
        assert len(list(again.recent())) == 20


def test_closing_and_opening_twice_is_no_harm(place: str, make_record: MakeRecord) -> None:
    ledger = Ledger(place)
    for _ in range(2):
        ledger.open()
        ledger.open()
        put(ledger, make_record())
        ledger.close()
        ledger.close()
    assert ledger.written == 2


def test_a_record_that_cannot_be_made_costs_no_other(place: str, make_record: MakeRecord) -> None:
    def broken() -> Record:
        raise ValueError("no such thing")

    with Ledger(place) as ledger:
        put(ledger, make_record())
        ledger.record(broken)
        put(ledger, make_record())
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.dropped) == (2, 1)


def test_a_record_that_cannot_be_stored_costs_no_other(place: str, make_record: MakeRecord) -> None:
    with Ledger(place) as ledger:
        with held(ledger):
            put(ledger, *(make_record() for _ in range(7)))
            put(ledger, make_record(failovers=1 << 70))
            put(ledger, *(make_record() for _ in range(7)))
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == 14


def test_an_observer_that_breaks_costs_no_record_and_no_other_observer(
    place: str, make_record: MakeRecord
) -> None:
    seen: list[str] = []

    def broken(_: Record) -> None:
        raise RuntimeError("not today")

    with Ledger(place) as ledger:
        ledger.watch(broken)
        ledger.watch(lambda record: seen.append(record.decision.id))
        put(ledger, make_record(id="a"), make_record(id="b"))
        assert ledger.flush(PATIENCE_S)
        assert ledger.written == 2
    assert seen == ["a", "b"]


def test_recent_pages_through_all_newest_first_each_once(
    place: str, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.ledger._PAGE", 7)
    records = [make_record(at=float(number // 3)) for number in range(50)]
    with Ledger(place) as ledger:
        put(ledger, *records)
        assert ledger.flush(PATIENCE_S)
        everything = list(ledger.recent(None))
        assert [r.decision.id for r in everything] == [r.decision.id for r in reversed(records)]
        assert list(ledger.recent(10)) == everything[:10]
        assert list(ledger.recent(0)) == []
        assert {r.decision.at for r in ledger.recent(None, since=15.0)} == {15.0, 16.0}


def test_a_record_that_cannot_be_read_hides_no_other(
    place: str,
    make_record: MakeRecord,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tierwise.ledger.ledger._PAGE", 2)
    with Ledger(place) as ledger:
        put(ledger, make_record(id="a"), make_record(id="b", session=5))
        put(ledger, make_record(id="c", session=5), make_record(id="d", session=5))
        put(ledger, make_record(id="e"))
        assert ledger.flush(PATIENCE_S)
        assert [record.decision.id for record in ledger.recent(None)] == ["e", "a"]
        assert [record.decision.id for record in ledger.recent(2)] == ["e", "a"]
    assert "cannot be read" in caplog.text


def test_a_damaged_bundle_hides_no_other(
    database: Path, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(database) as ledger:
        for name in "abc":
            put(ledger, make_record(id=name))
            assert ledger.flush(PATIENCE_S)
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE bundles SET records = x'00' WHERE id = 2")
        assert [record.decision.id for record in ledger.recent(None)] == ["c", "a"]
    assert "bundle 2 of the ledger cannot be read" in caplog.text


def test_a_record_that_cannot_be_read_is_named_to_whoever_wants_it(
    place: str, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(place) as ledger:
        put(ledger, make_record(id="a"), make_record(id="b", session=5))
        assert ledger.flush(PATIENCE_S)
        with pytest.raises(DecisionUnreadable, match=r"'b' is damaged \(record 1 of bundle 1 "):
            ledger.get("b")
        assert ledger.get("a") is not None
    assert "record 1 of bundle 1 cannot be read: Expected `str | null`" in caplog.text


@pytest.mark.parametrize("damage", ["x'00'", "x'78'", "(SELECT records FROM bundles WHERE id = 1)"])
def test_what_a_damaged_bundle_had_is_named_to_whoever_wants_it(
    database: Path, make_record: MakeRecord, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(database) as ledger:
        put(ledger, make_record(id="a"))
        assert ledger.flush(PATIENCE_S)
        put(ledger, make_record(id="b"), make_record(id="c"))
        assert ledger.flush(PATIENCE_S)
        with closing(sqlite3.connect(database)) as connection, connection:
            sql = f"UPDATE bundles SET records = {damage} WHERE id = 2"  # noqa: S608
            connection.execute(sql)
        with pytest.raises(DecisionUnreadable, match="bundle 2"):
            ledger.get("c")
    assert "bundle 2" in caplog.text


def test_a_ledger_that_was_never_opened_says_what_is_lost(
    place: str, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(place)
    ledger.close()
    assert not caplog.records
    put(ledger, make_record())
    ledger.close()
    assert "1 records were not written" in caplog.text
    assert "nobody opened it" in caplog.text


def test_a_ledger_in_memory_reads_what_it_wrote(make_record: MakeRecord) -> None:
    record = make_record()
    with Ledger.memory() as ledger:
        put(ledger, record)
        assert ledger.flush(PATIENCE_S)
        assert ledger.get(record.decision.id) == record
        assert ledger.report(now=1e9).requests == 1


def test_a_newer_ledger_is_refused_and_left_alone(database: Path) -> None:
    with Ledger(database):
        pass
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = database.read_bytes()
    with pytest.raises(ConfigError, match=rf"version {VERSION + 1}.*Upgrade Tierwise"):
        Ledger(database).open()
    assert database.read_bytes() == before


def test_a_database_of_another_program_is_refused(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(ConfigError, match="another program"):
        Ledger(database).open()
    with sqlite3.connect(database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("customers",)]


def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    database.write_text("Dear diary, " * 100)
    with pytest.raises(ConfigError, match="is not a ledger"):
        Ledger(database).open()
    assert database.read_text().startswith("Dear diary")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be opened"):
        Ledger(tmp_path / "file" / "ledger.db").open()


def test_missing_directories_are_made(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a" / "b" / "ledger.db"):
        assert (tmp_path / "a" / "b" / "ledger.db").is_file()


def test_an_interrupted_migration_leaves_an_empty_ledger_behind(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (("CREATE TABLE shapes (id INTEGER)", "CREATE TABEL typo"),)
    with monkeypatch.context() as patched:
        patched.setattr("tierwise.storage.sqlite_ledger.MIGRATIONS", broken)
        with pytest.raises(ConfigError):
            Ledger(database).open()
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    with Ledger(database) as ledger:
        put(ledger, make_record())
        assert ledger.flush(PATIENCE_S)


def test_an_older_ledger_is_brought_up_to_date_with_its_records(
    database: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record()
    with Ledger(database) as ledger:
        put(ledger, record)
    later = (*MIGRATIONS, ("ALTER TABLE requests ADD COLUMN mood TEXT",))
    monkeypatch.setattr("tierwise.storage.sqlite_ledger.MIGRATIONS", later)
    monkeypatch.setattr("tierwise.storage.sqlite_ledger.VERSION", len(later))
    with Ledger(database) as ledger:
        assert ledger.get(record.decision.id) == record
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("SELECT mood FROM requests").fetchall() == [(None,)]


def test_released_migrations_are_never_edited() -> None:
    digests = [hashlib.sha256("".join(steps).encode()).hexdigest()[:16] for steps in MIGRATIONS]
    released = [
        *("1b0138bf401ba17b", "368327cf48535e03", "89759f664ac0285b", "d242a3ccf11fb4bd"),
        *("8f7da2cf3fdaaee6", "09231b952be39b97", "2c45d560fcc6dc97"),
    ]
    assert digests == released, "append a migration instead"


_WRITER = """
import sys, msgspec
from tierwise.ledger import Ledger
from tierwise.types import Record
record = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Record)
with Ledger(sys.argv[1]) as ledger:
    for _ in range(300):
        ledger.record(lambda: record)
    assert ledger.flush(30) and not ledger.dropped
"""


def test_several_processes_write_one_ledger_at_once(
    database: Path, make_record: MakeRecord
) -> None:
    command = [sys.executable, "-c", _WRITER, str(database)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(msgspec.msgpack.encode(make_record(at=1.0)))
        writer.stdin.close()
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (900,)
        assert connection.execute("SELECT count(*) FROM shapes").fetchone() == (1,)


def test_several_threads_record_at_once(place: str, make_record: MakeRecord) -> None:
    record = make_record()
    with Ledger(place) as ledger:
        threads = [
            threading.Thread(target=lambda: put(ledger, *([record] * 500))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.flush(PATIENCE_S)
        assert (ledger.written, ledger.dropped) == (2000, 0)
