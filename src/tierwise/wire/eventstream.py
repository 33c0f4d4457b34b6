"""AWS's binary framing of streams: `application/vnd.amazon.eventstream`.

docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html. A frame is its length, the length of
its headers and their checksum; headers; payload; the checksum of all. botocore can read it, too,
but takes as long for a frame as a whole translation of it does, and callers with a key of Bedrock's
own need no botocore.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

_PRELUDE = struct.Struct(">III")
_SMALLEST = _PRELUDE.size + 4
_LARGEST = 24 * 2**20
"""As large as AWS sends: https://github.com/boto/botocore/blob/develop/botocore/eventstream.py"""
_STRING = 7
# How many bytes a value has, by its type; strings and bytes say it themselves.
_WIDTHS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_SAME = 64


class BadFrame(ValueError):
    """What came is not AWS's framing, or a frame was damaged on its way."""


class FrameBuffer:
    """Cuts a byte stream into frames. What is not complete waits in pieces until all has come."""

    __slots__ = ("_headers", "_needed", "_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = _SMALLEST
        """Bytes before which a look at the parts would find no frame."""
        self._headers: dict[bytes, Mapping[str, str]] = {}

    @property
    def rest(self) -> bytes:
        """What was not given yet."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> Iterator[tuple[Mapping[str, str], bytes]]:
        """Headers and payload of each frame that is complete and was not given before.

        Only headers that hold strings are given.

        Raises:
            BadFrame: it is none.
        """
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return
        data = self.rest
        self._needed = _SMALLEST
        place = 0
        try:
            while len(data) - place >= _SMALLEST:
                total, headers, checksum = _PRELUDE.unpack_from(data, place)
                if zlib.crc32(data[place : place + 8]) != checksum:
                    raise BadFrame("the checksum of a frame's beginning is wrong")
                if not _SMALLEST + headers <= total <= _LARGEST:
                    raise BadFrame(f"a frame cannot have {total} bytes, {headers} of them headers")
                end = place + total
                if len(data) < end:
                    self._needed = total
                    break
                if zlib.crc32(data[place : end - 4]) != int.from_bytes(data[end - 4 : end]):
                    raise BadFrame("the checksum of a frame is wrong")
                begin = place + _PRELUDE.size
                place = end
                yield self._read(data[begin : begin + headers]), data[begin + headers : end - 4]
        finally:
            rest = data[place:]
            self._parts = [rest]
            self._size = len(rest)

    def _read(self, raw: bytes) -> Mapping[str, str]:
        """A frame's headers; nearly all frames of a stream have the same few."""
        found = self._headers.get(raw)
        if found is None:
            found = _headers(raw)
            if len(self._headers) < _SAME:
                self._headers[raw] = found
        return found


def _headers(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(raw):
            begin = place + 1 + raw[place]
            name = raw[place + 1 : begin].decode()
            kind = raw[begin]
            begin += 1
            if kind in (6, _STRING):
                width = int.from_bytes(raw[begin : begin + 2])
                begin += 2
            else:
                width = _WIDTHS[kind]
            place = begin + width
            if place > len(raw):
                raise BadFrame("a frame's headers are cut off")
            if kind == _STRING:
                found[name] = raw[begin:place].decode()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise BadFrame(f"a frame's headers cannot be read: {error}") from None
    return found
