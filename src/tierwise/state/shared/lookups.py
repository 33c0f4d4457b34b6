"""What a request would like to know of Redis and can do without: it hardly waits for it.

Nobody waits longer than `WAIT_S`, and after some answers in a row that came too late Redis is left
alone for a while. What is asked here goes over connections of its own, so that limits and budgets,
which must be asked, never stand behind it.
"""

from __future__ import annotations

import asyncio
import logging
import time

from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.shelves import FETCH

log = logging.getLogger("tierwise.shared")

WAIT_S = 0.01
"""How long a request waits for Redis here, in seconds."""
_LATE_IN_A_ROW = 3
_REST_S = 1.0
"""How long Redis is left alone after so many late answers."""
_MOST_AT_A_TIME = 32

Found = tuple[bytes, float]
"""What lies under a key, and its seconds left by Redis' clock."""


class Late(Lost):
    """Redis is there and did not answer in time."""


class Lookups:
    """Those of one process. What is asked at a time is asked together."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._late_in_a_row = 0
        self._rest_until = 0.0
        self._wanted: dict[str, asyncio.Future[Found | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: str) -> Found | None:
        """What lies under a key; None where nothing does.

        Raises:
            Late: it is not known in time.
            Lost: Redis is away, or left alone for now.
        """
        if not self._link.up or time.monotonic() < self._rest_until:
            raise Lost(self._link.why)
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
        await asyncio.wait((wanted,), timeout=WAIT_S)
        if not wanted.done():
            self._was_late(key)
            raise Late("no answer in time")
        self._late_in_a_row = 0
        return wanted.result()

    async def close(self) -> None:
        """Nothing is asked any more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _was_late(self, key: str) -> None:
        self._wanted.pop(key, None)
        self._late_in_a_row += 1
        if self._late_in_a_row >= _LATE_IN_A_ROW:
            self._late_in_a_row = 0
            self._rest_until = time.monotonic() + _REST_S

    async def _read(self) -> None:
        try:
            while self._wanted:
                keys = list(self._wanted)[:_MOST_AT_A_TIME]
                wanted = [self._wanted.pop(key) for key in keys]
                try:
                    found = await self._link.bulk_script(FETCH, keys, [])
                except Lost:
                    found = [None, 0] * len(keys)
                except Exception:
                    log.exception("what other replicas keep cannot be read")
                    found = [None, 0] * len(keys)
                for place, one in enumerate(wanted):
                    data, left_ms = found[2 * place], found[2 * place + 1]
                    if not one.done():
                        one.set_result(None if data is None else (data, left_ms / 1000))
        finally:
            self._reading = None
