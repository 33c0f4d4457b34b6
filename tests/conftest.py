"""Fixtures that several stations' tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from elsewhere import Elsewhere
from gateway import KEY, Provider, RunningGateway, config_for

if TYPE_CHECKING:
    from postgres import Postgres
    from replicated import RedisServer


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark of tests that start processes: leave them out with -m "not process".

    No example is to be done in some time: on a busy machine that says nothing.
    """
    config.addinivalue_line("markers", "process: starts processes of its own, so it takes longer")
    with suppress(ImportError):  # tests of clients have an environment of their own, without it
        from hypothesis import settings

        settings.register_profile("patient", deadline=None)
        settings.load_profile("patient")


@pytest.fixture(scope="session")
def _provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def provider(_provider: Provider) -> Iterator[Provider]:
    """A provider that echoes until it is told otherwise."""
    _provider.reset()
    yield _provider
    _provider.reset()


@pytest.fixture(scope="session")
def _gateway(_provider: Provider) -> Iterator[RunningGateway]:
    data = config_for(_provider.url, server={"api_keys": [KEY], "max_body_mb": 1})
    with RunningGateway(data) as gateway:
        yield gateway


@pytest.fixture
def gateway(_gateway: RunningGateway, provider: Provider) -> RunningGateway:
    """A gateway in front of `provider`, with one key, all its deployments well."""
    _gateway.forget()
    return _gateway


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a ledger may be."""
    return tmp_path / "ledger.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    # Imported only here: tests of clients run where nothing of it is installed.
    from postgres import running

    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be: a file that does not exist, and a database that is empty."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.migrated()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that forgets everything when it is killed."""
    from replicated import RedisServer  # as with PostgreSQL

    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def _elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as one:
        yield one


@pytest.fixture
def elsewhere(_elsewhere: Elsewhere) -> Elsewhere:
    """A provider that says what it got, whatever the path."""
    _elsewhere.reset()
    _elsewhere.got.clear()
    return _elsewhere
