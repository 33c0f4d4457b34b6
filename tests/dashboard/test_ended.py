"""Logins that somebody has ended, wherever that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, func, inspect, select

from builders import Clock
from postgres import Postgres
from tierwise.config.keeping import LedgerConfig
from tierwise.dashboard.ended import Ended, ended_of
from tierwise.dashboard.sessions import Sessions
from tierwise.dashboard.tables import ended_logins
from tierwise.ledger import Ledger
from tierwise.state.promises import Crew
from tierwise.storage import migrate
from tierwise.storage.engine import file_url, open_engine
from tierwise.storage.metadata import metadata

SECRET = b"s" * 32


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that many gateways may share."""
    if request.param == "sqlite":
        return file_url(tmp_path / "ledger.db")
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.migrated()


def test_the_migration_makes_the_table_that_the_code_knows(url: str) -> None:
    migrate.upgrade(url)
    with open_engine(url).connect() as connection:
        opts = {"include_name": lambda name, kind, _: kind != "table" or name == "ended_logins"}
        context = MigrationContext.configure(connection, opts=opts)
        alone = MetaData(naming_convention=metadata.naming_convention)
        ended_logins.to_metadata(alone)
        assert compare_metadata(context, alone) == []


async def test_what_one_process_has_ended_is_over_for_all(url: str) -> None:
    sessions = Sessions(SECRET, 60)
    mine, another = sessions.new(digest=b"d"), sessions.new(digest=b"d")
    here, there = Ended(url), Ended(url)
    assert not await there.has(mine)
    await here.end(mine)
    await there.end(mine)  # twice, as from two windows
    assert await here.has(mine)
    assert await there.has(mine)
    assert not await there.has(another)
    here.close()
    there.close()


async def test_they_are_forgotten_when_their_cookies_are_no_good_any_more(url: str) -> None:
    clock = Clock()
    sessions, ended = Sessions(SECRET, 60, clock), Ended(url, now=clock)
    for _ in range(3):
        await ended.end(sessions.new())
    clock.now += 60
    last = sessions.new()
    await ended.end(last)
    with open_engine(url).connect() as connection:
        assert connection.execute(select(func.count()).select_from(ended_logins)).scalar() == 1
    assert await ended.has(last)
    ended.close()


async def test_a_ledger_in_memory_has_its_own(tmp_path: Path) -> None:
    memory = LedgerConfig(path=":memory:")
    one = Sessions(SECRET, 60).new()
    alone, other = ended_of(memory, Crew(), None), ended_of(memory, Crew(), None)
    await alone.end(one)
    assert await alone.has(one)
    assert not await other.has(one)
    crew = Crew(workers=2, folder=tmp_path)
    first, second = ended_of(memory, crew, None), ended_of(memory, crew, None)
    await first.end(one)
    assert await second.has(one)


async def test_a_table_that_the_dashboard_has_made_is_adopted(tmp_path: Path) -> None:
    url = file_url(tmp_path / "ledger.db")
    with Ledger(tmp_path / "ledger.db"):
        pass  # a plain gateway has made it
    one, ended = Sessions(SECRET, 60).new(), Ended(url)
    await ended.end(one)
    before = inspect(open_engine(url)).get_indexes("ended_logins")
    migrate.upgrade(url)
    assert await ended.has(one)
    assert inspect(open_engine(url)).get_indexes("ended_logins") == before
    ended.close()
