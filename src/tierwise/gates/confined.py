"""The program that runs in the sandbox: confines itself, then runs code and its tests.

It is started by `sandbox.py` as a script of its own, imports nothing of Tierwise, and gets its job
as JSON on standard input. `docs/gates.md` says what it promises and what not.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # of unshare(2)
_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # of prctl(2)
_NOBODY = 65534
_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - pathlib would cost its import
_FORBIDDEN = (
    "ctypes.", "fcntl.", "ftplib.", "mmap.", "os.", "pty.", "resource.", "shutil.", "signal.",
    "smtplib.", "socket.", "sqlite3.", "subprocess.", "syslog.", "tempfile.", "urllib.",
)  # fmt: skip
_HARMLESS = frozenset({"os.listdir", "os.scandir", "os.walk", "os.fwalk"})  # imports need them


def _limit(cpu_s: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave() -> None:
    """No network, no privileges, no processes, as far as the system lets us."""
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)  # Linux has it
    root = os.geteuid() == 0
    if unshare is not None:
        unshare(_NEW_NET if root else _NEW_USER | _NEW_NET)
    if root and _readable_by_nobody():
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if unshare is not None:
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def _readable_by_nobody() -> bool:
    """Whether the standard library could still be imported by a user without rights."""
    os.seteuid(_NOBODY)
    try:
        os.listdir(_LIBRARY)  # noqa: PTH208
    except OSError:
        return False
    finally:
        os.seteuid(0)
    return True


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Stops what tested code has no business with. A guard against accidents, not a wall."""
    if event == "open":
        path, _, flags = arguments
        name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or not name.startswith(_LIBRARY) or ".." in name:
            raise PermissionError(f"the sandbox does not let code open {name!r}")
    elif event.startswith(_FORBIDDEN) and event not in _HARMLESS:
        raise PermissionError(f"the sandbox does not let code use {event}")


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """What became of the tests: `failed` has the number and the error of each that failed."""
    # A name of its own, so that `if __name__ == "__main__"` stays asleep.
    space: dict[str, Any] = {"__name__": "answer"}
    trouble = ""
    for code in job["code"]:
        try:
            exec(compile(code, "<answer>", "exec"), space)  # noqa: S102 - it is what we are here for
        except ModuleNotFoundError as error:
            return {"missing": error.name or "a module", "failed": []}
        except BaseException as error:  # noqa: BLE001 - a demonstration may fail, the tests decide
            trouble = trouble or _told(error)
    failed: list[tuple[int, str]] = []
    for number, test in enumerate(job["tests"]):
        try:
            exec(compile(test, "<test>", "exec"), space)  # noqa: S102
        except ModuleNotFoundError as error:
            return {"missing": error.name or "a module", "failed": []}
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test has failed
            failed.append((number, _told(error)))
    return {"failed": failed, "trouble": trouble}


def _told(error: BaseException) -> str:
    said = ""
    with contextlib.suppress(BaseException):
        said = str(error)[:100]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def main() -> None:
    """Reads the job, runs it confined, writes the result to what was standard output."""
    job = json.loads(sys.stdin.buffer.read())
    result = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    _limit(job["cpu_s"], job["memory"])
    _leave()
    sys.path[:] = [entry for entry in sys.path if entry.startswith(_LIBRARY[:-1])]
    sys.addaudithook(_guard)
    os.write(result, b"confined\n")
    said = json.dumps(_run(job)).encode()
    os.write(result, said)
    os._exit(0)


if __name__ == "__main__":
    main()
