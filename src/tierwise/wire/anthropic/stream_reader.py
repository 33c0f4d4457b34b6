"""Reads a stream of the Messages API as events."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.anthropic import blocks
from tierwise.wire.anthropic.blocks import NAME
from tierwise.wire.anthropic.reply import finish_of
from tierwise.wire.anthropic.usage import read_usage
from tierwise.wire.conversation import Reasoning, Text, ToolCall
from tierwise.wire.openai_chat import given
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

_ABSENT = Raw(b"")


class _Started(Struct):
    id: str = ""
    model: str = ""
    usage: Raw = _ABSENT


class _Delta(Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw = _ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Failure(Struct):
    type: str | None = None
    message: str | None = None


class StreamEvent(Struct):
    """One event, as much of it as is acted on."""

    type: str
    index: int = 0
    message: _Started | None = None
    content_block: Raw = _ABSENT
    delta: _Delta | None = None
    usage: Raw = _ABSENT
    error: _Failure | None = None


class _DeltaAlone(Struct):
    delta: dict[str, Any]


decode_event = msgspec.json.Decoder(StreamEvent).decode
_decode_delta = msgspec.json.Decoder(_DeltaAlone).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class _Open:
    """A block that is being sent. `call` is the number of a call of a tool, `cited` what a text
    rests on, which comes before it and can be placed when it is whole."""

    __slots__ = ("arguments", "begin", "call", "cited", "held", "inputs", "what")

    def __init__(self) -> None:
        self.what = ""
        self.call: int | None = None
        self.begin = 0
        self.arguments = ""
        self.cited: list[Raw] = []
        self.held: dict[str, Any] | None = None
        self.inputs: list[str] = []


class EventReader:
    """Reads one stream. What only Anthropic knows is held until it is whole."""

    __slots__ = ("_calls", "_chars", "_open", "_usage")

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._chars = 0
        self._usage: Usage | None = None

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says.

        Raises:
            UpstreamError: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """
        found: list[Event] = []
        for data in sse.payloads(block):
            self._read(data, found)
        return found

    def _read(self, data: bytes, found: list[Event]) -> None:
        event = decode_event(data)
        match event.type:
            case "content_block_delta":
                if event.delta is not None:
                    self._piece(event, event.delta, data, found)
            case "content_block_start":
                self._begin(event, found)
            case "content_block_stop":
                self._stop(event.index, found)
            case "message_start":
                self._start(event, found)
            case "message_delta":
                self._end(event, found)
            case "error":
                raise _failed(event.error)
            case _:
                pass  # pings, the end, and what is newer than this

    def _start(self, event: StreamEvent, found: list[Event]) -> None:
        said = event.message or _Started()
        self._usage = read_usage(said.usage)
        found.append(Began(id=said.id, model=said.model, usage=self._usage))

    def _begin(self, event: StreamEvent, found: list[Event]) -> None:
        open_ = self._open[event.index] = _Open()
        raw = event.content_block
        part = blocks.read_block(raw)
        match part:
            case Text():
                open_.begin = self._chars
                if part.text:
                    self._chars += len(part.text)
                    found.append(TextPiece(text=part.text))
                open_.cited += (one.raw for one in part.citations)
            case Reasoning():
                found.append(
                    ReasoningPiece(
                        text=part.text,
                        signature=part.signature,
                        redacted=part.redacted,
                        origin=NAME,
                        begins=True,
                    )
                )
            case ToolCall():
                open_.call = self._calls
                open_.arguments = part.arguments
                self._calls += 1
                found.append(ToolBegan(call=open_.call, id=part.id, name=part.name))
            case _:
                open_.held = _decode_fields(raw)
                open_.what = str(open_.held.get("type", ""))

    def _piece(self, event: StreamEvent, delta: _Delta, data: bytes, found: list[Event]) -> None:
        open_ = self._open.get(event.index)
        if open_ is not None and open_.held is not None:
            _extend(open_, _decode_delta(data).delta)
        elif delta.text is not None:
            self._chars += len(delta.text)
            found.append(TextPiece(text=delta.text))
        elif delta.thinking is not None:
            found.append(ReasoningPiece(text=delta.thinking, origin=NAME))
        elif delta.signature is not None:
            found.append(ReasoningPiece(signature=delta.signature, origin=NAME))
        elif open_ is None:
            pass
        elif delta.partial_json is not None and open_.call is not None:
            if delta.partial_json:
                open_.arguments = ""  # they come in pieces
                found.append(ToolPiece(call=open_.call, arguments=delta.partial_json))
        elif given(delta.citation):
            open_.cited.append(delta.citation)

    def _stop(self, index: int, found: list[Event]) -> None:
        open_ = self._open.pop(index, None)
        if open_ is None:
            return
        for raw in open_.cited:
            citation = blocks.read_citation(raw, open_.begin, self._chars)
            found.append(Cited(citation=citation))
        if open_.held is not None:
            whole = "".join(open_.inputs)
            if whole.strip():
                open_.held["input"] = Raw(whole.encode())
            found.append(ForeignPiece(origin=NAME, what=open_.what, raw=Raw(_encode(open_.held))))
        elif open_.call is not None and open_.arguments:
            found.append(ToolPiece(call=open_.call, arguments=open_.arguments))

    def _end(self, event: StreamEvent, found: list[Event]) -> None:
        self._usage = read_usage(event.usage, self._usage)
        if self._usage is not None:
            found.append(Counted(usage=self._usage))
        delta = event.delta
        finish = finish_of(delta.stop_reason) if delta is not None else None
        if delta is not None and finish is not None:
            found.append(Ended(finish=finish, stop=delta.stop_sequence, reported=delta.stop_reason))


def _extend(open_: _Open, delta: dict[str, Any]) -> None:
    """Takes in a piece of a block that only Anthropic knows, whatever the piece is called."""
    held = open_.held
    assert held is not None  # noqa: S101 - as the caller has seen
    for name, value in delta.items():
        if name == "type":
            continue
        if name == "partial_json":
            open_.inputs.append(str(value))
        elif isinstance(value, str) and isinstance(held.get(name), str):
            held[name] += value
        else:
            held[name] = value


def _failed(error: _Failure | None) -> UpstreamError:
    said = error or _Failure()
    return ServerFailed(said.message or said.type or "the stream reports an error", status=200)
