"""A broken stream of any dialect: read as chunks of chat, and written on as it began.

Streams are made one of two in OpenAI's chat dialect (`sent`, `splice`). For a client of another
what it has seen is read by its dialect's own reader and told in chunks; what follows comes in
chunks and is written by its dialect's own writer, which was first told all that is out, so that
ids, blocks and sequence numbers go on. Nothing of this is used for a stream that does not break.
"""

from __future__ import annotations

from collections.abc import Sequence

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.dialect import EventReader, EventWriter, dialect_named
from tierwise.wire.sent import Sent, read_sent
from tierwise.wire.spoken import Began, Ended, Event, ForeignPiece
from tierwise.wire.translate import CHAT, conversation_of
from tierwise.wire.unreadable import UNREADABLE


class Continued:
    """Chunks of chat in, events of the client's dialect out; comments pass."""

    __slots__ = ("_began", "_reader", "_writer", "ended")

    def __init__(self, reader: EventReader, writer: EventWriter, out: Sequence[Event]) -> None:
        """Reader and writer were told of what is out. `ended` are the choices that are over."""
        self._reader = reader
        self._writer = writer
        self._began = any(isinstance(one, Began) for one in out)
        self.ended = {one.choice for one in out if isinstance(one, Ended)}

    def feed(self, block: bytes) -> bytes:
        """What the client gets for a block of complete events; the stream ends with `[DONE]`.

        Raises:
            ServerFailed: an event cannot be read.
        """
        out: list[bytes] = []
        for event in sse.events(block):
            data = sse.payload(event)
            if data is None:
                out.append(event + b"\n\n")
            elif data == b"[DONE]":
                out.append(self._writer.close())
            else:
                out.append(self._writer.write(self._told(event)))
        return b"".join(out)

    def _told(self, event: bytes) -> list[Event]:
        try:
            events = self._reader.read(event + b"\n\n")
        except UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        self.ended.update(one.choice for one in events if isinstance(one, Ended))
        # There is one beginning, whoever goes on with it.
        return [one for one in events if not (self._began and isinstance(one, Began))]


class Tongue:
    """What one client has seen and will see, in its own dialect. `asked` is what it asked."""

    def __init__(self, asked: Task) -> None:
        self._asked = conversation_of(asked)
        self._theirs = dialect_named(asked.reads)
        self._chat = dialect_named(CHAT)

    def read(self, block: bytes) -> Sent:
        """What these events, which are out, say."""
        try:
            events = self._events(block)
        except (*UNREADABLE, UpstreamError):
            return Sent(odd="what was sent of it cannot be read")
        sent = read_sent(self._chat.event_writer(self._asked).write(events))
        for event in events:
            if isinstance(event, ForeignPiece):
                sent.odd = sent.odd or f"it has a `{event.what}`"
        return sent

    def after(self, block: bytes) -> Continued:
        """Writes on what these events, which are out, have begun."""
        events = self._events(block)
        writer = self._theirs.event_writer(self._asked)
        writer.write(events)
        reader = self._chat.event_reader()
        reader.read(self._chat.event_writer(self._asked).write(events))
        return Continued(reader, writer, events)

    def _events(self, block: bytes) -> list[Event]:
        return self._theirs.event_reader().read(block)
