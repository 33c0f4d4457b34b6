"""The words of a stream, which come in pieces: joined to be read, and masked where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tierwise.guardrails.base import Role
from tierwise.guardrails.texts import Body, Edit, Words
from tierwise.wire import sse

_PLACES = ("type", "index", "output_index", "content_index", "summary_index", "item_id")
"""Fields of an event that say which text it is a piece of."""


class Joined:
    """One text that came in pieces."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.changed = False
        self._pieces: list[Words] = []

    def add(self, piece: Words) -> None:
        """The next piece."""
        self._pieces.append(piece)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self._pieces)

    def put(self, edits: Sequence[Edit]) -> None:
        """Replaces parts of it: what is new stands in the piece in which the old began."""
        self.changed = True
        begin = 0
        for piece in self._pieces:
            end = begin + len(piece.text)
            mine: list[Edit] = []
            for start, stop, by in edits:
                if start < end and stop > begin:
                    new = by if start >= begin else ""
                    mine.append((max(start, begin) - begin, min(stop, end) - begin, new))
            if mine:
                piece.put(mine)
            begin = end


class Stream:
    """A whole stream of server-sent events, decoded.

    Raises:
        Exception: one of `UNREADABLE`, where an event is no JSON.
    """

    def __init__(self, blocks: Sequence[bytes]) -> None:
        self._events: list[tuple[bytes, Body | None]] = []
        self.words: list[Joined] = []
        self.arguments: list[Joined] = []
        known: dict[Any, Joined] = {}
        for event in sse.events(b"".join(blocks)):
            body = _read(event)
            self._events.append((event, body))
            if body is None:
                continue
            around = _around(body.value)
            for kind, found in ((self.words, body.words), (self.arguments, body.arguments)):
                for piece in found:
                    key = (around, _channel(piece))
                    if key not in known:
                        known[key] = Joined(piece.role)
                        kind.append(known[key])
                    known[key].add(piece)

    def written(self) -> list[bytes]:
        """The events with their words as they are now."""
        bodies = [body for _, body in self._events if body is not None]
        otherwise = {_around(one.value)[1:] for one in bodies if one.thinks_otherwise}
        for body in bodies:
            body.without_logprobs()
            if _around(body.value)[1:] in otherwise:
                body.without_signatures()
        return [_written(event, body) for event, body in self._events]


def _read(event: bytes) -> Body | None:
    data = sse.payload(event)
    if not data or data == b"[DONE]":
        return None
    return Body(msgspec.json.decode(data), "answer")


def _around(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, dict):
        return ()
    return tuple(value.get(name) for name in _PLACES)


def _channel(piece: Words) -> tuple[Any, ...]:
    """Which text of an event it is; all parts of an answer of Gemini's say one."""
    path = piece.path
    return tuple(
        "*" if index and path[index - 1] == "parts" else step for index, step in enumerate(path)
    )


def _written(event: bytes, body: Body | None) -> bytes:
    if body is None:
        return event + b"\n\n"
    head = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
    data = b"data: " + msgspec.json.encode(body.value)
    return b"\n".join([*head, data]) + b"\n\n"
