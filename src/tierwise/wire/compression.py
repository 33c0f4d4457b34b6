"""Bodies that come compressed: gzip and deflate always, br and zstd where their packages are.

`pip install tierwise[compression]` brings those. What comes out is bounded while it comes out, so
that a small body cannot become one that fills the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""zlib's way to say that it shall look which of the two it is."""
_SLICES = {"gzip": 4096, "x-gzip": 4096, "deflate": 4096}
_SLICE = 256
"""So few bytes of the others can become megabytes."""
_LARGEST_WINDOW = 8 << 20


class UnknownCoding(Exception):
    """A coding that is not read here; `needs` names the package that reads it, if one does."""

    def __init__(self, coding: str, needs: str | None = None) -> None:
        super().__init__(coding)
        self.coding = coding
        self.needs = needs


class NotCompressed(Exception):
    """The bytes are not what their coding says."""


class TooLarge(Exception):
    """More would come out than is wanted."""


class Inflater(Protocol):
    """Undoes one coding, piece by piece."""

    def feed(self, data: bytes) -> bytes:
        """What comes out for what came. Raises `NotCompressed`."""

    @property
    def whole(self) -> bool:
        """Whether what came has an end: the rest is not missing."""


def inflater(coding: str) -> Inflater:
    """What undoes a value of the header `content-encoding`.

    Raises:
        UnknownCoding: nothing here does.
    """
    name = coding.strip().lower()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Zlib(bare=name == "deflate")
    if name == "br":
        brotli = _package("brotli", name).Decompressor()
        return _Foreign(brotli.process, brotli.is_finished)
    if name == "zstd":
        maker = _package("zstandard", name).ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        zstd = maker.decompressobj()
        return _Foreign(zstd.decompress, lambda: zstd.eof)
    raise UnknownCoding(name)


def inflated(body: bytes, codings: str, limit: int) -> bytes:
    """A whole body without the codings that its header names, the last of which was done last.

    Raises:
        UnknownCoding: one is not read here.
        NotCompressed: it is not what they say.
        TooLarge: it has more than `limit` bytes.
    """
    for coding in reversed(codings.split(",")):
        name = coding.strip().lower()
        if name in ("", "identity"):
            continue
        undo = inflater(name)
        size = _SLICES.get(name, _SLICE)
        parts: list[bytes] = []
        total = 0
        for begin in range(0, len(body), size):
            part = undo.feed(body[begin : begin + size])
            total += len(part)
            if total > limit:
                raise TooLarge
            parts.append(part)
        if body and not undo.whole:
            raise NotCompressed("its end is missing")
        body = b"".join(parts)
    return body


class _Zlib:
    """gzip, in one member or several, and zlib; if `bare`, without zlib's head too, as some send
    `deflate`."""

    def __init__(self, *, bare: bool) -> None:
        self._undo = zlib.decompressobj(GZIP_OR_ZLIB)
        self._began = not bare

    @property
    def whole(self) -> bool:
        return self._undo.eof

    def feed(self, data: bytes) -> bytes:
        out = b""
        while data:
            try:
                out += self._undo.decompress(data)
            except zlib.error as error:
                if self._began:
                    raise NotCompressed(str(error)) from None
                self._undo = zlib.decompressobj(-zlib.MAX_WBITS)
                self._began = True
                continue
            self._began = True
            data = self._undo.unused_data.lstrip(b"\0")
            if data:
                self._undo = zlib.decompressobj(GZIP_OR_ZLIB)
        return out


class _Foreign:
    def __init__(self, feed: Any, is_whole: Callable[[], bool]) -> None:
        self._feed = feed
        self._is_whole = is_whole

    @property
    def whole(self) -> bool:
        return self._is_whole()

    def feed(self, data: bytes) -> bytes:
        try:
            out: bytes = self._feed(data)
        except Exception as error:  # noqa: BLE001 - each package has errors of its own
            raise NotCompressed(str(error)) from None
        return out


def _package(name: str, coding: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UnknownCoding(coding, needs=name) from None
