"""Answers that replicas share: those of this process first, then what others have kept."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from msgspec import MsgspecError
from msgspec.structs import replace

from tierwise.cache.kept import Kept, decode, encode
from tierwise.cache.store import ANY_AGE, InProcess

log = logging.getLogger("tierwise.cache")

_PLAIN, _DEFLATED = b"\x01", b"\x02"
"""What the first byte says of the rest. To be changed when other versions cannot read it."""
_WORTH_BYTES = 512
"""What is shorter is hardly made shorter."""
_LEVEL = 1
_MOST_BYTES = 64 << 20
"""Of an answer that is unpacked, so that nothing in Redis takes all memory."""


class Elsewhere(Protocol):
    """Where replicas keep answers together; it is never waited for for long."""

    async def get(self, key: bytes) -> tuple[bytes, float] | None:
        """What lies there, and how many seconds ago it was kept; None where nothing is found."""

    def put(self, key: bytes, size: int, make: Callable[[], bytes], ttl_s: float) -> None:
        """Keeps what `make` gives, some time soon; `size` is about how many bytes that are."""

    def say(self, line: bytes, ttl_s: float) -> None:
        """Tells the other replicas, after all that was to be kept before."""


class Shared:
    """As `Store`: an answer lies in this process, elsewhere, or in both.

    Args:
        here: what this process keeps; what is found elsewhere is kept here, too.
        now: Unix time in seconds.
    """

    def __init__(self, here: InProcess, elsewhere: Elsewhere, now: Callable[[], float]) -> None:
        self.here = here
        self.elsewhere = elsewhere
        self._now = now

    async def get(self, key: bytes, oldest: float = ANY_AGE) -> Kept | None:
        """As in `Store`."""
        kept = await self.here.get(key, oldest)
        if kept is not None:
            return kept
        found = await self.elsewhere.get(key)
        if found is None:
            return None
        packed, age_s = found
        kept = unpacked(packed)
        if kept is None:
            return None
        # Who kept it has another clock.
        kept = replace(kept, at=self._now() - age_s)
        await self.here.put(key, kept, 0.0)
        return kept if kept.at >= oldest else None

    async def put(self, key: bytes, kept: Kept, ttl_s: float) -> None:
        """As in `Store`."""
        await self.here.put(key, kept, ttl_s)
        self.elsewhere.put(key, kept.size, partial(packed, kept), ttl_s)


def packed(kept: Kept) -> bytes:
    """An answer as bytes, made shorter if that pays."""
    plain = encode(kept)
    if len(plain) >= _WORTH_BYTES:
        shorter = zlib.compress(plain, _LEVEL)
        if len(shorter) < 0.9 * len(plain):
            return _DEFLATED + shorter
    return _PLAIN + plain


def unpacked(data: bytes) -> Kept | None:
    """The answer; None where another version has kept it, or it is broken."""
    try:
        if data[:1] == _DEFLATED:
            return decode(zlib.decompressobj().decompress(data[1:], _MOST_BYTES))
        return decode(data[1:]) if data[:1] == _PLAIN else None
    except (MsgspecError, zlib.error) as error:
        log.info("an answer that another replica has kept cannot be read: %s", error)
        return None
