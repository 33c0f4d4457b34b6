"""Answers of the Responses API that a later request goes on from, or asks for again.

In this process, with bounds: what is over them is forgotten, the oldest first. Whoever asks for
what was forgotten is told so, and sends the whole conversation instead.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

KEEP_S = 24 * 3600.0
"""How long an answer is kept, in seconds."""
MOST_BYTES = 256 << 20
"""Of all answers together."""
MOST_BYTES_EACH = 64 << 20
"""Of the answers of one caller."""

Caller = str | None


class Kept(Struct, frozen=True):
    """One answer: the object `response` as the client got it, the `items` of `input` that it
    answers, those of earlier requests among them, and its `output`. All is JSON.

    `ids` are the output's items that have an id, by it.
    """

    response: bytes
    input: tuple[bytes, ...]
    output: tuple[bytes, ...]
    ids: dict[str, bytes]

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.response) + sum(map(len, self.input)) + sum(map(len, self.output))


class KeptResponses(Protocol):
    """Where they are kept. Each caller sees its own alone."""

    def keep(self, caller: Caller, name: str, kept: Kept) -> None:
        """From now on the answer is there; one of the same name is replaced."""

    async def find(self, caller: Caller, name: str) -> Kept | None:
        """The answer of that name."""

    async def item(self, caller: Caller, name: str) -> bytes | None:
        """One item of the output of an answer, by its own id."""

    async def forget(self, caller: Caller, name: str) -> bool:
        """Whether the answer was there; it is not any more."""


class _Entry(Struct):
    kept: Kept
    at: float
    size: int


class InProcess:
    """In the memory of this process.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[Caller, str], _Entry] = OrderedDict()
        self._names: dict[Caller, OrderedDict[str, None]] = {}
        self._items: dict[tuple[Caller, str], bytes] = {}
        self._bytes: dict[Caller, int] = {}
        self._all_bytes = 0

    def keep(self, caller: Caller, name: str, kept: Kept) -> None:
        """As in `KeptResponses`."""
        self._drop(caller, name)
        size = kept.size
        self._entries[caller, name] = _Entry(kept, self._clock(), size)
        self._names.setdefault(caller, OrderedDict())[name] = None
        self._items.update({(caller, one): item for one, item in kept.ids.items()})
        self._bytes[caller] = self._bytes.get(caller, 0) + size
        self._all_bytes += size
        self._forget_old(caller)

    async def find(self, caller: Caller, name: str) -> Kept | None:
        """As in `KeptResponses`."""
        self._forget_old(caller)
        entry = self._entries.get((caller, name))
        return entry.kept if entry is not None else None

    async def item(self, caller: Caller, name: str) -> bytes | None:
        """As in `KeptResponses`."""
        self._forget_old(caller)
        return self._items.get((caller, name))

    async def forget(self, caller: Caller, name: str) -> bool:
        """As in `KeptResponses`."""
        self._forget_old(caller)
        return self._drop(caller, name)

    def _drop(self, caller: Caller, name: str) -> bool:
        entry = self._entries.pop((caller, name), None)
        if entry is None:
            return False
        for one, item in entry.kept.ids.items():
            if self._items.get((caller, one)) is item:
                del self._items[caller, one]
        self._all_bytes -= entry.size
        self._bytes[caller] -= entry.size
        names = self._names[caller]
        del names[name]
        if not names:
            del self._names[caller], self._bytes[caller]
        return True

    def _forget_old(self, caller: Caller) -> None:
        too_old = self._clock() - KEEP_S
        while self._entries:
            (owner, name), entry = next(iter(self._entries.items()))
            if entry.at > too_old and self._all_bytes <= MOST_BYTES:
                break
            self._drop(owner, name)
        while self._bytes.get(caller, 0) > MOST_BYTES_EACH:
            self._drop(caller, next(iter(self._names[caller])))
