"""OpenAI Responses: requests, answers and streams of `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tierwise.errors import TierwiseError
from tierwise.wire import dialect, openai_errors
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import Feature
from tierwise.wire.responses import reply, request, stream, words, writer
from tierwise.wire.spoken import Spoken

__all__ = ["RESPONSES"]


class _Responses:
    """The dialect; see `tierwise.wire.dialect.Dialect`."""

    name = words.OURS
    words: Mapping[Feature, str] = words.WORDS

    def read_request(self, body: bytes) -> Conversation:
        return request.read_request(body)

    def write_request(self, asked: Conversation) -> bytes:
        return request.write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return reply.read_reply(body)

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        return reply.write_reply(spoken, asked)

    def event_reader(self) -> dialect.EventReader:
        return stream.EventReader()

    def event_writer(self, asked: Conversation) -> dialect.EventWriter:
        return writer.EventWriter(asked)

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        return openai_errors.render(error)

    def error_event(self, error: TierwiseError) -> bytes:
        """OpenAI's own has the error inside an object; its SDKs' types have it beside the type."""
        _, body, _ = openai_errors.render(error)
        found: dict[str, object] = msgspec.json.decode(body)["error"]
        event = {
            "type": "error",
            "sequence_number": 0,
            "code": found.get("code"),
            "message": found.get("message"),
            "param": found.get("param"),
            "error": found,
        }
        return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


RESPONSES: dialect.Dialect = _Responses()
"""The dialect of `POST /v1/responses`."""
