"""The framing of streams without `alt=sse`: one JSON array, a member at a time."""

from __future__ import annotations

from tierwise.wire import sse


class JsonArray:
    """Makes the array of server-sent events, in blocks of complete ones."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, block: bytes) -> bytes:
        """The members that the events of a block are; b"" for comments."""
        out: list[bytes] = []
        for event in sse.events(block):
            data = sse.payload(event)
            if data is None or not data.strip() or data == b"[DONE]":
                continue
            out.append((b",\r\n" if self._begun else b"[") + data)
            self._begun = True
        return b"".join(out)

    def close(self) -> bytes:
        """What ends the array."""
        return b"]" if self._begun else b"[]"
