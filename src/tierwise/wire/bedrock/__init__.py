"""Amazon Bedrock's Converse and ConverseStream, as a provider speaks them.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html; where that is silent,
botocore's own model of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tierwise.errors import TierwiseError
from tierwise.wire.bedrock.reply import read_reply
from tierwise.wire.bedrock.request import WORDS, write_request
from tierwise.wire.bedrock.stream import BedrockEvents
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import EventReader, EventWriter
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken


class _Bedrock:
    """The dialect. No client of Tierwise speaks it, so what only clients need is not there."""

    name = "bedrock"
    words: Mapping[Feature, str] = MappingProxyType(WORDS)

    def write_request(self, asked: Conversation) -> bytes:
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return read_reply(body)

    def event_reader(self) -> EventReader:
        return BedrockEvents()

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


_NO_CLIENTS = "no client speaks Bedrock's dialect"
BEDROCK = _Bedrock()
