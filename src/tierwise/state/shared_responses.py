"""Kept answers of several workers, in files of the folder that they share.

A client's next request may reach another worker than the last one did. The folder lives as long as
the gateway does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tierwise.state import kept_responses
from tierwise.state.kept_responses import Caller, InProcess, Kept, KeptResponses
from tierwise.state.promises import Crew

_LOOK_EVERY = 64
"""So many answers are kept between two looks at how much there is."""
_ANSWER, _ITEM = "answer", "item"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def kept_by(crew: Crew) -> KeptResponses:
    """Where all who serve together find them."""
    if crew.workers > 1 and crew.folder is not None:
        return InFolder(crew.folder / "responses")
    return InProcess()


class InFolder:
    """As `KeptResponses`. What cannot be written is not kept, and what cannot be read is not there.

    Args:
        folder: that all workers have; nobody else may read it.
        clock: Unix time, in seconds: other workers must agree about it.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._kept = 0

    def keep(self, caller: Caller, name: str, kept: Kept) -> None:
        """As in `KeptResponses`."""
        with contextlib.suppress(OSError):
            self._write(self._place(caller, _ANSWER, name), _encode(kept))
            for one, item in kept.by_id.items():
                self._write(self._place(caller, _ITEM, one), item)
        self._kept += 1
        if self._kept % _LOOK_EVERY == 1:
            self._forget_old()

    async def find(self, caller: Caller, name: str) -> Kept | None:
        """As in `KeptResponses`."""
        data = self._read(self._place(caller, _ANSWER, name))
        try:
            return _decode(data) if data is not None else None
        except msgspec.MsgspecError:
            return None

    async def item(self, caller: Caller, name: str) -> bytes | None:
        """As in `KeptResponses`."""
        return self._read(self._place(caller, _ITEM, name))

    async def forget(self, caller: Caller, name: str) -> bool:
        """As in `KeptResponses`."""
        kept = await self.find(caller, name)
        if kept is None:
            return False
        self._place(caller, _ANSWER, name).unlink(missing_ok=True)
        for one in kept.by_id:
            self._place(caller, _ITEM, one).unlink(missing_ok=True)
        return True

    def _place(self, caller: Caller, kind: str, name: str) -> Path:
        """The file of an answer or an item. No name can lead out of its caller's folder."""
        who = "anybody" if caller is None else f"caller-{_digest(caller)}"
        return self._folder / who / f"{kind}-{_digest(name)}"

    def _write(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_bytes(data)
        beside.replace(file)

    def _read(self, file: Path) -> bytes | None:
        try:
            if file.stat().st_mtime < self._clock() - kept_responses.KEEP_S:
                return None
            return file.read_bytes()
        except OSError:
            return None

    def _forget_old(self) -> None:
        """Keeps within the bounds, of each caller and of all together, the oldest first."""
        with contextlib.suppress(OSError):
            mine: list[tuple[float, int, Path]] = []
            for who in self._folder.iterdir():
                found = sorted(_described(who))
                mine += self._trim(found, kept_responses.MOST_BYTES_EACH)
            self._trim(sorted(mine), kept_responses.MOST_BYTES)

    def _trim(
        self, files: list[tuple[float, int, Path]], most: int
    ) -> list[tuple[float, int, Path]]:
        """Those of the files, the oldest in front, that may stay."""
        size = sum(one[1] for one in files)
        too_old = self._clock() - kept_responses.KEEP_S
        for index, (written, length, file) in enumerate(files):
            if size <= most and written >= too_old:
                return files[index:]
            file.unlink(missing_ok=True)
            size -= length
        return []


def _described(folder: Path) -> list[tuple[float, int, Path]]:
    """When each file was written, how large it is, and where."""
    found: list[tuple[float, int, Path]] = []
    for file in folder.iterdir():
        with contextlib.suppress(OSError):  # another worker was quicker
            about = file.stat()
            found.append((about.st_mtime, about.st_size, file))
    return found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
