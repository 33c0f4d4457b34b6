"""Answers of the Responses API that a later request goes on from, or asks for again.

In this process, with bounds: what is over them is forgotten, the oldest first. Whoever asks for
what was forgotten is told so, and sends the whole conversation instead.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.unreadable import UNREADABLE

KEEP_S = 24 * 3600.0
"""How long an answer is kept, in seconds."""
MOST_BYTES = 256 << 20
"""Of all answers together."""
MOST_BYTES_EACH = 64 << 20
"""Of the answers of one caller."""

Caller = str | None


class Kept(Struct, frozen=True, gc=False):
    """One answer: the object `response` as the client got it, and the `input` that it answers, what
    was said in earlier requests included. Both are JSON, which is read when somebody asks for it:
    most answers are never asked for again.
    """

    response: bytes
    input: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.response) + len(self.input)

    @property
    def items(self) -> list[bytes]:
        """Those that it answers."""
        return items_of(self.input)

    @property
    def output(self) -> list[bytes]:
        """The items of the answer."""
        try:
            return [bytes(item) for item in _decode_response(self.response).output]
        except UNREADABLE:
            return []

    @property
    def by_id(self) -> dict[str, bytes]:
        """The output's items that have an id, by it."""
        named = {_id_of(item): item for item in self.output}
        return {name: item for name, item in named.items() if name is not None}


class _Response(Struct):
    output: list[Raw] = []


class _Named(Struct):
    id: str | None = None


_decode_response = msgspec.json.Decoder(_Response).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_input = msgspec.json.Decoder(str | list[Raw] | None).decode


def items_of(given: bytes) -> list[bytes]:
    """The items of a field `input`, given as JSON; a text is a message of the user.

    Raises:
        msgspec.MsgspecError: it is neither a text nor a list.
    """
    said = _decode_input(given) if given else None
    if said is None:
        return []
    if isinstance(said, str):
        return [msgspec.json.encode({"type": "message", "role": "user", "content": said})]
    return [bytes(item) for item in said]


def _id_of(item: bytes) -> str | None:
    try:
        return _decode_named(item).id
    except UNREADABLE:
        return None


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


class _Entry(Struct, gc=False):
    """`ids` is the answer's `by_id` once it was read, None before."""

    kept: Kept
    at: float
    size: int
    ids: dict[str, bytes] | None = None


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
        if (caller, name) in self._entries:
            self._drop(caller, name)
        size, now = kept.size, self._clock()
        self._entries[caller, name] = _Entry(kept, now, size)
        self._names.setdefault(caller, OrderedDict())[name] = None
        self._bytes[caller] = self._bytes.get(caller, 0) + size
        self._all_bytes += size
        self._forget_old(caller, now)

    async def find(self, caller: Caller, name: str) -> Kept | None:
        """As in `KeptResponses`."""
        self._forget_old(caller, self._clock())
        entry = self._entries.get((caller, name))
        return entry.kept if entry is not None else None

    async def item(self, caller: Caller, name: str) -> bytes | None:
        """As in `KeptResponses`."""
        self._forget_old(caller, self._clock())
        self._read(caller)
        return self._items.get((caller, name))

    async def forget(self, caller: Caller, name: str) -> bool:
        """As in `KeptResponses`."""
        self._forget_old(caller, self._clock())
        return self._drop(caller, name)

    def _read(self, caller: Caller) -> None:
        """Takes the items in of the answers that were kept since the last time."""
        unread: list[_Entry] = []
        for name in reversed(self._names.get(caller, ())):
            entry = self._entries[caller, name]
            if entry.ids is not None:
                break
            unread.append(entry)
        for entry in reversed(unread):
            entry.ids = entry.kept.by_id
            self._items.update({(caller, one): item for one, item in entry.ids.items()})

    def _drop(self, caller: Caller, name: str) -> bool:
        entry = self._entries.pop((caller, name), None)
        if entry is None:
            return False
        for one, item in (entry.ids or {}).items():
            if self._items.get((caller, one)) is item:
                del self._items[caller, one]
        self._all_bytes -= entry.size
        self._bytes[caller] -= entry.size
        names = self._names[caller]
        del names[name]
        if not names:
            del self._names[caller], self._bytes[caller]
        return True

    def _forget_old(self, caller: Caller, now: float) -> None:
        too_old = now - KEEP_S
        while self._entries:
            (owner, name), entry = next(iter(self._entries.items()))
            if entry.at > too_old and self._all_bytes <= MOST_BYTES:
                break
            self._drop(owner, name)
        while self._bytes.get(caller, 0) > MOST_BYTES_EACH:
            self._drop(caller, next(iter(self._names[caller])))
