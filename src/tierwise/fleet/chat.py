"""OpenAI Chat Completions as a provider speaks it: reads requests, refuses wrong ones."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, field


class Refused(Exception):
    """The request gets an error instead of an answer, in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode(
            {"error": {"message": message, "type": type, "param": param, "code": code}}
        )


class Part(Struct):
    """A piece of a message."""

    type: str
    text: str = ""


class Message(Struct):
    """One turn of the conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[Raw] | None = None
    prefix: bool | None = None

    @property
    def text(self) -> str:
        """Its text, the parts joined by newlines."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class _Function(Struct):
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Tool(Struct):
    """A function that the model may call."""

    type: str
    function: _Function


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Schema(Struct):
    name: str = ""
    schema: dict[str, Any] | None = None


class ResponseFormat(Struct):
    """The form that the answer is to have."""

    type: str
    json_schema: _Schema | None = None


class ChatRequest(Struct):
    """A request, as much of it as makes a difference here; the rest is ignored."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None
    response_format: ResponseFormat | None = None
    continue_final_message: bool | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def prompt(self) -> str:
        """The last message's text if it is the user's, else nothing."""
        last = self.messages[-1]
        return last.text if last.role == "user" else ""

    @property
    def chars(self) -> int:
        """Length of all messages."""
        return sum(len(message.text) for message in self.messages)

    @property
    def wants_usage(self) -> bool:
        """Whether the stream is to end with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


_decode = msgspec.json.Decoder(ChatRequest).decode
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_FORMATS = frozenset({"text", "json_object", "json_schema"})


def read(body: bytes) -> ChatRequest:
    """The request in a body.

    Raises:
        Refused: 400, with the field at fault.
    """
    try:
        request = _decode(body)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(
            400, "We could not parse the JSON body of your request. The API expects a JSON object."
        ) from None
    _check_messages(request)
    if request.stream_options is not None and not request.stream:
        raise Refused(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    if request.top_logprobs and not request.logprobs:
        raise Refused(
            400,
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            param="top_logprobs",
        )
    wanted = request.response_format
    if wanted is not None:
        if wanted.type not in _FORMATS:
            raise _invalid("response_format.type", f"Supported values are: {sorted(_FORMATS)}")
        if wanted.type == "json_schema" and not (wanted.json_schema and wanted.json_schema.schema):
            raise Refused(
                400,
                "Missing required parameter: 'response_format.json_schema.schema'.",
                param="response_format.json_schema.schema",
                code="missing_required_parameter",
            )
    if request.tools is not None and not request.tools:
        raise _invalid("tools", "Expected an array with minimum length 1.")
    return request


def _check_messages(request: ChatRequest) -> None:
    if not request.messages:
        raise Refused(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    for index, message in enumerate(request.messages):
        if message.role not in _ROLES:
            raise _invalid(f"messages[{index}].role", f"Supported values are: {sorted(_ROLES)}")
        if message.content is None and not message.tool_calls:
            raise _invalid(f"messages[{index}].content", "Expected a string or a list of parts.")


def _explain(text: str) -> Refused:
    found = _PATH.search(text)
    path = found["path"] if found else ""
    missing = _MISSING.match(text)
    if missing:
        path = f"{path}.{missing['name']}" if path else missing["name"]
        return Refused(
            400,
            f"Missing required parameter: '{path}'.",
            param=path,
            code="missing_required_parameter",
        )
    return _invalid(path or None, _PATH.sub("", text))


def _invalid(path: str | None, why: str) -> Refused:
    shown = f"Invalid value for '{path}'" if path else "Invalid request"
    return Refused(400, f"{shown}: {why}", param=path, code="invalid_value")
