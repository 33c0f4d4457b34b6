"""Where answers are kept. In this process; a store that replicas share has the same methods."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from tierwise.cache.kept import Kept

ANY_AGE = float("-inf")


class Store(Protocol):
    """Keeps answers by the digests of their requests."""

    async def get(self, key: bytes, oldest: float = ANY_AGE) -> Kept | None:
        """The answer; None if there is none that was made at `oldest` (Unix time) or later."""

    async def put(self, key: bytes, kept: Kept, ttl_s: float) -> None:
        """Keeps an answer for so many seconds. What takes time goes on after it returns."""


class InProcess:
    """The answers that were used last, up to so many bytes.

    Args:
        most_bytes: of all together, about; the one that was not used for longest goes first.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[bytes, tuple[Kept, float]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    async def get(self, key: bytes, oldest: float = ANY_AGE) -> Kept | None:
        """As in `Store`."""
        found = self._held.get(key)
        if found is None or found[0].at < oldest:
            return None
        self._held.move_to_end(key)
        return found[0]

    async def put(self, key: bytes, kept: Kept, ttl_s: float) -> None:  # noqa: ARG002
        """As in `Store`. One that is larger than all may be together is not kept."""
        size = kept.size
        if size > self._most:
            return
        self.forget(key)
        self._held[key] = (kept, size)
        self.bytes += size
        while self.bytes > self._most:
            self.forget(next(iter(self._held)))

    def clear(self) -> None:
        """There is no answer any more."""
        self._held.clear()
        self.bytes = 0

    def forget(self, key: bytes) -> None:
        """There is no such answer any more."""
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= int(held[1])
