"""Runs Python in a process of its own, confined and timed; `confined.py` is what runs there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec
from msgspec import Struct, field

CPU_S = 2
"""CPU time for one answer, in seconds."""
WALL_S = 5.0
"""Time for one answer by the clock, in seconds, the start of the process included."""
MEMORY_BYTES = 512 << 20
_RESULT_BYTES = 64 << 10
_CONFINED = b"confined\n"
"""What the process says before it runs anything; what fails earlier is not the code's fault."""
_PROGRAM = str(Path(__file__).with_name("confined.py"))


class Result(Struct):
    """What became of the tests of one answer.

    `failed` holds the number and the error of each test that failed, `missing` the module that
    the code wanted and the sandbox has not, `trouble` what the code itself raised. `ended` says
    why there is no more than that: the process was stopped or left.
    """

    failed: list[tuple[int, str]] = field(default_factory=list)
    missing: str = ""
    trouble: str = ""
    ended: str = ""


async def run_tests(code: list[str], tests: list[str]) -> Result:
    """Runs pieces of code one after the other, then the tests, in one namespace.

    The process sees neither the environment nor the standard streams of this one, and it is gone
    when this returns, however it returns.

    Raises:
        OSError: no process can be started, or it could not be confined.
    """
    job = msgspec.json.encode(
        {"code": code, "tests": tests, "cpu_s": CPU_S, "memory": MEMORY_BYTES}
    )
    # -I and -S: neither the working directory nor installed packages are importable.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-B", _PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WALL_S):
            said = await _talk(process, job)
            status = await process.wait()
    except TimeoutError:
        return Result(ended=f"did not end within {WALL_S:g} s")
    finally:
        # The group: its children, if it could start any.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
    if status == -signal.SIGXCPU:
        return Result(ended=f"took more than {CPU_S} s of CPU time")
    if not said.startswith(_CONFINED):
        raise OSError(f"the sandbox did not come up (status {status})")
    try:
        return msgspec.json.decode(said.removeprefix(_CONFINED), type=Result)
    except msgspec.MsgspecError:
        return Result(ended=f"left before its tests were over (status {status})")


async def _talk(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    """Gives a process its job, and reads what it says to its end or to the most it may say."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ConnectionError):
        process.stdin.write(job)
        await process.stdin.drain()
    process.stdin.close()
    said = b""
    while len(said) < _RESULT_BYTES:
        block = await process.stdout.read(_RESULT_BYTES)
        if not block:
            break
        said += block
    return said
