"""OpenAI Chat Completions: requests, answers and streamed chunks.

Only the fields that Tierwise acts on are decoded; everything else stays in the bytes and passes
through untouched, so a parameter that is newer than this file reaches the model all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest
from tierwise.types import Completion, Message, Task, TokenLogprob, ToolCall
from tierwise.wire.chat.wish import wants_thoughts
from tierwise.wire.openai_logprobs import read_logprobs
from tierwise.wire.openai_mistakes import explained
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_ABSENT = Raw(b"")


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _SchemaHolder(Struct):
    schema: Raw = _ABSENT  # in a union with None, a Raw takes nothing but null


class _ResponseFormat(Struct):
    type: str = "text"
    json_schema: _SchemaHolder | None = None


class _Request(Struct):
    messages: list[Message]
    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    logprobs: bool | None = None
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    reasoning_effort: str | None = None
    reasoning: Raw = _ABSENT
    response_format: _ResponseFormat | None = None


class _ChoiceHead(Struct):
    """`error` is OpenRouter's, of a choice that is none."""

    finish_reason: str | None = None
    error: Raw = _ABSENT


class Head(Struct):
    """The part of an answer that accounting needs; `openai_usage` reads its `usage`."""

    choices: list[_ChoiceHead]
    model: str | None = None
    usage: Raw = _ABSENT


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Piece(Struct):
    text: str | None = None


class _Said(Struct):
    """What a message or a delta says; Mistral's reasoning models send `content` in pieces."""

    content: str | list[_Piece] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(piece.text or "" for piece in self.content or ())


class _Choice(Struct):
    index: int | None = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None
    logprobs: Raw = _ABSENT


class _Body(Struct):
    choices: list[_Choice]


class Chunk(Struct):
    """One streamed event, as much of it as relaying needs.

    Some say null for the choices of an event that only counts.
    """

    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Raw = _ABSENT
    error: Raw = _ABSENT


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_head = msgspec.json.Decoder(Head).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_request(body: bytes) -> Task:
    """The body of `POST /v1/chat/completions` as a `Task`.

    Raises:
        InvalidRequest: the body is not JSON, or a field is missing or of the wrong type; the
            message names the field and says what to send.
    """
    request = _parse(body)
    if not request.messages:
        raise InvalidRequest(
            "`messages` is empty. Send at least one message, for example "
            '[{"role": "user", "content": "Hello"}].',
            param="messages",
        )
    if request.n is not None and not 1 <= request.n <= 128:
        raise InvalidRequest(f"`n` is {request.n}; it must be between 1 and 128.", param="n")
    wanted = request.response_format
    return Task(
        body=body,
        model=request.model,
        messages=request.messages,
        stream=bool(request.stream),
        wants_stream_usage=bool(request.stream_options and request.stream_options.include_usage),
        max_output_tokens=_output_limit(request),
        choices=request.n or 1,
        tools=bool(request.tools or request.functions),
        logprobs=bool(request.logprobs),
        reasoning=_reasons(request),
        json_mode=wanted is not None and wanted.type == "json_object",
        json_schema=_wanted_schema(wanted),
    )


def _reasons(request: _Request) -> bool:
    if request.reasoning_effort is not None:
        return request.reasoning_effort != "none"
    return given(request.reasoning) and wants_thoughts(request.reasoning)


def _parse(body: bytes) -> _Request:
    try:
        check_text(body)
        return _decode_request(body)
    except UNREADABLE as error:
        raise explained(error, body) from None


def _output_limit(request: _Request) -> int | None:
    """The most tokens that the caller wants, under either name of the field."""
    limit, name = request.max_completion_tokens, "max_completion_tokens"
    if limit is None:
        limit, name = request.max_tokens, "max_tokens"
    if limit is not None and limit < 1:
        raise InvalidRequest(f"`{name}` is {limit}; it must be at least 1.", param=name)
    return limit


def _wanted_schema(wanted: _ResponseFormat | None) -> bytes | None:
    """The JSON Schema that the answer must satisfy, if one was sent."""
    if wanted is None or wanted.type != "json_schema":
        return None
    if wanted.json_schema is None or not given(wanted.json_schema.schema):
        raise InvalidRequest(
            "`response_format.json_schema.schema` is missing. Send the JSON Schema that the "
            "answer must satisfy.",
            param="response_format.json_schema.schema",
        )
    return bytes(wanted.json_schema.schema)


def with_fields(body: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The JSON object `body` with top-level fields set to other JSON, or removed where None.

    Every other field keeps its bytes.
    """
    fields = _decode_fields(body)
    for key, value in changes.items():
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = Raw(value)
    return _encode(fields)


def with_messages(body: bytes, more: Iterable[Mapping[str, object]]) -> bytes:
    """The body of a request with more messages at the end of the conversation."""
    given = _decode_list(field_of(body, "messages") or b"[]")
    added = [Raw(_encode(message)) for message in more]
    return with_fields(body, {"messages": _encode([*given, *added])})


def field_names(body: bytes) -> Collection[str]:
    """The names of the top-level fields of the object `body`."""
    return _decode_fields(body).keys()


def field_of(body: bytes, name: str) -> bytes | None:
    """The JSON of one top-level field of the object `body`; None if it is missing or null."""
    value = _decode_fields(body).get(name)
    return None if value is None or bytes(value) == b"null" else bytes(value)


def given(value: Raw) -> bool:
    """Whether an optional field is there and not null."""
    return bytes(value) not in (b"", b"null")


def json_string(text: str) -> bytes:
    """`text` as a JSON string."""
    return _encode(text)


def read_head(body: bytes) -> Head:
    """Model, usage and finish reasons of an answer; raises `msgspec.MsgspecError` if it is none."""
    return _decode_head(body)


def read_completion(body: bytes) -> Completion:
    """What the first choice of an answer says."""
    choices = _decode_body(body).choices
    choice = min(choices, key=lambda c: c.index or 0) if choices else _Choice()
    said = choice.message or _Said()
    return Completion(
        text=said.text,
        finish_reason=choice.finish_reason,
        tool_calls=_tool_calls(said.tool_calls or ()),
        refusal=said.refusal,
        logprobs=read_logprobs(choice.logprobs),
    )


def read_chunk(data: bytes) -> Chunk:
    """One `data:` payload of a stream; raises `msgspec.MsgspecError` if it is not a chunk."""
    return _decode_chunk(data)


def join_chunks(chunks: Iterable[Chunk]) -> Completion:
    """The answer that a stream's chunks spell, first choice only."""
    text: list[str] = []
    refusal: list[str] = []
    calls: dict[int, _ToolCall] = {}
    logprobs: list[TokenLogprob] = []
    finish = None
    for chunk in chunks:
        for choice in chunk.choices or ():
            if choice.index:
                continue
            finish = choice.finish_reason or finish
            logprobs += read_logprobs(choice.logprobs)
            delta = choice.delta
            if delta is None:
                continue
            if delta.content:
                text.append(delta.text)
            if delta.refusal:
                refusal.append(delta.refusal)
            for call in delta.tool_calls or ():
                _extend(calls, call)
    return Completion(
        text="".join(text),
        finish_reason=finish,
        tool_calls=_tool_calls(calls[i] for i in sorted(calls)),
        refusal="".join(refusal) or None,
        logprobs=tuple(logprobs),
    )


def _extend(calls: dict[int, _ToolCall], delta: _ToolCall) -> None:
    call = calls.setdefault(delta.index, _ToolCall(index=delta.index, function=_Function("", "")))
    call.id = delta.id or call.id
    if delta.function is not None and call.function is not None:
        call.function.name = delta.function.name or call.function.name
        call.function.arguments = (call.function.arguments or "") + (delta.function.arguments or "")


def _tool_calls(calls: Iterable[_ToolCall]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            id=call.id or "",
            name=(call.function.name if call.function else None) or "",
            arguments=(call.function.arguments if call.function else None) or "",
        )
        for call in calls
    )
