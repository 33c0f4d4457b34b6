"""Amazon Bedrock's Converse and ConverseStream, as a provider speaks them.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html; where that is silent,
botocore's own model of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tierwise.wire.bedrock.reply import read_reply
from tierwise.wire.bedrock.request import WORDS, write_request
from tierwise.wire.bedrock.stream import BedrockEvents
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import EventReader
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken
from tierwise.wire.unasked import Unasked


class _Bedrock(Unasked):
    """The dialect. No client of Tierwise speaks it, so what only clients need is not there."""

    name = "bedrock"
    words: Mapping[Feature, str] = MappingProxyType(WORDS)

    def write_request(self, asked: Conversation) -> bytes:
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return read_reply(body)

    def event_reader(self) -> EventReader:
        return BedrockEvents()


BEDROCK = _Bedrock()
