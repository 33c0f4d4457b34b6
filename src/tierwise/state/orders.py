"""What operators have ordered: which deployments take no calls until they are restored.

Several processes may serve together, and an order reaches one of them. It leaves a note, a small
file per deployment, in the folder that they share; the others look there.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from tierwise.state.promises import Crew

log = logging.getLogger("tierwise.health")

_PREFIX = "order-"


class Order(Struct, frozen=True):
    """A deployment is to be drained, or restored; the latest order about it counts."""

    deployment: str
    drained: bool


class Orders:
    """The orders of this process and of those that serve beside it, since their start."""

    def __init__(self, crew: Crew) -> None:
        self._folder = crew.folder if crew.workers > 1 else None
        self._latest: dict[str, Order] = {}
        self._read: dict[str, tuple[int, int]] = {}

    @property
    def drained(self) -> frozenset[str]:
        """The deployments that are to take no calls, be they configured now or not."""
        return frozenset(name for name, order in self._latest.items() if order.drained)

    def give(self, order: Order) -> None:
        """Remembers an order that was carried out here, and tells the other processes.

        Raises:
            OSError: they cannot be told.
        """
        self._latest[order.deployment] = order
        if self._folder is None:
            return
        named = hashlib.sha256(order.deployment.encode()).hexdigest()[:16]
        note = self._folder / f"{_PREFIX}{named}.json"
        written = note.with_suffix(f".{os.getpid()}")
        written.write_bytes(msgspec.json.encode(order))
        written.replace(note)  # so that nobody reads half of it
        self._read[note.name] = _version(note.stat())

    def heard(self, order: Order) -> bool:
        """Remembers an order of another replica; whether it changes anything here."""
        known = order.deployment in self.drained
        self._latest[order.deployment] = order
        return known != order.drained

    def hear(self) -> list[Order]:
        """Orders that others have given since this was asked last; they are to be carried out."""
        heard: list[Order] = []
        for note in self._changed():
            try:
                order = msgspec.json.decode(note.read_bytes(), type=Order)
            except (OSError, msgspec.MsgspecError) as error:
                log.warning("an order of another worker cannot be read: %s", error)
                continue
            self._latest[order.deployment] = order
            heard.append(order)
        return heard

    def _changed(self) -> Iterator[Path]:
        if self._folder is None:
            return
        try:
            with os.scandir(self._folder) as entries:
                notes = [
                    e for e in entries if e.name.startswith(_PREFIX) and e.name[-5:] == ".json"
                ]
                versions = {entry.name: _version(entry.stat()) for entry in notes}
        except OSError:
            return  # a note is being replaced, or the last worker ends
        for name, version in versions.items():
            if self._read.get(name) != version:
                self._read[name] = version
                yield self._folder / name


def _version(status: os.stat_result) -> tuple[int, int]:
    """Differs for every note that has taken another one's place."""
    return status.st_ino, status.st_mtime_ns
