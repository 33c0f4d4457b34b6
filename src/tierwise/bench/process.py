"""What the kernel says of a process and of the machine, from `/proc`."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

from tierwise.bench.programs import BenchError

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cores() -> tuple[int | None, int | None]:
    """A core for whoever is measured and one for all else; none where there is only one.

    Raises:
        BenchError: this is not Linux, so that nothing can be measured.
    """
    if sys.platform != "linux":
        raise BenchError("the benchmark asks Linux for CPU times, so it runs on Linux only")
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used with all its threads, in user and kernel mode."""
    return parse_cpu_seconds((_PROC / str(pid) / "stat").read_text(), _TICKS_PER_S)


def exact_cpu_seconds(pid: int) -> float:
    """The same to the nanosecond, for what is over within a few of the kernel's ticks."""
    # The clock of another process, as clock_getcpuclockid(3) makes it on Linux.
    return time.clock_gettime(~pid << 3 | 2)


def parse_cpu_seconds(stat: str, ticks_per_s: int) -> float:
    """The same from the text of `/proc/PID/stat` (proc(5): fields 14 and 15)."""
    # The second field is the program's name in brackets, which may hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / ticks_per_s


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, in MB of 10^6 bytes."""
    return parse_resident_mb((_PROC / str(pid) / "status").read_text())


def parse_resident_mb(status: str) -> float:
    """The same from the text of `/proc/PID/status`."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def cpu_model() -> str:
    """What the processor calls itself."""
    return parse_cpu_model((_PROC / "cpuinfo").read_text()) or platform.machine()


def parse_cpu_model(cpuinfo: str) -> str | None:
    """The same from the text of `/proc/cpuinfo`; None where it does not say."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return None
