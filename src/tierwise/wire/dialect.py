"""What a dialect has to know so that any client of it can be answered by any provider.

Translation goes through the middle (`conversation`, `spoken`): a dialect reads and writes its own
JSON only. Events of streams are read from blocks of complete server-sent events, whatever framing
a provider uses, and written as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from tierwise.errors import TierwiseError
from tierwise.wire.conversation import Conversation
from tierwise.wire.spoken import Event, Spoken

if TYPE_CHECKING:
    from tierwise.wire.features import Feature

_DIALECTS = {
    "openai-chat": "tierwise.wire.chat.dialect:CHAT",
    "openai-responses": "tierwise.wire.responses:RESPONSES",
    "anthropic": "tierwise.wire.anthropic:ANTHROPIC",
    "gemini": "tierwise.wire.gemini:GEMINI",
    "bedrock": "tierwise.wire.bedrock:BEDROCK",
    "cohere": "tierwise.wire.cohere:COHERE",
}


class EventReader(Protocol):
    """Reads one stream of a dialect."""

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says.

        Raises:
            UpstreamError: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """


class EventWriter(Protocol):
    """Writes one stream of a dialect."""

    def write(self, events: Iterable[Event]) -> bytes:
        """The server-sent events that say so; b"" while nothing can be said yet."""

    def close(self) -> bytes:
        """What ends the stream when all was written."""


class Dialect(Protocol):
    """One API dialect. What it cannot express is settled before it writes: see `features`.

    `words` are the features that it has words for, and what it calls them.
    """

    name: str
    words: Mapping[Feature, str]

    def read_request(self, body: bytes) -> Conversation:
        """What a client asks.

        Raises:
            InvalidRequest: the body is wrong; names the field, the value and the remedy.
        """

    def write_request(self, asked: Conversation) -> bytes:
        """The body that asks it of a provider of this dialect.

        What the dialect has no word for is left out, and so are signatures, thoughts and pieces of
        other dialects, which its provider would refuse.
        """

    def read_reply(self, body: bytes) -> Spoken:
        """A provider's whole answer; raises `msgspec.MsgspecError` if it is none."""

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        """The answer as a client of this dialect reads it."""

    def event_reader(self) -> EventReader:
        """A reader of one stream."""

    def event_writer(self, asked: Conversation) -> EventWriter:
        """A writer of one stream, for a client that asked so."""

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        """An error as status, body and further headers, as a client of this dialect reads it."""

    def error_event(self, error: TierwiseError) -> bytes:
        """The server-sent event that ends a stream with an error, however it goes on after it."""


@cache
def dialect_named(name: str) -> Dialect:
    """The dialect of that name, which must be one of `dialect_names`."""
    module, _, attribute = _DIALECTS[name].partition(":")
    found: Dialect = getattr(import_module(module), attribute)
    return found


def dialect_names() -> tuple[str, ...]:
    """The names of all dialects."""
    return tuple(_DIALECTS)
