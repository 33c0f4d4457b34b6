"""Writes events as a stream of the Messages API.

Blocks come one after another, each with its beginning and its end. Calls of tools whose pieces
come in turns wait for the one before them to be whole. Why the answer ended and what it used are
said last, when both are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tierwise.types import Usage
from tierwise.wire.anthropic.blocks import NAME, tool_id, write_citation
from tierwise.wire.anthropic.reply import new_name, reason_for
from tierwise.wire.anthropic.usage import write_usage
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TEXT: Mapping[str, object] = {"type": "text", "text": ""}
_THINKING: Mapping[str, object] = {"type": "thinking", "thinking": "", "signature": ""}


class _Call:
    """A call of a tool that waits, or whose block is open."""

    __slots__ = ("began", "pieces", "sent")

    def __init__(self, began: ToolBegan) -> None:
        self.began = began
        self.pieces: list[str] = []
        self.sent = 0

    @property
    def is_whole(self) -> bool:
        try:
            _decode("".join(self.pieces))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        return True


class EventWriter:
    """Writes one stream. Only the first choice has a place in it."""

    __slots__ = (
        "_began",
        "_called",
        "_calls",
        "_cited",
        "_ended",
        "_index",
        "_open",
        "_out",
        "_usage",
    )

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._began = False
        self._open = ""
        self._index = -1
        self._calls: dict[int, _Call] = {}
        self._called = False
        self._cited = False
        self._ended: Ended | None = None
        self._usage: Usage | None = None

    def write(self, events: Iterable[Event]) -> bytes:
        """The server-sent events that say so; b"" while nothing can be said yet."""
        for event in events:
            if isinstance(event, Counted):
                self._usage = event.usage
            elif isinstance(event, Began):
                self._start(event)
            elif event.choice == 0:
                self._say(event)
        return self._taken()

    def close(self) -> bytes:
        """What ends the stream: why the answer ended, and what it used."""
        self._start(Began(id="", model=""))
        self._end_block()
        ended = self._ended
        finish = ended.finish if ended is not None else None
        reported = ended.reported if ended is not None else None
        reason = reason_for(finish, calls=self._called, reported=reported)
        delta = {"stop_reason": reason, "stop_sequence": ended.stop if ended is not None else None}
        self._send("message_delta", {"delta": delta, "usage": write_usage(self._usage)})
        self._send("message_stop", {})
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _send(self, kind: str, fields: Mapping[str, object]) -> None:
        data = _encode({"type": kind, **fields})
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    def _start(self, began: Began) -> None:
        if self._began:
            return
        self._began = True
        self._usage = began.usage or self._usage
        message: dict[str, object] = {
            "id": began.id or new_name(),
            "type": "message",
            "role": "assistant",
            "model": began.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(began.usage),
        }
        self._send("message_start", {"message": message})

    def _say(self, event: Event) -> None:
        if not self._began:
            self._start(Began(id="", model=""))
        match event:
            case TextPiece() | RefusalPiece():
                if event.text:
                    self._text(event.text)
            case ReasoningPiece():
                self._think(event)
            case ToolBegan():
                self._call(event)
            case ToolPiece():
                self._arguments(event)
            case Cited():
                said = write_citation(event.citation)
                if said is not None:
                    self._begin("text", _TEXT)
                    self._piece({"type": "citations_delta", "citation": said})
                    self._cited = True
            case ForeignPiece():
                if event.origin == NAME:
                    self._whole_block(event.raw)
            case Ended():
                self._ended = event
            case _:
                pass

    def _text(self, text: str) -> None:
        if self._cited and self._open == "text":
            self._end_block()  # what is cited is the text so far
        self._cited = False
        self._begin("text", _TEXT)
        self._piece({"type": "text_delta", "text": text})

    def _begin(self, kind: str, block: Mapping[str, object]) -> None:
        """Opens a block, unless one of this kind is open."""
        if self._open == kind:
            return
        self._end_block()
        self._open_block(kind, block)

    def _open_block(self, kind: str, block: object) -> None:
        self._index += 1
        self._open = kind
        self._send("content_block_start", {"index": self._index, "content_block": block})

    def _piece(self, delta: Mapping[str, object]) -> None:
        self._send("content_block_delta", {"index": self._index, "delta": delta})

    def _end_block(self) -> None:
        """Closes what is open, and says the calls that wait."""
        self._stop()
        for number in list(self._calls):
            self._open_call(number)
            self._stop()

    def _stop(self) -> None:
        if not self._open:
            return
        if self._open.startswith("call "):
            del self._calls[int(self._open[5:])]
        self._open = ""
        self._send("content_block_stop", {"index": self._index})

    def _whole_block(self, block: object) -> None:
        self._end_block()
        self._open_block("whole", block)
        self._stop()

    def _think(self, piece: ReasoningPiece) -> None:
        ours = piece.origin == NAME
        if piece.redacted is not None and ours:
            self._whole_block({"type": "redacted_thinking", "data": piece.redacted})
            return
        signature = piece.signature if ours else None
        if piece.begins and self._open == "thinking":
            self._stop()
        if not (piece.text or signature or (piece.begins and ours)):
            return
        self._begin("thinking", _THINKING)
        if piece.text:
            self._piece({"type": "thinking_delta", "thinking": piece.text})
        if signature:
            self._piece({"type": "signature_delta", "signature": signature})

    def _call(self, began: ToolBegan) -> None:
        self._called = True
        if self._open.startswith("call "):
            if self._calls[int(self._open[5:])].is_whole:
                self._end_block()
        else:
            self._end_block()
        self._calls[began.call] = _Call(began)
        if not self._open:
            self._open_call(began.call)

    def _open_call(self, number: int) -> None:
        call = self._calls[number]
        began = call.began
        block = {"type": "tool_use", "id": tool_id(began.id), "name": began.name, "input": {}}
        self._open_block(f"call {number}", block)
        self._send_arguments(call)

    def _arguments(self, piece: ToolPiece) -> None:
        call = self._calls.get(piece.call)
        if call is None:
            return
        call.pieces.append(piece.arguments)
        if self._open == f"call {piece.call}":
            self._send_arguments(call)

    def _send_arguments(self, call: _Call) -> None:
        more = "".join(call.pieces[call.sent :])
        call.sent = len(call.pieces)
        if more:
            self._piece({"type": "input_json_delta", "partial_json": more})
