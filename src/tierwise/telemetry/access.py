"""The access log: a line for every request, written in a thread of its own."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from tierwise.providers.errors import redact
from tierwise.telemetry.in_hand import InHand
from tierwise.telemetry.logs import Format, iso

LOGGER = "tierwise.access"
_FLUSH_S = 0.25
_WAKE_AT = 500
MOST_WAITING = 50_000
"""Lines that may wait; whoever does not read the log must not cost the gateway its memory."""
_PIPED, _FILED = 4096, 65_536
"""Bytes of one write. Workers share a log, and their lines must not run into one another: a pipe
takes so much in one piece (PIPE_BUF of Linux), and a file all that is appended to it at once."""


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    """One line, in the order of its fields; what is not known is left out."""

    time: str
    level: str
    logger: str
    message: str
    method: str
    path: str
    status: int | None
    latency_s: float
    decision_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    key: str | None = None
    requested: str | None = None
    policy: str | None = None
    model: str | None = None
    deployment: str | None = None
    tier: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class AccessLog:
    """Takes requests that are over at once, and writes them soon.

    Args:
        file: what is written to, as the number of an open file; stderr unless given.
    """

    def __init__(self, form: Format, file: int | None = None) -> None:
        self._line = _as_json if form == "json" else _as_text
        self._file = sys.stderr.fileno() if file is None else file
        self._piece = _FILED if stat.S_ISREG(os.fstat(self._file).st_mode) else _PIPED
        self._waiting: deque[tuple[float, _Line]] = deque()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._turned_away = 0
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="tierwise-access", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that nobody will see: for which there was no room, or which could not be written.

        Each part is counted by one thread alone.
        """
        return self._turned_away + self._lost

    def add(self, over: InHand, latency_s: float) -> None:
        """Takes a request that took so many seconds; or drops it, if too many wait.

        One without a status was left by its client before there was one.
        """
        waiting = len(self._waiting)
        if waiting >= MOST_WAITING:
            self._turned_away += 1
            return
        self._waiting.append((over.at, _line_of(over, latency_s)))
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
                    self._write(piece)
            except OSError:
                self._give_up()  # whoever read it is gone
            if stopping:
                return

    def _give_up(self) -> None:
        """Drops what waits. More may come meanwhile, and is tried again."""
        waiting = len(self._waiting)
        for _ in range(waiting):
            self._waiting.popleft()
        self._lost += waiting

    def _write(self, piece: bytes) -> None:
        """Writes whole lines; those that do not get there are lost."""
        while piece:
            try:
                piece = piece[os.write(self._file, piece) :]
            except OSError:
                self._lost += piece.count(b"\n")
                raise

    def _pieces(self) -> Iterator[bytes]:
        """Whole lines, as many at a time as are written in one piece."""
        lines: list[bytes] = []
        size = 0
        while self._waiting:
            line = self._line(*self._waiting[0]) + b"\n"
            if lines and size + len(line) > self._piece:
                yield b"".join(lines)
                lines, size = [], 0
            self._waiting.popleft()
            lines.append(line)
            size += len(line)
        if lines:
            yield b"".join(lines)


def _line_of(over: InHand, latency_s: float) -> _Line:
    """What there is to say of a request, without the request: its body need not wait with it."""
    trace, run = over.trace, over.run
    trace_id, span = (None, None) if trace is None else (trace.id, trace.span)
    if run is None:
        return _Line(
            "", "info", LOGGER, "", over.method, over.path, over.status, latency_s,
            None, trace_id, span, over.caller,
        )  # fmt: skip
    decision, usage = run.decision, run.usage
    return _Line(
        "", "info", LOGGER, "", over.method, over.path, over.status, latency_s,
        decision.id, trace_id, span, over.caller, decision.requested, decision.policy,
        run.model, run.deployment, run.tier, usage.input_tokens, usage.output_tokens, run.cost_usd,
    )  # fmt: skip


_encode = msgspec.json.Encoder().encode


def _as_json(at: float, line: _Line) -> bytes:
    line.time = iso(at)
    line.path = _harmless(line.path)
    line.message = f"{line.method} {line.path}"
    line.latency_s = round(line.latency_s, 6)
    return _encode(line)


def _as_text(at: float, line: _Line) -> bytes:
    ids = ("decision_id", "trace_id", "span_id", "key")
    parts = [
        iso(at),
        f'"{line.method} {_visible(_harmless(line.path))}"',
        "-" if line.status is None else str(line.status),
        f"{line.latency_s * 1000:.1f}ms",
        *(f"{name}={_visible(value)}" for name in ids if (value := getattr(line, name))),
    ]
    if line.model is not None or line.cost_usd is not None:
        parts.append(f"model={_visible(line.model or '-')}")
    if line.cost_usd is not None:
        parts.append(f"cost_usd={line.cost_usd:.8f}")
    return " ".join(parts).encode("utf-8", "replace")


@lru_cache(maxsize=512)
def _harmless(path: str) -> str:
    """A path without what looks like a key, such as one that was put into a base URL; kept, as most
    requests have one of a few."""
    return redact(path)


def _visible(text: str) -> str:
    """A text without line breaks and other controls, which would forge lines of the log."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
