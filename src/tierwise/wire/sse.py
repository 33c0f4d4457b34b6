"""Server-sent events, framed by bytes (WHATWG HTML, section 9.2.6).

Events end with a blank line; lines end with LF, CRLF or CR. Reads from a socket are cut anywhere,
so what is not complete yet stays here until the rest has come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_BLANK = re.compile(rb"\n\n|\r\n\r\n|\r\r|\n\r\n")
_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?:$|:|(?:data|event|id|retry)[:\r\n])")
_LINE = re.compile(rb"\r\n|\n|\r")
MOST_BYTES = 64 << 20
"""Bytes that an event may have: a large picture in words of JSON is about half of it."""


class EventTooLong(ValueError):
    """An event has more than `MOST_BYTES`, or has no end."""


class EventBuffer:
    """Cuts a byte stream after its last complete event.

    What is not complete waits in pieces: an event with a picture in it has megabytes, and would be
    copied and searched from its beginning again with every read.
    """

    __slots__ = ("_parts", "_seam", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._seam = b""
        """The end of the parts, as far as a blank line can begin in it."""

    @property
    def rest(self) -> bytes:
        """What was not given out yet."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bytes:
        """All complete events so far that were not given out before; b"" if there is none.

        Raises:
            EventTooLong: more waits for its end than an event may have.
        """
        parts = self._parts
        new = self._seam + data if parts else data
        # Nearly every provider ends events with LF LF, and nearly every read with an event.
        if new.endswith(b"\n\n"):
            if not parts:
                return data
            parts.append(data)
            data = b"".join(parts)
            parts.clear()
            return data
        if parts:
            parts.append(data)
            if not _end(new):
                self._seam = new[-2:]
                self._size += len(data)
                if self._size > MOST_BYTES:
                    raise EventTooLong(f"an event has more than {MOST_BYTES:,} bytes")
                return b""
            data = b"".join(parts)
        end = _end(data)
        self._keep(data[end:])
        return data[:end]

    def last(self) -> bytes:
        """The event whose blank line was left out at the end, with one; b"" if there is none."""
        rest = self.rest
        self._keep(b"")
        return rest.rstrip(b"\r\n") + b"\n\n" if rest.strip() else b""

    def _keep(self, rest: bytes) -> None:
        self._parts = [rest] if rest else []
        self._size = len(rest)
        self._seam = rest[-2:]


def _end(data: bytes) -> int:
    """Where the last blank line ends; 0 if there is none."""
    end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3, data.rfind(b"\r\r") + 2)
    return end if end > 2 or data[:2] in (b"\n\n", b"\r\r") else 0


def events(block: bytes) -> Iterator[bytes]:
    """The single events of a block of complete events, without the blank lines that end them."""
    for event in _split(block):
        if event:
            yield event


def _split(block: bytes) -> list[bytes]:
    # Nearly every provider ends lines with LF alone, and then no pattern has to be searched for.
    return _BLANK.split(block) if b"\r" in block else block.split(b"\n\n")


def event_around(block: bytes, place: int) -> tuple[int, int]:
    """Where the event begins and ends, blank line included, that `place` is in.

    Args:
        block: complete events.
    """
    if b"\r" not in block:
        begin, end = block.rfind(b"\n\n", 0, place), block.find(b"\n\n", place)
        # Without a blank line behind it, `place` is in the one that ends the block.
        return (begin + 2 if begin >= 0 else 0), (end + 2 if end >= 0 else len(block))
    begin = 0
    for blank in _BLANK.finditer(block):
        if blank.end() > place:
            return begin, blank.end()
        begin = blank.end()
    return begin, len(block)


def events_with(
    block: bytes, marks: Iterable[re.Pattern[bytes]], place: int = 0
) -> list[tuple[int, int]]:
    """Where the events begin and end that one of these marks is in, from `place` on.

    Args:
        block: complete events.
    """
    found: set[tuple[int, int]] = set()
    for mark in marks:
        match = mark.search(block, place)
        while match is not None:
            span = event_around(block, match.start())
            found.add(span)
            match = mark.search(block, span[1])
    return sorted(found)


def is_event(event: bytes) -> bool:
    """Whether an event begins as one does, with a comment or a field that the standard knows."""
    return _BEGINNING.match(event) is not None


def payload(event: bytes) -> bytes | None:
    """The joined `data:` lines of an event; None for a comment or an event without data.

    Lines of JSON are joined by spaces, so that what is taken from it fits into one line again.
    """
    event = event.strip(b"\r\n")
    if event.startswith(b"data: ") and b"\n" not in event and b"\r" not in event:
        return event[6:]  # as nearly every provider writes it
    lines = []
    for line in _LINE.split(event) if b"\r" in event else event.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b" ".join(lines) if lines else None


def one_line(data: bytes) -> bytes:
    """JSON in one line, as an event needs it: none of its line ends is within a string."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\n", b" ").replace(b"\r", b" ")
    return data


def payloads(block: bytes) -> Iterator[bytes]:
    """What the events of a block of complete events carry, but for `[DONE]`, which says nothing."""
    for event in _split(block):
        data = payload(event)
        if data and data != b"[DONE]":
            yield data
