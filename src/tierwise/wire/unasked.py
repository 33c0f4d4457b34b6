"""What a dialect has not that only providers speak: nobody asks Tierwise in it."""

from __future__ import annotations

from tierwise.errors import TierwiseError
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import EventWriter
from tierwise.wire.spoken import Spoken

_NO_CLIENTS = "no client speaks this dialect"


class Unasked:
    """The part of a `Dialect` that is for clients: never reached, as none are served in it."""

    def read_request(self, body: bytes) -> Conversation:
        raise NotImplementedError(_NO_CLIENTS)

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        raise NotImplementedError(_NO_CLIENTS)

    def event_writer(self, asked: Conversation) -> EventWriter:
        raise NotImplementedError(_NO_CLIENTS)

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        raise NotImplementedError(_NO_CLIENTS)

    def error_event(self, error: TierwiseError) -> bytes:
        raise NotImplementedError(_NO_CLIENTS)
