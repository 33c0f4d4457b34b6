"""Answers of the Gemini API and of Vertex AI, as they pass to clients of the same dialect."""

from __future__ import annotations

from typing import Protocol

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.reading import (
    EventStream,
    Said,
    half_event,
    unreadable_answer,
    unreadable_stream,
)
from tierwise.types import Completion, TokenLogprob, ToolCall, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.gemini.answers import Answer, Candidate, read_answer
from tierwise.wire.gemini.finish import read_finish
from tierwise.wire.gemini.logprobs import read_logprobs
from tierwise.wire.gemini.reply import arguments_of
from tierwise.wire.gemini.usage import read_usage
from tierwise.wire.judged import finish_for_gates
from tierwise.wire.openai_chat import given, json_string
from tierwise.wire.openai_logprobs import read_logprobs as read_tokens
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

# Marks the events of a stream that need a look inside. Quotes are escaped in text; arguments of
# calls may have a field of one of these names, and are then looked at in vain.
_NOTABLE = (b'"finishReason"', b'"promptFeedback"', b'"error"')
_SAID = Said("text")
_USAGE = b'"usageMetadata"'


class Adapter(Protocol):
    """What an answer needs of its adapter."""

    def error(self, status: int, headers: dict[str, str], body: bytes) -> UpstreamError:
        """What an error means."""

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came."""


class GeminiReply:
    """A whole answer; see `providers.base.Reply`."""

    __slots__ = ("_answer", "body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: Adapter) -> None:
        try:
            check_text(body)
            answer = read_answer(body)
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        if given(answer.error):
            raise adapter.error(200, {}, body)
        if not answer.candidates and answer.blocked is None:
            raise ServerFailed("the answer has no candidates", status=200)
        self._answer = answer
        self.body = body
        self.reported_model = answer.model_version
        self.usage: Usage | None = read_usage(answer.usage_metadata)

    def completion(self) -> Completion:
        return completion_of([self._answer])

    def rename(self, model: str) -> None:
        self.body = openai_chat.with_fields(self.body, {"modelVersion": json_string(model)})


class GeminiStream(EventStream):
    """A stream; see `providers.base.StreamReader`."""

    __slots__ = ("_adapter", "_counted", "_kept", "_name")

    def __init__(self, *, keep: bool, adapter: Adapter) -> None:
        super().__init__(adapter.no_stream)
        self._adapter = adapter
        self._kept: list[Answer] | None = [] if keep else None
        self._name: bytes | None = None
        self._counted: bytes | Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """The last one that can be believed: every event has one, and only the last is read."""
        if isinstance(self._counted, bytes):
            try:
                self._counted = read_usage(read_answer(self._counted).usage_metadata)
            except UNREADABLE:
                self._counted = None
        return self._counted

    def rename(self, model: str, block: bytes) -> bytes:
        self._name = json_string(model)
        return self._renamed(block)

    def completion(self) -> Completion:
        return completion_of(self._kept or [])

    def _take(self, block: bytes) -> bytes:
        """Reads the events that need it, and gives all of them."""
        if self._is_usual(block):
            self.output_chars += _length(block)
            if _USAGE in block:
                self._counted = sse.payload(block)
            return self._renamed(block) if self._name is not None else block
        for event in sse.events(block):
            data = sse.payload(event)
            if data is None:
                self._stray(event)
                continue
            self._event(data)
        return self._renamed(block) if self._name is not None else block

    def _is_usual(self, block: bytes) -> bool:
        """Whether a block is one whole event that needs no look inside, as most are."""
        if not self.started or self._kept is not None:
            return False
        if block.count(b"data:") != 1 or block.count(b"\n") != 2:
            return False
        whole = block.startswith(b"data: {") and block.endswith((b"}\r\n\r\n", b"}\n\n"))
        return whole and not any(mark in block for mark in _NOTABLE)

    def _event(self, data: bytes) -> None:
        self.output_chars += _length(data)
        if _USAGE in data:
            self._counted = data
        notable = self._kept is not None or not self.started
        if not (notable or any(mark in data for mark in _NOTABLE)):
            if data[:1] != b"{" or data.rstrip()[-1:] != b"}":
                raise half_event()
            return
        try:
            answer = read_answer(data)
        except UNREADABLE as error:
            raise unreadable_stream(error) from None
        if given(answer.error):
            raise self._adapter.error(200, {}, b'{"error":' + bytes(answer.error) + b"}")
        self.started = True
        self.reported_model = self.reported_model or answer.model_version
        if self._kept is not None:
            self._kept.append(answer)
        ended = any(one.finish_reason for one in answer.candidates or ())
        self.finished |= ended or answer.blocked is not None

    def _renamed(self, block: bytes) -> bytes:
        if self._name is None:
            return block
        out: list[bytes] = []
        for event in sse.events(block):
            data = sse.payload(event)
            if data is not None and b'"modelVersion"' in data:
                try:
                    data = openai_chat.with_fields(data, {"modelVersion": self._name})
                except UNREADABLE as error:
                    raise unreadable_stream(error) from None
                event = b"data: " + data
            out.append(event + b"\n\n")
        return b"".join(out)


def _length(event: bytes) -> int:
    """About how many characters an event says."""
    said = _SAID.chars(event, 1)
    if b'"functionCall"' not in event:
        return said
    try:
        read = read_answer(sse.payload(event) or event)
    except UNREADABLE:
        return said
    calls = (
        piece.function_call
        for candidate in read.candidates or ()
        for piece in candidate.pieces
        if piece.function_call is not None
    )
    return said + sum(len(bytes(call.args)) for call in calls)


def completion_of(answers: list[Answer]) -> Completion:
    """What the first candidate says, in what may be the events of a stream."""
    text: list[str] = []
    calls: list[ToolCall] = []
    logprobs: list[TokenLogprob] = []
    refusal: str | None = None
    reason: str | None = None
    for answer in answers:
        if answer.blocked is not None:
            refusal, reason = answer.blocked.words, "SAFETY"
        for candidate in answer.candidates or ():
            if (candidate.index or 0) == 0:
                _say(candidate, text, calls)
                logprobs += read_tokens(read_logprobs(candidate.logprobs_result))
                reason = candidate.finish_reason or reason
    finish = read_finish(reason, calls=bool(calls)) if reason else None
    return Completion(
        text="".join(text),
        finish_reason=finish_for_gates(finish, refusal=refusal, paused="length"),
        tool_calls=tuple(calls),
        refusal=refusal,
        logprobs=tuple(logprobs),
    )


def _say(candidate: Candidate, text: list[str], calls: list[ToolCall]) -> None:
    for piece in candidate.pieces:
        if piece.text is not None:
            if not piece.thought:
                text.append(piece.text)
        elif piece.function_call is not None:
            call = piece.function_call
            arguments = arguments_of(call.args)
            calls.append(ToolCall(name=call.name, arguments=arguments, id=call.id or ""))
