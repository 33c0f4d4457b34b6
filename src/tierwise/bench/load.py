"""The load generator, wrk: small enough that it is never what is measured."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tierwise.bench.programs import BenchError, find_program, run_pinned
from tierwise.bench.traffic import request_text

_SCRIPT = """\
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{mark}{{"requests":%d,"seconds":%.6f,"failed":%d,'
    .. '"p50_ms":%.4f,"p99_ms":%.4f}}\\n', summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.timeout + e.status,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""
_MARK = "RESULT "


class Load(msgspec.Struct, frozen=True):
    """What one run of the load generator saw. Latencies in milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float


class Wrk:
    """The installed wrk. Raises `MissingProgram` if there is none."""

    def __init__(self, home: Path, *, key: str, core: int | None) -> None:
        self._program = find_program("wrk", "wrk")
        self._core = core
        self._scripts = {stream: home / f"load-{stream}.lua" for stream in (False, True)}
        for stream, file in self._scripts.items():
            body = request_text(stream=stream)
            file.write_text(_SCRIPT.format(body=body, key=key, mark=_MARK))

    def run(self, url: str, *, stream: bool, connections: int, seconds: int) -> Load:
        """Keeps so many connections busy for so long.

        Raises:
            BenchError: wrk failed, or a request did.
        """
        command = [
            self._program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
            "-s", str(self._scripts[stream]), url,
        ]  # fmt: skip
        load = parse_load(run_pinned(command, core=self._core, timeout_s=seconds + 30))
        if load.failed or not load.requests:
            raise BenchError(
                f"{load.failed} of {load.requests} requests to {url} failed: there is nothing to "
                "measure"
            )
        return load


def parse_load(told: str) -> Load:
    """The figures that our script makes wrk print.

    Raises:
        BenchError: they are not there.
    """
    for line in told.splitlines():
        if line.startswith(_MARK):
            return msgspec.json.decode(line.removeprefix(_MARK), type=Load)
    raise BenchError(f"wrk printed no result: {told.strip()[-500:]}")
