"""Streams of Cohere's Chat API v2: https://docs.cohere.com/docs/streaming"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import ServerFailed
from tierwise.wire import sse
from tierwise.wire.cohere.reply import (
    ABSENT,
    FAILURES,
    Call,
    Piece,
    read_citation,
    read_finish,
    read_usage,
)
from tierwise.wire.cohere.request import NAME
from tierwise.wire.openai_chat import given
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)


class _Message(Struct):
    content: Piece | list[Piece] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Call] | None = None
    citations: Raw = ABSENT


class _Delta(Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: str | None = None
    usage: Raw = ABSENT


class StreamEvent(Struct):
    """One event. `model` is not Cohere's; see `providers.cohere`."""

    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None
    model: str | None = None


decode_event = msgspec.json.Decoder(StreamEvent).decode
_decode_citations = msgspec.json.Decoder(list[Raw]).decode


class CohereEvents:
    """Reads one stream."""

    __slots__ = ("_calls", "_thinking", "_waiting")

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._waiting: int | None = None
        self._thinking = False

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says.

        Raises:
            ServerFailed: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """
        events: list[Event] = []
        for data in sse.payloads(block):
            self._event(decode_event(data), events)
        return events

    def _event(self, event: StreamEvent, events: list[Event]) -> None:
        delta = event.delta
        if event.type == "message-start":
            events.append(Began(id=event.id or "", model=event.model or ""))
        elif event.type == "tool-call-end" and self._waiting is not None:
            # Arguments are an object everywhere else, an empty one where there are none.
            events.append(ToolPiece(call=self._waiting, arguments="{}"))
            self._waiting = None
        if delta is None:
            return
        if event.type == "message-end":
            events += _ended(delta)
        elif delta.message is not None:
            self._said(delta.message, event, events)

    def _said(self, message: _Message, event: StreamEvent, events: list[Event]) -> None:
        if message.tool_plan:
            events.append(TextPiece(text=message.tool_plan))
        if message.content is not None:
            for piece in _list(message.content):
                self._piece(piece, events)
        if message.tool_calls is not None:
            for call in _calls(message.tool_calls):
                self._call(call, event.index, events)
        if given(message.citations):
            raws = [message.citations]
            if bytes(message.citations)[:1] == b"[":
                raws = _decode_citations(message.citations)
            events += [Cited(citation=read_citation(raw)) for raw in raws]

    def _piece(self, piece: Piece, events: list[Event]) -> None:
        if piece.thinking:
            begins = not self._thinking
            events.append(ReasoningPiece(text=piece.thinking, origin=NAME, begins=begins))
            self._thinking = True
        if piece.text:
            self._thinking = False
            events.append(TextPiece(text=piece.text))

    def _call(self, call: Call, index: int, events: list[Event]) -> None:
        """A call begins where it has a name. Its index counts calls, but may count all pieces."""
        if call.name:
            number = len(self._calls)
            self._calls[index] = number
            id_ = call.id or f"call_{number}"
            events.append(ToolBegan(call=number, id=id_, name=call.name))
            self._waiting = number
        known = self._calls.get(index)
        if call.arguments and known is not None:
            events.append(ToolPiece(call=known, arguments=call.arguments))
            self._waiting = None


def _list(content: Piece | list[Piece]) -> list[Piece]:
    return content if isinstance(content, list) else [content]


def _calls(calls: Call | list[Call]) -> list[Call]:
    return calls if isinstance(calls, list) else [calls]


def _ended(delta: _Delta) -> list[Event]:
    reported = delta.finish_reason or "COMPLETE"
    if delta.error or reported in FAILURES:
        words = delta.error or f"the answer ended with {reported}"
        raise ServerFailed(words, status=200)
    events: list[Event] = [Ended(finish=read_finish(reported), reported=reported)]
    usage = read_usage(delta.usage)
    if usage is not None:
        events.append(Counted(usage=usage))
    return events
