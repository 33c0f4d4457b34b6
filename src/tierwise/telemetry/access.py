"""The access log: a line for every request, written in a thread of its own."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator

import msgspec

from tierwise.telemetry.in_hand import InHand
from tierwise.telemetry.logs import Format, iso

LOGGER = "tierwise.access"
_FLUSH_S = 0.25
_WAKE_AT = 500
MOST_WAITING = 50_000
"""Lines that may wait; whoever does not read the log must not cost the gateway its memory."""
_ONE_WRITE = 4096
"""Bytes that a pipe takes in one piece (POSIX's least PIPE_BUF on Linux): workers share one, and
their lines must not run into one another."""


class Entry(msgspec.Struct, frozen=True):
    """One request that is over. `status` is None where its client was gone before an answer."""

    at: float
    method: str
    path: str
    status: int | None
    latency_s: float
    held: InHand


class AccessLog:
    """Takes entries at once, and writes them soon.

    Args:
        file: what is written to, as the number of an open file; stderr unless given.
    """

    def __init__(self, form: Format, file: int | None = None) -> None:
        self._line = _as_json if form == "json" else _as_text
        self._file = sys.stderr.fileno() if file is None else file
        self._waiting: deque[Entry] = deque()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="tierwise-access", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Takes an entry; or drops it, if too many wait."""
        waiting = len(self._waiting)
        if waiting >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(entry)
        if waiting == _WAKE_AT:
            self._wake.set()

    def close(self) -> None:
        """Writes what waits and stops."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_FLUSH_S * 4)

    def _run(self) -> None:
        while True:
            self._wake.wait(_FLUSH_S)
            self._wake.clear()
            stopping = self._stop.is_set()
            try:
                for piece in self._pieces():
                    _write(self._file, piece)
            except OSError:
                self.dropped += len(self._waiting)  # whoever read it is gone
                self._waiting.clear()
            if stopping:
                return

    def _pieces(self) -> Iterator[bytes]:
        """Whole lines, as many at a time as a pipe takes in one piece."""
        lines: list[bytes] = []
        size = 0
        while self._waiting:
            line = self._line(self._waiting.popleft()) + b"\n"
            if lines and size + len(line) > _ONE_WRITE:
                yield b"".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            yield b"".join(lines)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _as_json(entry: Entry) -> bytes:
    held, run = entry.held, entry.held.run
    line: dict[str, object] = {
        "time": iso(entry.at),
        "level": "info",
        "logger": LOGGER,
        "message": f"{entry.method} {entry.path}",
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "latency_s": round(entry.latency_s, 6),
        **held.ids(),
    }
    if run is not None:
        usage = run.usage
        line["requested"] = run.decision.requested
        line["policy"] = run.decision.policy
        line["model"] = run.model
        line["deployment"] = run.deployment
        line["tier"] = run.tier
        line["input_tokens"] = usage.input_tokens
        line["output_tokens"] = usage.output_tokens
        line["cost_usd"] = run.cost_usd
    return msgspec.json.encode(line)


def _as_text(entry: Entry) -> bytes:
    held, run = entry.held, entry.held.run
    parts = [
        iso(entry.at),
        f'"{entry.method} {_visible(entry.path)}"',
        "-" if entry.status is None else str(entry.status),
        f"{entry.latency_s * 1000:.1f}ms",
        *(f"{name}={_visible(value)}" for name, value in held.ids().items()),
    ]
    if run is not None:
        parts += [f"model={run.model or '-'}", f"cost_usd={run.cost_usd:.8f}"]
    return " ".join(parts).encode("utf-8", "replace")


def _visible(text: str) -> str:
    """A text without line breaks and other controls, which would forge lines of the log."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
