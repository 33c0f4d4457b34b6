"""Answers of the cache that replicas give again of each other, in Redis: bytes, by whose they are.

Nobody waits to keep something, and hardly anybody to find something (`lookups`).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.lookups import Late, Lookups
from tierwise.state.shared.shelves import CLEAR, LINES, SAY, SHELVE

log = logging.getLogger("tierwise.shared")

WHOSE_BYTES = 16
MOST_BYTES_ONE = 512 << 10
"""A larger answer is kept by the replica that gave it, and by no other: Redis does one thing at a
time."""
_MOST_WAITING_BYTES = 16 << 20
"""What may wait to be kept; what comes beyond is kept by this replica alone."""
_LARGE = 64 << 10
"""From so many bytes on packing is work for another thread."""
OVERHEAD_BYTES = 700
"""What Redis needs for an answer beside itself: its key, its size, and its place in two orders."""
MOST_LINES = 50_000
_LINES_AT_A_TIME = 200
_HEAR_EVERY_S = 0.5
_PAUSE_S = 0.01
"""Between two batches of lines: requests come in between."""
MARK_S = 30 * 86_400
"""How long Redis remembers that all was forgotten, for replicas that it was away from."""
_head = struct.Struct(">I")

Hear = Callable[[bytes, float], None]
"""Takes a line that another replica has said, and how many seconds ago that was."""


class Bounds(Struct, frozen=True):
    """Bytes of all answers together, and of those of one owner."""

    most: int
    most_each: int


class _Job(Struct, eq=False):
    """Something to be kept or to be said; `size` is about what it takes while it waits."""

    size: int
    key: bytes
    make: Callable[[], bytes]
    ttl_s: int
    is_line: bool = False


class SharedCache:
    """What all replicas keep together. Keys begin with `WHOSE_BYTES` that say whose they are.

    `hits` and `misses` count what Redis was asked for, `late` what it did not say in time, `kept`
    what it has taken, and `left_out` what it has not. `cleared` is called when another replica has
    had all answers forgotten.

    Args:
        replaced: told the key of an answer in whose place another one was kept.
        tell_cleared: told a mark when all answers were forgotten; has others hear it.
    """

    def __init__(
        self,
        link: Link,
        lookups: Lookups,
        replaced: Callable[[bytes], None],
        tell_cleared: Callable[[str], None],
    ) -> None:
        self._link = link
        self._lookups = lookups
        self._replaced = replaced
        self._tell_cleared = tell_cleared
        self._mark: str | None = None
        self.cleared: Callable[[], None] = _nothing
        self.bounds = Bounds(0, 0)
        self.hits = self.misses = self.late = self.kept = self.left_out = 0
        self._jobs: deque[_Job] = deque()
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._hear: Hear | None = None
        self._last = "0-0"

    async def get(self, key: bytes) -> tuple[bytes, float] | None:
        """What lies there, and how many seconds ago it was kept by Redis' clock.

        None where nothing does, or Redis is away or too slow.
        """
        try:
            found = await self._lookups.get(self._link.key("cache", "answer", _name(key)))
        except Late:
            self.late += 1
            return None
        except Lost:
            return None
        if found is None or len(found[0]) < _head.size:
            self.misses += 1
            return None
        self.hits += 1
        packed, left_s = found
        (ttl_s,) = _head.unpack_from(packed)
        return packed[_head.size :], max(0.0, ttl_s - left_s)

    def counts(self) -> dict[str, int]:
        """How often what happened."""
        return {
            "hit": self.hits,
            "miss": self.misses,
            "late": self.late,
            "kept": self.kept,
            "left_out": self.left_out,
        }

    def put(self, key: bytes, size: int, make: Callable[[], bytes], ttl_s: float) -> None:
        """Keeps what `make` gives, some time soon; `size` is about how many bytes that are."""
        self._do(_Job(size, key, make, max(1, round(ttl_s))))

    def say(self, line: bytes, ttl_s: float) -> None:
        """Tells the other replicas, when all that was to be kept before is kept."""
        self._do(_Job(len(line), b"", lambda: line, max(1, round(ttl_s)), is_line=True))

    def listen(self, hear: Hear | None) -> None:
        """From now on `hear` is told what is said, by this replica as well, and first of all what
        was said before; None: nobody listens."""
        if self._hear is None:
            self._last = "0-0"
        self._hear = hear

    async def clear(self) -> int:
        """Has Redis forget all answers, and other replicas theirs; how many Redis had.

        Raises:
            Lost: it is away, or did not answer in time.
        """
        mark = secrets.token_hex(8)
        self._drop_jobs()
        cleared = 0
        while True:
            keys = [*self._shelf(), self._lines(), self._link.key("cache", "cleared")]
            gone = int(await self._link.bulk_script(CLEAR, keys, [mark, MARK_S]))
            cleared += gone
            if not gone:
                break
        self._mark = mark
        self._tell_cleared(mark)
        return cleared

    def heard_cleared(self, mark: str) -> None:
        """Another replica has had Redis forget all answers."""
        if mark != self._mark:
            self._mark = mark
            self._drop_jobs()
            self.cleared()

    async def catch_up(self) -> None:
        """Learns whether that was done while nobody here listened.

        Raises:
            Lost: Redis is away.
        """
        data: bytes | None = await self._link.bulk("GET", self._link.key("cache", "cleared"))
        if data is not None and self._mark is None:
            self._mark = data.decode()  # it was before this replica began
        elif data is not None:
            self.heard_cleared(data.decode())
        elif self._mark is None:
            self._mark = ""

    def start(self) -> None:
        """Begins to listen; in a running event loop."""
        self._hearing = asyncio.create_task(self._hear_all())

    async def close(self) -> None:
        """Nothing is asked or kept any more; what was still to be kept is not."""
        tasks = [t for t in (self._writing, self._hearing) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, job: _Job) -> None:
        if not self._link.up or self._waiting_bytes + job.size > _MOST_WAITING_BYTES:
            self.left_out += not job.is_line
            return
        self._waiting_bytes += job.size
        self._jobs.append(job)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._jobs:
                job = self._jobs.popleft()
                self._waiting_bytes -= job.size
                try:
                    await (self._write_line(job) if job.is_line else self._write_answer(job))
                except Lost as error:
                    self.left_out += not job.is_line
                    log.debug("an answer is kept by this replica alone: %s", error)
                except Exception:
                    log.exception("an answer is kept by this replica alone")
        finally:
            self._writing = None

    async def _write_answer(self, job: _Job) -> None:
        packed = await asyncio.to_thread(job.make) if job.size > _LARGE else job.make()
        if len(packed) > MOST_BYTES_ONE:
            self.left_out += 1
            return
        arguments: list[Any] = [
            _name(job.key),
            _head.pack(job.ttl_s) + packed,
            job.ttl_s,
            self.bounds.most,
            self.bounds.most_each,
            len(packed) + OVERHEAD_BYTES,
        ]
        replaced = await self._link.bulk_script(SHELVE, self._shelf(), arguments)
        self.kept += 1
        if replaced:
            self._replaced(job.key)

    async def _write_line(self, job: _Job) -> None:
        arguments: list[Any] = [job.make(), MOST_LINES, job.ttl_s]
        await self._link.bulk_script(SAY, [self._lines()], arguments)

    async def _hear_all(self) -> None:
        while True:
            more = False
            try:
                more = self._hear is not None and await self._hear_some()
            except Lost:
                pass  # the connection says so
            except Exception:
                log.exception("what other replicas keep cannot be read")
            await asyncio.sleep(_PAUSE_S if more else _HEAR_EVERY_S)

    async def _hear_some(self) -> bool:
        """Whether there is more."""
        known: list[Any] = [self._last, _LINES_AT_A_TIME]
        now_ms, lines = await self._link.bulk_script(LINES, [self._lines()], known)
        for name, fields in lines:
            self._last = name.decode()
            said_ms = int(self._last.partition("-")[0])
            if self._hear is not None:
                self._hear(fields[1], max(0.0, (int(now_ms) - said_ms) / 1000))
        return len(lines) == _LINES_AT_A_TIME

    def _drop_jobs(self) -> None:
        self._jobs.clear()
        self._waiting_bytes = 0

    def _shelf(self) -> list[str]:
        return [self._link.key("cache", part) for part in ("order", "sizes", "sums")]

    def _lines(self) -> str:
        return self._link.key("cache", "lines")


def _nothing() -> None:
    """Nothing is kept here."""


def _name(key: bytes) -> str:
    return f"{_text(key[:WHOSE_BYTES])}/{_text(key[WHOSE_BYTES:])}"


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
