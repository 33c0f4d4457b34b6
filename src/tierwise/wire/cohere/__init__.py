"""Cohere's Chat API v2, as a provider speaks it: https://docs.cohere.com/reference/chat"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import TierwiseError
from tierwise.wire.cohere.reply import read_reply
from tierwise.wire.cohere.request import WORDS, write_request
from tierwise.wire.cohere.stream import CohereEvents
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import EventWriter
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken

__all__ = ["COHERE"]

_NO_CLIENTS = "no client speaks Cohere's dialect"


class _Cohere:
    """The dialect. No client of Tierwise speaks it, so what only clients need is not there."""

    name = "cohere"
    words: Mapping[Feature, str] = WORDS

    def write_request(self, asked: Conversation) -> bytes:
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return read_reply(body)

    def event_reader(self) -> CohereEvents:
        return CohereEvents()

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


COHERE = _Cohere()
