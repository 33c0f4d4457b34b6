"""A stream of ConverseStream, out of the server-sent events that the adapter makes of its frames.

Each event's data is an object with one field: the frame's kind, and in it what the frame says.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tierwise.wire import sse
from tierwise.wire.bedrock.reply import (
    CLAUDE,
    NAME,
    ServiceTier,
    ToolUse,
    citation_of,
    finish_of,
    new_id,
    origin_of,
    stop_of,
    unsealed,
)
from tierwise.wire.bedrock.usage import read_usage
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

_EMPTY = Raw(b"")


class _MessageStart(Struct):
    model: str = ""


class _Start(Struct, rename="camel"):
    tool_use: ToolUse | None = None
    tool_result: Raw = _EMPTY
    image: Raw = _EMPTY


class _BlockStart(Struct, rename="camel"):
    start: _Start
    content_block_index: int = 0


class _ToolDelta(Struct):
    input: str = ""


class _ReasoningDelta(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None
    citation: Raw = _EMPTY


class _BlockDelta(Struct, rename="camel"):
    delta: _Delta
    content_block_index: int = 0


class _BlockStop(Struct, rename="camel"):
    content_block_index: int = 0


class _MessageStop(Struct, rename="camel"):
    stop_reason: str
    additional_model_response_fields: Raw = _EMPTY


class _Metadata(Struct, rename="camel"):
    usage: Raw = _EMPTY
    service_tier: ServiceTier | None = None


class _Frame(Struct, rename="camel"):
    message_start: _MessageStart | None = None
    content_block_start: _BlockStart | None = None
    content_block_delta: _BlockDelta | None = None
    content_block_stop: _BlockStop | None = None
    message_stop: _MessageStop | None = None
    metadata: _Metadata | None = None


_decode = msgspec.json.Decoder(_Frame).decode


class BedrockEvents:
    """Reads one stream."""

    __slots__ = ("_calls", "_origin", "_sealed", "_served", "_thinking")

    def __init__(self) -> None:
        self._origin = NAME
        self._calls: dict[int, int] = {}  # of the block -> of the call
        self._served: dict[int, dict[str, Any]] = {}
        self._sealed: dict[int, list[str]] = {}
        self._thinking: int | None = None

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says."""
        found: list[Event] = []
        for data in sse.payloads(block):
            found.extend(self._of(_decode(data)))
        return found

    def _of(self, frame: _Frame) -> Iterator[Event]:
        if frame.content_block_delta is not None:
            yield from self._more(frame.content_block_delta)
        elif frame.content_block_start is not None:
            yield from self._start(frame.content_block_start)
        elif frame.content_block_stop is not None:
            yield from self._stop(frame.content_block_stop.content_block_index)
        elif frame.message_start is not None:
            self._origin = origin_of(frame.message_start.model)
            yield Began(id=new_id(), model=frame.message_start.model)
        elif frame.message_stop is not None:
            said = frame.message_stop
            yield Ended(
                finish=finish_of(said.stop_reason) or "stop",
                stop=stop_of(said.additional_model_response_fields),
                reported=said.stop_reason,
            )
        elif frame.metadata is not None:
            usage = read_usage(frame.metadata.usage)
            if usage is not None:
                yield Counted(usage=usage)

    def _start(self, said: _BlockStart) -> Iterator[Event]:
        call, index = said.start.tool_use, said.content_block_index
        if call is None:
            for what, raw in (("toolResult", said.start.tool_result), ("image", said.start.image)):
                if bytes(raw):
                    self._served[index] = {what: raw}
        elif call.type == "server_tool_use":
            self._served[index] = {
                "toolUse": {"toolUseId": call.tool_use_id, "name": call.name, "type": call.type},
                "input": "",
            }
        else:
            self._calls[index] = number = len(self._calls)
            yield ToolBegan(call=number, id=call.tool_use_id, name=call.name)

    def _more(self, said: _BlockDelta) -> Iterator[Event]:
        delta, index = said.delta, said.content_block_index
        if delta.text is not None:
            if delta.text:
                yield TextPiece(text=delta.text)
        elif delta.tool_use is not None:
            if index in self._served:
                self._served[index]["input"] = (
                    self._served[index].get("input", "") + delta.tool_use.input
                )
            elif index in self._calls:
                yield ToolPiece(call=self._calls[index], arguments=delta.tool_use.input)
        elif delta.reasoning_content is not None:
            yield from self._thought(delta.reasoning_content, index)
        elif bytes(delta.citation):
            yield Cited(citation=citation_of(delta.citation))

    def _thought(self, said: _ReasoningDelta, index: int) -> Iterator[Event]:
        begins = self._thinking != index
        self._thinking = index
        if said.redacted_content is not None:
            self._sealed.setdefault(index, []).append(said.redacted_content)
        elif said.signature is not None:
            yield ReasoningPiece(signature=said.signature, origin=CLAUDE, begins=begins)
        elif said.text:
            yield ReasoningPiece(text=said.text, origin=self._origin, begins=begins)

    def _stop(self, index: int) -> Iterator[Event]:
        sealed = self._sealed.pop(index, None)
        if sealed is not None:
            yield ReasoningPiece(redacted=unsealed(_joined(sealed)), origin=CLAUDE, begins=True)
        served = self._served.pop(index, None)
        if served is not None:
            given = served.pop("input", "")
            if given and "toolUse" in served:
                served["toolUse"]["input"] = Raw(given.encode())
            what = next(iter(served))
            raw = Raw(msgspec.json.encode(served))
            yield ForeignPiece(origin=NAME, what=what, raw=raw)


def _joined(blobs: list[str]) -> str:
    """One blob of those that came for a block, each base64 of its own."""
    if len(blobs) == 1:
        return blobs[0]
    try:
        return base64.b64encode(
            b"".join(base64.b64decode(one, validate=True) for one in blobs)
        ).decode()
    except ValueError as error:  # of base64, or of characters that it has not
        raise msgspec.ValidationError(f"redactedContent cannot be read: {error}") from None
