"""Cohere's Chat API v2, as a provider speaks it: https://docs.cohere.com/reference/chat"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.wire.cohere.reply import read_reply
from tierwise.wire.cohere.request import WORDS, write_request
from tierwise.wire.cohere.stream import CohereEvents
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken
from tierwise.wire.unasked import Unasked

__all__ = ["COHERE"]


class _Cohere(Unasked):
    """The dialect. No client of Tierwise speaks it, so what only clients need is not there."""

    name = "cohere"
    words: Mapping[Feature, str] = WORDS

    def write_request(self, asked: Conversation) -> bytes:
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return read_reply(body)

    def event_reader(self) -> CohereEvents:
        return CohereEvents()


COHERE = _Cohere()
