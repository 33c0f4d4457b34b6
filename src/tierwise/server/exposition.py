"""What workers have counted, shown to each other.

A scrape reaches one of them. Each writes down what it has counted every second, where the others
find it; so whoever is asked answers for all, also for those that have ended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tierwise.server.counted import Sample, Snapshot

log = logging.getLogger("tierwise.server")

_decode = msgspec.json.Decoder(Snapshot).decode


class Board:
    """Where the workers of one gateway show what they have counted; a folder, or None for one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._told = False
        if folder is not None:
            folder.mkdir(exist_ok=True)

    def show(self, own: Snapshot) -> None:
        """Lets the others see it. Does nothing where there are none.

        If it cannot be written, as on a full disk, the log says so, and they see what was before.
        """
        if self._folder is None:
            return
        file = self._folder / f"{own.pid}.json"
        fresh = file.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(own))
            fresh.replace(file)  # at once, so that nobody reads a half of it
        except OSError as error:
            if not self._told:
                log.error("other workers cannot be shown what this one has counted: %s", error)
            self._told = True
        else:
            self._told = False

    def others(self, pid: int) -> Iterator[Snapshot]:
        """What all but this process have shown."""
        if self._folder is None:
            return
        for file in self._folder.glob("*.json"):
            if file.stem == str(pid):
                continue
            try:
                yield _decode(file.read_bytes())
            except (OSError, msgspec.MsgspecError):
                continue  # not one of ours


def sample(name: str, value: float, *labels: str) -> Sample:
    """A figure of one of the metrics."""
    return Sample(name, labels, float(value))
