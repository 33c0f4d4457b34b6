"""The tables are the same, whoever made them: alembic, a plain server, SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, inspect

import tierwise.ledger.tables  # noqa: F401 - the tables of `metadata`
from older_ledgers import age
from postgres import Postgres
from tierwise.errors import ConfigError
from tierwise.ledger import Feedback, Ledger, Report, report
from tierwise.ledger.asked import Asked
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.glance import rated
from tierwise.ledger.pages import totals
from tierwise.ledger.reading import reading
from tierwise.ledger.schema import (
    ATTEMPT_COLUMNS,
    FEEDBACK_COLUMNS,
    OWNED_ASIDE_COLUMNS,
    OWNER_COLUMNS,
    REQUEST_COLUMNS,
    SHAPE_COLUMNS,
)
from tierwise.storage import migrate, sqlite_ledger
from tierwise.storage.engine import file_url, open_engine
from tierwise.storage.metadata import metadata
from tierwise.types import Attempt, Owner, Record

MakeRecord = Callable[..., Record]
LEDGER = [
    *("shapes", "bundles", "requests", "attempts", "feedback", "checks", "asides", "owners"),
    *("hourly", "daily", "hourly_calls", "hourly_times", "marks", "writers"),
    *("hourly_asides", "daily_asides"),
]


def described(engine: Engine) -> dict[str, Any]:
    """Every table of the ledger: columns, keys and indexes, without the names of constraints."""
    found = inspect(engine)
    return {
        table: {
            "columns": {
                # SQLite says of a key that counts itself that it may be NULL, which it cannot.
                one["name"]: (str(one["type"]), one["nullable"] and not one.get("primary_key"))
                for one in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "unique": unique(engine, table),
            "foreign": sorted(
                (*one["constrained_columns"], one["referred_table"], *one["referred_columns"])
                for one in found.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (str(one["name"]), *map(str, one["column_names"]))
                for one in found.get_indexes(table)
                if not one.get("duplicates_constraint")
            ),
        }
        for table in LEDGER
    }


def unique(engine: Engine, table: str) -> list[tuple[str, ...]]:
    if engine.dialect.name != "sqlite":
        found = inspect(engine).get_unique_constraints(table)
        return sorted(tuple(one["column_names"]) for one in found)
    # What stands on several lines SQLAlchemy does not find.
    with engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", (table,)
        ).scalars()
        columns = "SELECT name FROM pragma_index_info(?) ORDER BY seqno"
        return sorted(
            tuple(connection.exec_driver_sql(columns, (name,)).scalars()) for name in names.all()
        )


def rounded(figures: Any) -> Any:
    """A report whose sums may have been added in another order."""
    if isinstance(figures, dict):
        return {name: rounded(value) for name, value in figures.items()}
    if isinstance(figures, float):
        return round(figures, 9)
    return rounded(msgspec.to_builtins(figures)) if isinstance(figures, Report) else figures


def made_by_sqlalchemy(url: str) -> dict[str, Any]:
    engine = open_engine(url)
    metadata.create_all(engine, [metadata.tables[name] for name in LEDGER])
    return described(engine)


def test_sqlite_has_the_same_tables_from_a_plain_server_from_alembic_and_from_sqlalchemy(
    tmp_path: Path,
) -> None:
    plain, alembic, core = (tmp_path / f"{name}.db" for name in ("plain", "alembic", "core"))
    with closing(sqlite3.connect(plain, isolation_level=None)) as connection:
        sqlite_ledger.migrate(connection, str(plain))
    migrate.upgrade(file_url(alembic))
    expected = made_by_sqlalchemy(file_url(core))
    assert described(open_engine(file_url(plain))) == expected
    assert described(open_engine(file_url(alembic))) == expected


def test_postgresql_has_the_same_tables_from_alembic_and_from_sqlalchemy(
    postgres: Postgres,
) -> None:
    url = postgres.empty()
    migrate.upgrade(url)
    assert described(open_engine(url)) == made_by_sqlalchemy(postgres.empty())


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("requests", REQUEST_COLUMNS),
        ("attempts", ATTEMPT_COLUMNS),
        ("feedback", FEEDBACK_COLUMNS),
        ("asides", OWNED_ASIDE_COLUMNS),
        ("shapes", SHAPE_COLUMNS),
        ("owners", OWNER_COLUMNS),
    ],
)
def test_the_columns_that_are_written_are_all_that_there_are(
    table: str, columns: tuple[str, ...]
) -> None:
    numbered = {"seq", "id"} - set(columns)
    if table == "feedback":  # filled in later
        numbered |= {"asked_at", "shape", "checks", "owner"}
    assert set(metadata.tables[table].c.keys()) - numbered == set(columns)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_ledger_keeps_every_figure(
    database: Path, make_record: MakeRecord, version: int
) -> None:
    failed = Attempt(deployment="beta/small", model="small", tier=1, outcome="timeout")
    records = [
        make_record(cost_usd=0.001 * n, latency_s=float(n), at=1000.0 * n) for n in range(1, 9)
    ]
    once = make_record(at=9000.0)
    records.append(replace(once, attempts=(failed, *once.attempts), failovers=1))
    with Ledger(database) as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        if version > 1:
            ledger.rated(Feedback(decision_id="id-0001", at=1.0, score=0.5, source="user"))
    before = rounded(report(database, now=1e9))
    age(database, version)
    migrate.upgrade(file_url(database))
    assert migrate.current(file_url(database)) == migrate.newest()
    assert rounded(report(database, now=1e9)) == before
    with Ledger(database) as ledger:
        assert ledger._store.roll(1000) == 0
        assert rounded(report(database, now=1e9)) == before
        assert [one.decision.id for one in ledger.recent()] == [
            record.decision.id for record in reversed(records)
        ]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT sum(requests) FROM hourly WHERE part = 0").fetchone() == (
            9,
        )


def test_migrating_twice_changes_nothing(place: str) -> None:
    url = place if "://" in place else file_url(place)
    migrate.upgrade(url)
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.newest()


def test_a_database_of_a_newer_version_is_refused(place: str) -> None:
    url = place if "://" in place else file_url(place)
    migrate.upgrade(url)
    with open_engine(url).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=r"version 9999.*Upgrade Tierwise"):
        migrate.upgrade(url)


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    with pytest.raises(ConfigError) as caught:
        migrate.upgrade("postgresql://me:hush@127.0.0.1:9/ledger")
    said = str(caught.value)
    assert "the database postgresql://127.0.0.1:9/ledger cannot be used" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    "url", ["mysql://me:hush@host/x", "postgresql://me:hush@host:port/x", "hush", "sqlite+x://hush"]
)
def test_what_is_no_url_of_a_database_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_engine(url)
    assert "hush" not in str(caught.value)
    assert caught.value.field == "ledger.url"


def test_an_older_ledger_knows_its_organisations_as_before(
    database: Path, make_record: MakeRecord
) -> None:
    """Which were added up by owner alone until then."""
    hour = 3600.0
    with Ledger(database) as ledger:
        for number in range(60):
            record = make_record(
                at=20_000 * 86_400 + number * 0.9 * hour,
                owner=Owner(key=f"k{number % 4}", org=("ours", "theirs")[number % 2]),
                cost_usd=0.001 * number,
            )
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        ledger.rated(Feedback(decision_id="id-0002", at=1.0, score=0.5, source="user"))
        assert ledger.flush(30)
    catch_up(str(database))
    asked = Asked(org=("ours",), since=20_000 * 86_400 + 2.5 * hour, until=20_001 * 86_400 + 7e3)

    def seen() -> tuple[list[Any], list[Any], tuple[int, float | None]]:
        with reading(database) as connection:
            by_hour = [(t.names[0], t.requests) for t in totals(connection, asked, "hour")]
            by_model = [round(t.cost_usd, 9) for t in totals(connection, asked, "model")]
            return by_hour, by_model, rated(connection, asked)

    before = seen()
    age(database, 6)
    with closing(sqlite3.connect(database)) as older:
        older.execute("DELETE FROM hourly WHERE part = 3")
        older.execute("DELETE FROM daily WHERE part = 3")
        older.execute("DELETE FROM owners WHERE key = ''")
        older.commit()
    catch_up(str(database))
    assert seen() == before
    assert sum(count for _, count in before[0]) > 10
