"""`tierwise db`: old rows go and figures stay; what is exported or copied is all there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from postgres import Postgres
from tierwise.cli import app
from tierwise.errors import ConfigError
from tierwise.ledger import Feedback, Ledger, report
from tierwise.ledger.export import export
from tierwise.ledger.pages import Asked, totals
from tierwise.ledger.reading import reading
from tierwise.ledger.retention import prune
from tierwise.ledger.state import state
from tierwise.types import Attempt, Owner, Record

MakeRecord = Callable[..., Record]
STORAGE = Path(__file__).parents[2] / "docs" / "storage.md"
PATIENCE_S = 30.0
DAY_S = 86_400
NOW = 20_000 * DAY_S + 4321.0


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["db", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def full(place: str, make_record: MakeRecord) -> str:
    """A ledger of 200 requests in the ten days before `NOW`, half of which failed once."""
    with Ledger(place) as ledger:
        for number in range(200):
            record = make_record(
                id=f"{number:04}",
                at=NOW - number * DAY_S / 20,
                owner=Owner(key=f"k{number % 3}", tags=("a",)),
                cost_usd=0.001,
                latency_s=1.0 + number % 10,
                prompt="secret words",
            )
            if number % 2:
                failed = Attempt(deployment="b/small", model="small", tier=1, outcome="timeout")
                attempts = (failed, *record.attempts)
                record = msgspec.structs.replace(record, attempts=attempts, failovers=1)
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        for number in (1, 150):
            ledger.rated(Feedback(decision_id=f"{number:04}", at=NOW, score=1.0, source="user"))
        ledger.rated(Feedback(decision_id="0190", at=NOW - 8 * DAY_S, score=1.0, source="user"))
        assert ledger.flush(PATIENCE_S)
    return place


def test_pruning_takes_old_rows_out_and_leaves_what_they_added_up_to(full: str) -> None:
    before = report(full, now=NOW)
    with reading(full) as connection:
        totals_before = totals(connection, Asked(), "key")
    gone = prune(full, NOW - 5 * DAY_S)
    assert (gone.requests, gone.attempts) == (98, 99)  # and the last of each stays
    assert gone.before == (NOW - 5 * DAY_S) // 3600 * 3600
    after = report(full, now=NOW)
    for name in ("requests", "ok", "failovers", "upstream_errors", "input_tokens"):
        assert getattr(after, name) == getattr(before, name)
    assert after.cost_usd == pytest.approx(before.cost_usd)
    assert after.latency_p50_s == pytest.approx(before.latency_p50_s, rel=0.025)
    with reading(full) as connection:
        assert [one.requests for one in totals(connection, Asked(), "key")] == [
            one.requests for one in totals_before
        ]
    found = state(full)
    assert (found.requests, found.kept, found.pruned) == (200, 102, int(gone.before))
    with Ledger(full) as ledger:
        assert ledger.get("0190") is None
        assert ledger.feedback("0190") == []
        assert ledger.get("0001") is not None
        assert len(list(ledger.recent(None))) == 102


def test_a_bundle_goes_with_the_last_of_its_records(full: str) -> None:
    assert state(full).bundles > 0
    kept = prune(full, NOW - 5 * DAY_S)
    assert kept.bundles < state(full).bundles + kept.bundles
    prune(full, NOW + DAY_S)
    found = state(full)
    # The last row stays, with its bundle: its number must not be given again.
    assert (found.kept, found.bundles, found.attempts, found.requests) == (1, 1, 1, 200)
    again = prune(full, NOW + DAY_S)
    assert (again.requests, again.attempts, again.bundles, again.feedback) == (0, 0, 0, 0)


def test_a_gateway_goes_on_writing_after_its_ledger_was_pruned(
    full: str, make_record: MakeRecord
) -> None:
    with Ledger(full) as ledger:
        prune(full, NOW + DAY_S)
        late, new = make_record(at=NOW - 9 * DAY_S), make_record(at=NOW + 2 * DAY_S)
        for record in (late, new):
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        assert ledger.flush(PATIENCE_S)
        assert ledger.get(new.decision.id) == new
        assert ledger.report(now=NOW + 3 * DAY_S).requests == 202


def test_parquet_files_hold_every_row_and_no_prompt(full: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run("migrate", "--db", full)
    assert export(full, tmp_path / "out") == {
        "requests": 200, "attempts": 200, "feedback": 3, "asides": 0, "daily": 62,
        "daily_asides": 0,
    }  # fmt: skip
    rows = parquet.read_table(tmp_path / "out" / "requests.parquet").to_pylist()
    assert {row["id"] for row in rows} == {f"{number:04}" for number in range(200)}
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(0.2)
    one = next(row for row in rows if row["id"] == "0004")
    assert (one["key"], one["tags"], one["model"], one["tier"]) == ("k1", '["a"]', "small", 1)
    assert one["ttft_s"] is None
    assert b"secret words" not in (tmp_path / "out" / "requests.parquet").read_bytes()
    assert export(full, tmp_path / "out", since=NOW - DAY_S)["requests"] == 21


def test_the_commands_say_what_they_did(full: str, tmp_path: Path) -> None:
    assert run("migrate", "--db", full).endswith(": up to date\n")
    found = json.loads(run("status", "--db", full, "--json"))
    assert (found["requests"], found["kept"], found["waiting"]) == (200, 200, 0)
    assert "200 requests recorded, rows of 200" in run("status", "--db", full)
    assert "requests.parquet: 200 rows" in run("export", str(tmp_path), "--db", full)
    age_s = int(time.time() - NOW)
    assert "are out" in run("prune", "--older-than", f"{age_s + 5 * DAY_S}s", "--db", full)
    assert "pruned: of before 2024-09-29" in run("status", "--db", full)


def test_a_copy_of_a_file_is_the_whole_ledger(tmp_path: Path, make_record: MakeRecord) -> None:
    place, copy = str(tmp_path / "ledger.db"), str(tmp_path / "copy.db")
    records = [make_record() for _ in range(50)]
    with Ledger(place) as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        assert ledger.flush(PATIENCE_S)
        run("backup", copy, "--db", place)  # while it is open
        with pytest.raises(ConfigError, match="exists already"):
            run("backup", copy, "--db", place)
    with Ledger(copy) as restored:
        assert list(restored.recent(None)) == records[::-1]
        restored.record(lambda: make_record(id="later"))
        assert restored.flush(PATIENCE_S)
    assert report(copy, now=1e9).requests == 51


def test_a_copy_is_restored_as_documented_though_the_gateway_was_killed(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    place, crashed = tmp_path / "running.db", tmp_path / "tierwise.db"
    first, later = make_record(), make_record()
    with Ledger(str(place)) as ledger:
        for record in (first, later):
            ledger.record(lambda record=record: record)  # type: ignore[misc]
            assert ledger.flush(PATIENCE_S)
            if record is first:
                run("backup", str(tmp_path / "copy.db"), "--db", str(place))
        for ending in ("", "-wal", "-shm"):  # as it lies there when its process is gone
            shutil.copy(f"{place}{ending}", f"{crashed}{ending}")
    assert crashed.with_name("tierwise.db-wal").stat().st_size > 0
    steps = re.findall(r"^rm -f .*$", STORAGE.read_text(), re.MULTILINE)
    subprocess.run(["sh", "-c", *steps], cwd=tmp_path, check=True)
    with Ledger(str(crashed)) as restored:
        assert list(restored.recent(None)) == [first]


def test_a_dump_of_postgresql_is_the_whole_ledger(
    postgres: Postgres, make_record: MakeRecord, tmp_path: Path
) -> None:
    url, other = postgres.migrated(), postgres.empty()
    records = [make_record() for _ in range(50)]
    with Ledger(url) as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        assert ledger.flush(PATIENCE_S)
        dump = tmp_path / "ledger.dump"
        postgres.program("pg_dump", "--format=custom", f"--file={dump}", url)
    postgres.program("pg_restore", "--no-owner", f"--dbname={other}", str(dump))
    with Ledger(other) as restored:
        assert list(restored.recent(None)) == records[::-1]
        restored.record(lambda: make_record(id="later"))
        assert restored.flush(PATIENCE_S)
    assert report(other, now=1e9).requests == 51
    with pytest.raises(ConfigError, match="pg_dump"):
        run("backup", str(tmp_path / "x"), "--db", url)


def test_an_empty_database_is_said_to_be_of_no_version(postgres: Postgres) -> None:
    url = postgres.empty()
    with pytest.raises(ConfigError, match="tierwise db migrate"):
        report(url, now=1.0)
    run("migrate", "--db", url)
    assert report(url, now=1.0).requests == 0
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (0,)


@pytest.mark.process
def test_what_a_command_cannot_do_is_one_line_without_the_password() -> None:
    url = "postgresql://me:hush@127.0.0.1:9/ledger"
    done = subprocess.run(
        [sys.executable, "-m", "tierwise", "db", "status", "--db", url],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("tierwise: ledger.url: the database postgresql://127.0.0.1:9/")
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.stderr + done.stdout
