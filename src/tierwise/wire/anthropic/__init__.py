"""Anthropic's Messages API: `POST /v1/messages` and its stream."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import TierwiseError
from tierwise.wire.anthropic import errors, reply, request_reader, request_writer
from tierwise.wire.anthropic.blocks import NAME
from tierwise.wire.anthropic.stream_reader import EventReader
from tierwise.wire.anthropic.stream_writer import EventWriter
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken

_WORDS: Mapping[Feature, str] = {
    "image_data": "image.source.base64",
    "image_url": "image.source.url",
    "image_file": "image.source.file",
    "document_data": "document.source.base64",
    "document_url": "document.source.url",
    "document_text": "document.source.text",
    "document_file": "document.source.file",
    "document_citations": "document.citations",
    "tools": "tools",
    "tool_results_with_media": "tool_result.content",
    "tool_choice_none": "tool_choice",
    "tool_choice_required": "tool_choice",
    "tool_choice_named": "tool_choice",
    "tool_choice_several": "tools",
    "one_tool_at_a_time": "tool_choice.disable_parallel_tool_use",
    "json_schema": "output_config.format",
    "stop": "stop_sequences",
    "max_tokens": "max_tokens",
    "effort": "output_config.effort",
    "thinking_budget": "thinking",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "prefill": "messages",
}


class _Anthropic:
    """The dialect; see `tierwise.wire.dialect.Dialect`."""

    name = NAME
    words = _WORDS

    def read_request(self, body: bytes) -> Conversation:
        """What a client asks; raises `InvalidRequest`."""
        return request_reader.read_request(body)

    def write_request(self, asked: Conversation) -> bytes:
        """The body that asks it. It has no `max_tokens` if nobody said how many."""
        return request_writer.write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        """A whole answer; raises `msgspec.MsgspecError` if it is none."""
        return reply.read_reply(body)

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        """The answer as a client of this dialect reads it."""
        return reply.write_reply(spoken, asked)

    def event_reader(self) -> EventReader:
        """A reader of one stream."""
        return EventReader()

    def event_writer(self, asked: Conversation) -> EventWriter:  # noqa: ARG002 - the protocol's
        """A writer of one stream."""
        return EventWriter()

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        """An error as status, body and further headers."""
        return errors.render(error)

    def error_event(self, error: TierwiseError) -> bytes:
        """The server-sent event that ends a stream with an error."""
        return errors.render_event(error)


ANTHROPIC = _Anthropic()
