"""That all kept answers are to be forgotten, told to the processes that serve together.

Whoever is told leaves a note, one small file, in the folder that they share; the others look there.
"""

from __future__ import annotations

import contextlib
import os
import secrets

from tierwise.state.promises import Crew


class Clearing:
    """What one process says and hears of it, since its start."""

    def __init__(self, crew: Crew) -> None:
        shared = crew.folder if crew.workers > 1 else None
        self._note = None if shared is None else shared / "cache-cleared"
        self._known = self._read()

    def give(self) -> None:
        """All answers were forgotten here; the others are to follow.

        Raises:
            OSError: they cannot be told.
        """
        if self._note is None:
            return
        mark = secrets.token_bytes(8)
        written = self._note.with_suffix(f".{os.getpid()}")
        written.write_bytes(mark)
        written.replace(self._note)  # so that nobody reads half of it
        self._known = mark

    def heard(self) -> bool:
        """Whether another process has said so since this was asked last."""
        mark = self._read()
        new = mark != self._known
        self._known = mark
        return new

    def _read(self) -> bytes | None:
        with contextlib.suppress(OSError):
            return None if self._note is None else self._note.read_bytes()
        return None
