"""The dialect of Gemini's `generateContent` and `streamGenerateContent`.

Facts from ai.google.dev/api/generate-content and ai.google.dev/api/caching.
"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import TierwiseError
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import Feature
from tierwise.wire.gemini import errors
from tierwise.wire.gemini.asking import write_request
from tierwise.wire.gemini.reply import read_reply, write_reply
from tierwise.wire.gemini.request import read_request
from tierwise.wire.gemini.stream import EventReader, EventWriter
from tierwise.wire.gemini.turns import NAME
from tierwise.wire.spoken import Spoken

_CONFIG = "generationConfig."
_CALLING = "toolConfig.functionCallingConfig."


class Gemini:
    """Reads and writes it; see `tierwise.wire.dialect.Dialect`."""

    name = NAME
    words: Mapping[Feature, str] = {
        "image_data": "inlineData",
        "image_url": "fileData",
        "image_file": "fileData",
        "audio_data": "inlineData",
        "audio_url": "fileData",
        "audio_file": "fileData",
        "video_data": "inlineData",
        "video_url": "fileData",
        "video_file": "fileData",
        "document_data": "inlineData",
        "document_url": "fileData",
        "document_file": "fileData",
        "document_text": "inlineData",
        "tools": "tools.functionDeclarations",
        "tool_results_with_media": "functionResponse.parts",
        "tool_choice_none": _CALLING + "mode",
        "tool_choice_required": _CALLING + "mode",
        "tool_choice_named": _CALLING + "allowedFunctionNames",
        "tool_choice_several": _CALLING + "allowedFunctionNames",
        "json_mode": _CONFIG + "responseMimeType",
        "json_schema": _CONFIG + "responseJsonSchema",
        "stop": _CONFIG + "stopSequences",
        "max_tokens": _CONFIG + "maxOutputTokens",
        "effort": _CONFIG + "thinkingConfig.thinkingLevel",
        "thinking_budget": _CONFIG + "thinkingConfig.thinkingBudget",
        "logprobs": _CONFIG + "responseLogprobs",
        "seed": _CONFIG + "seed",
        "choices": _CONFIG + "candidateCount",
        "temperature": _CONFIG + "temperature",
        "top_p": _CONFIG + "topP",
        "top_k": _CONFIG + "topK",
        "frequency_penalty": _CONFIG + "frequencyPenalty",
        "presence_penalty": _CONFIG + "presencePenalty",
        "safety": "safetySettings",
        "service_tier": "serviceTier",
    }

    def read_request(self, body: bytes) -> Conversation:
        """What a client asks, but for the model and whether it streams: the URL says these."""
        return read_request(body)

    def write_request(self, asked: Conversation) -> bytes:
        """The body that asks it."""
        return write_request(asked)

    def read_reply(self, body: bytes) -> Spoken:
        """A whole answer."""
        return read_reply(body)

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:
        """The answer as a client reads it."""
        return write_reply(spoken, asked)

    def event_reader(self) -> EventReader:
        """A reader of one stream."""
        return EventReader()

    def event_writer(self, asked: Conversation) -> EventWriter:
        """A writer of one stream."""
        return EventWriter(asked)

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        """An error as a client reads it."""
        return errors.render(error)

    def error_event(self, error: TierwiseError) -> bytes:
        """The event that ends a stream with an error."""
        return errors.event(error)
