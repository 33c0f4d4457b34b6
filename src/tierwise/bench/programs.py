"""Starting the programs that a measurement needs, each on its core."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess  # nosec B404
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tierwise.errors import TierwiseError

STOP_S = 15.0
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian keeps nginx, which is not on every user's PATH."""


class BenchError(TierwiseError):
    """A measurement is not possible or went wrong."""


class MissingProgram(BenchError):
    """A program that is needed is not installed. `package` is its name in Debian."""

    def __init__(self, program: str, package: str) -> None:
        self.program = program
        self.package = package
        super().__init__(
            f"the benchmark needs {program}, which is not installed here. "
            f"On Debian or Ubuntu: apt-get install {package}"
        )


def find_program(name: str, package: str, path: str | None = None) -> str:
    """The full path of an installed program.

    Args:
        path: where to look, instead of PATH and the administrator's directories.

    Raises:
        MissingProgram: it is not installed.
    """
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), _SBIN)) if path is None else path
    found = shutil.which(name, path=places)
    if found is None:
        raise MissingProgram(name, package)
    return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [found.getsockname()[1] for found in sockets]
    finally:
        for found in sockets:
            found.close()


@contextmanager
def running(
    command: Sequence[str],
    *,
    core: int | None,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends.

    Args:
        core: the CPU core that it is kept on, if any.
        log: the file that takes what it prints.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(  # nosec B603 # no shell, our own words
            [*_pinned(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_pinned(command: Sequence[str], *, core: int | None, timeout_s: float) -> str:
    """What a program prints that ends by itself.

    Raises:
        BenchError: it failed or took longer than `timeout_s` seconds.
    """
    try:
        done = subprocess.run(  # nosec B603 # no shell, our own words
            [*_pinned(core), *command],
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, *, timeout_s: float
) -> None:
    """Asks `ready` every two milliseconds until it says so.

    Raises:
        BenchError: the process ended, or the time is over; with the end of its log.
    """
    give_up = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up:
            said = log.read_text("utf-8", "replace").strip()[-1000:] if log.exists() else ""
            raise BenchError(f"{log.stem} did not start: {said or 'it said nothing'}")
        time.sleep(0.002)


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _pinned(core: int | None) -> list[str]:
    """What to put before a command so that it runs on one core.

    The process sets its own affinity and then becomes the command, so its id stays the same.
    """
    if core is None:
        return []
    code = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); "
    code += "os.execvp(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-S", "-c", code, str(core)]
