"""OpenAI Chat Completions, to and from words of no dialect.

`wire.openai_chat` reads only what passing on needs; here all of it is read.
"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import TierwiseError
from tierwise.wire import openai_errors, sse
from tierwise.wire.chat.chunks import ChunkWriter
from tierwise.wire.chat.reply import read_reply, write_reply
from tierwise.wire.chat.request import read_request
from tierwise.wire.chat.stream import ChunkReader
from tierwise.wire.chat.thoughts import NAME
from tierwise.wire.chat.written import write_request
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import Feature
from tierwise.wire.spoken import Spoken

_WORDS: Mapping[Feature, str] = {
    "image_data": "messages.content.image_url",
    "image_url": "messages.content.image_url",
    "audio_data": "messages.content.input_audio",
    # OpenRouter's: https://openrouter.ai/docs/features/multimodal/videos
    "video_data": "messages.content.video_url",
    "video_url": "messages.content.video_url",
    "document_data": "messages.content.file.file_data",
    # OpenRouter's: https://openrouter.ai/docs/features/multimodal/pdfs
    "document_url": "messages.content.file.file_data",
    "document_text": "messages.content.text",
    "document_file": "messages.content.file.file_id",
    "tools": "tools",
    "custom_tools": "tools.custom",
    # Said in a message of the user after the results.
    "tool_results_with_media": "messages.content",
    "tool_choice_none": "tool_choice",
    "tool_choice_required": "tool_choice",
    "tool_choice_named": "tool_choice",
    "tool_choice_several": "tool_choice.allowed_tools",
    "one_tool_at_a_time": "parallel_tool_calls",
    "json_mode": "response_format",
    "json_schema": "response_format.json_schema",
    "stop": "stop",
    "max_tokens": "max_completion_tokens",
    "effort": "reasoning_effort",
    # The word that is nearest to the count.
    "thinking_budget": "reasoning_effort",
    "logprobs": "logprobs",
    "logit_bias": "logit_bias",
    "seed": "seed",
    "choices": "n",
    "temperature": "temperature",
    "top_p": "top_p",
    # vLLM's, OpenRouter's, Together's and others', not OpenAI's.
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "service_tier": "service_tier",
    "verbosity": "verbosity",
}


class _Chat:
    """The dialect of `POST /v1/chat/completions`."""

    name = NAME
    words = _WORDS

    def read_request(self, body: bytes) -> Conversation:
        return read_request(body)

    def write_request(self, asked: Conversation) -> bytes:
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        return read_reply(body)

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        return write_reply(spoken, asked)

    def event_reader(self) -> ChunkReader:
        return ChunkReader()

    def event_writer(self, asked: Conversation) -> ChunkWriter:
        return ChunkWriter(asked)

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        return openai_errors.render(error)

    def error_event(self, error: TierwiseError) -> bytes:
        _, body, _ = openai_errors.render(error)
        return b"data: " + sse.one_line(body) + b"\n\n"


CHAT = _Chat()
