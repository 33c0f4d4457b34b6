"""What was asked before, as vectors, in groups of requests that differ in one text alone."""

from __future__ import annotations

from collections import OrderedDict

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

MOST_GROUPS = 1000
"""The one used longest ago goes first."""
MOST_IN_GROUP = 1000
"""Of one group; the oldest goes first."""
MOST = 50_000
"""Of all groups: 50 MiB of vectors."""
_DIMENSIONS = 256
_FORMAT = 2
"""To be changed with what vectors or `said` are made of: others cannot be compared."""
_LOOK_AT = 8
"""So many of the most similar ones are looked at."""


class Entry(Struct, frozen=True):
    """One request: where its answer lies, a digest of what it says that may not differ, and when
    it was answered, a Unix time in seconds."""

    key: bytes
    said: bytes
    at: float


class Line(Struct, frozen=True, array_like=True):
    """A request as another replica tells of it. `vector` is of half precision."""

    format: int
    group: bytes
    key: bytes
    said: bytes
    vector: bytes

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The vector."""
        return np.frombuffer(self.vector, "<f2").astype(np.float32)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Line).decode


def written(group: bytes, key: bytes, said: bytes, vector: NDArray[np.float32]) -> bytes:
    """What other replicas are told."""
    return _encode(Line(_FORMAT, group, key, said, vector.astype("<f2").tobytes()))


def read(line: bytes) -> Line | None:
    """What another replica tells; None where it is of another version."""
    try:
        told = _decode(line)
    except msgspec.MsgspecError:
        return None
    known = told.format == _FORMAT and len(told.vector) == 2 * _DIMENSIONS
    return told if known else None


class Index:
    """Finds the most similar requests of a group."""

    def __init__(self) -> None:
        self._groups: OrderedDict[bytes, _Group] = OrderedDict()
        self._size = 0

    def __contains__(self, group: bytes) -> bool:
        return group in self._groups

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Nothing was asked before."""
        self._groups.clear()
        self._size = 0

    def add(self, name: bytes, entry: Entry, vector: NDArray[np.float32]) -> None:
        """From now on it is found; one with the same key is replaced."""
        group = self._groups.setdefault(name, _Group())
        self._groups.move_to_end(name)
        self._size += group.add(entry, vector)
        while len(self._groups) > MOST_GROUPS or self._size > MOST:
            _, oldest = self._groups.popitem(last=False)
            self._size -= len(oldest)

    def nearest(
        self,
        name: bytes,
        vector: NDArray[np.float32],
        said: bytes,
        threshold: float,
        oldest: float,
    ) -> list[bytes]:
        """Keys of answers made at `oldest` or later to requests at least so similar, which say the
        same where they must; the most similar one first."""
        return self._groups[name].nearest(vector, said, threshold, oldest)


class _Group:
    """The requests that differ in one text alone."""

    def __init__(self) -> None:
        self._vectors = np.zeros((0, 0), np.float32)
        self._known: list[Entry] = []
        self._places: dict[bytes, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, entry: Entry, vector: NDArray[np.float32]) -> int:
        """How many there are more than before."""
        place = self._places.get(entry.key)
        more = 0
        if place is None and len(self._known) < MOST_IN_GROUP:
            place, more = len(self._known), 1
            self._make_room(len(vector))
            self._known.append(entry)
        elif place is None:
            place = self._next
            self._next = (place + 1) % MOST_IN_GROUP
            del self._places[self._known[place].key]
        self._vectors[place] = vector
        self._known[place] = entry
        self._places[entry.key] = place
        return more

    def nearest(
        self, vector: NDArray[np.float32], said: bytes, threshold: float, oldest: float
    ) -> list[bytes]:
        cosines = self._vectors[: len(self._known)] @ vector
        found: list[bytes] = []
        for place in np.argsort(-cosines)[:_LOOK_AT]:
            if cosines[place] < threshold:
                break
            entry = self._known[int(place)]
            if entry.said == said and entry.at >= oldest:
                found.append(entry.key)
        return found

    def _make_room(self, dimensions: int) -> None:
        if len(self._known) < len(self._vectors):
            return
        more = min(max(4, 2 * len(self._vectors)), MOST_IN_GROUP)
        wider = np.zeros((more, dimensions), np.float32)
        if len(self._vectors):
            wider[: len(self._vectors)] = self._vectors
        self._vectors = wider
