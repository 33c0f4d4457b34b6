"""A number that all processes of one machine see at once: how often accounts have changed."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Protocol

_SIZE = 8


class Counter(Protocol):
    """Tells those who share it that something has changed. Reading is for every request."""

    def read(self) -> int:
        """Another value than the last time if something has changed since."""

    def tell(self, number: int) -> None:
        """An act of this number is committed."""


class InMemory:
    """For one process by itself."""

    def __init__(self) -> None:
        self._value = 0

    def read(self) -> int:
        """The number of the latest act."""
        return self._value

    def tell(self, number: int) -> None:
        """An act of this number is committed."""
        self._value = number


class InFile:
    """In a file that is mapped into the memory of each process. Eight bytes are written at once.

    Two that write at the same time may leave the lower number. Whoever reads looks for another
    number, not for a higher one, and reads the database, where both are done by then.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        with path.open("ab") as file:
            if file.tell() < _SIZE:
                # Written, as a hole would get its place on the disk later: where that is full by
                # then, whoever writes into the map is killed.
                file.write(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    def read(self) -> int:
        """The number that was told last."""
        return int.from_bytes(self._map[:], "little")

    def tell(self, number: int) -> None:
        """An act of this number is committed."""
        self._map[:] = number.to_bytes(_SIZE, "little")
