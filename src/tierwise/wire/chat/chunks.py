"""Streams of Chat Completions: chunks that say what happens."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from tierwise.types import Usage
from tierwise.wire.chat.citations import write_citations
from tierwise.wire.chat.endings import write_finish
from tierwise.wire.chat.reply import new_id
from tierwise.wire.chat.thoughts import NAME, is_plain, write_detail, write_signature
from tierwise.wire.conversation import Conversation
from tierwise.wire.openai_chat import given
from tierwise.wire.openai_usage import write_usage
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

_DONE = b"data: [DONE]\n\n"
_OPEN = b',"finish_reason":null}]}\n\n'
_encode = msgspec.json.Encoder().encode


class ChunkWriter:
    """Writes one stream, for a client that asked so."""

    # `_thoughts` has the choices that have begun, and how many thoughts of each did, less one.

    __slots__ = (
        "_custom",
        "_ended",
        "_functions",
        "_head",
        "_refused",
        "_thoughts",
        "_usage",
        "_wants_usage",
    )

    def __init__(self, asked: Conversation) -> None:
        self._wants_usage = asked.stream_usage
        self._functions = asked.functions
        self._head = _head(new_id(), 0, asked.model)
        self._thoughts: dict[int, int] = {}
        self._refused: set[int] = set()
        self._custom: set[tuple[int, int]] = set()
        self._ended = False
        self._usage: Usage | None = None

    def write(self, events: Iterable[Event]) -> bytes:
        """The server-sent events that say so; b"" while nothing can be said yet."""
        return b"".join([self._event(event) for event in events])

    def close(self) -> bytes:
        """The usage, if it was asked for, and the goodbye."""
        if self._ended:
            return b""
        self._ended = True
        if self._usage is None or not self._wants_usage:
            return _DONE
        usage = b'],"usage":' + _encode(write_usage(self._usage)) + b"}\n\n"
        return self._head + usage + _DONE

    def _event(self, event: Event) -> bytes:
        match event:
            case TextPiece():
                logprobs = event.logprobs if given(event.logprobs) else None
                signed = event.signature is not None and event.origin == "gemini"
                if not (event.text or signed) and logprobs is None:
                    return b""
                said = b'{"content":' + _encode(event.text) + b"}"
                if signed:
                    extra = write_signature(event.signature or "")
                    said = _encode({"content": event.text, "extra_content": extra})
                return self._chunk(event.choice, said, logprobs)
            case ReasoningPiece():
                return self._thought(event)
            case ToolBegan() | ToolPiece():
                return self._call(event)
            case RefusalPiece():
                self._refused.add(event.choice)
                return self._chunk(event.choice, b'{"refusal":' + _encode(event.text) + b"}")
            case Cited():
                cited = list(write_citations([event.citation]))
                return self._delta(event.choice, {"annotations": cited}) if cited else b""
            case ForeignPiece():
                own = event.origin == NAME
                return self._delta(event.choice, {event.what: event.raw}) if own else b""
            case Ended():
                return self._end(event)
            case Began():
                self._head = _head(event.id or new_id(), event.created, event.model)
                self._usage = event.usage or self._usage
            case Counted():
                self._usage = event.usage
        return b""

    def _delta(self, choice: int, delta: dict[str, object]) -> bytes:
        return self._chunk(choice, _encode(delta))

    def _chunk(self, choice: int, delta: bytes, logprobs: Raw | None = None) -> bytes:
        """One chunk, after the one that says who speaks if this is the choice's first."""
        first = b"" if choice in self._thoughts else self._role(choice)
        said = b'{"index":%d,"delta":%b,"logprobs":' % (choice, delta)
        return first + self._head + said + (bytes(logprobs) if logprobs else b"null") + _OPEN

    def _role(self, choice: int) -> bytes:
        self._thoughts[choice] = -1
        return self._chunk(choice, b'{"role":"assistant","content":"","refusal":null}')

    def _thought(self, piece: ReasoningPiece) -> bytes:
        """What is thought; and the same as a detail where something that proves it may follow.

        Details of the same index are put together by clients.
        """
        first = b"" if piece.choice in self._thoughts else self._role(piece.choice)
        index = self._thoughts[piece.choice]
        if piece.begins or index < 0:
            index = self._thoughts[piece.choice] = index + 1
        delta: dict[str, object] = {"reasoning_content": piece.text} if piece.text else {}
        if piece.origin not in ("", NAME) or not is_plain(piece):
            details = write_detail(piece, index)
            if details:
                delta["reasoning_details"] = details
        return first + self._delta(piece.choice, delta) if delta else first

    def _call(self, event: ToolBegan | ToolPiece) -> bytes:
        if self._functions:
            return self._function(event)
        place = (event.choice, event.call)
        if isinstance(event, ToolBegan) and event.custom:
            self._custom.add(place)
        custom = bool(self._custom) and place in self._custom
        kind, field = ("custom", "input") if custom else ("function", "arguments")
        if isinstance(event, ToolPiece):
            form = b'{"tool_calls":[{"index":%d,"%b":{"%b":%b}}]}'
            arguments = _encode(event.arguments)
            delta = form % (event.call, kind.encode(), field.encode(), arguments)
            return self._chunk(event.choice, delta)
        call: dict[str, object] = {
            "index": event.call,
            "id": event.id,
            "type": kind,
            kind: {"name": event.name, field: ""},
        }
        if event.signature is not None and event.origin == "gemini":
            call["extra_content"] = write_signature(event.signature)
        return self._delta(event.choice, {"tool_calls": [call]})

    def _function(self, event: ToolBegan | ToolPiece) -> bytes:
        """The first call alone: there was one at a time, before there were tools."""
        if event.call:
            return b""
        if isinstance(event, ToolPiece):
            return self._delta(event.choice, {"function_call": {"arguments": event.arguments}})
        return self._delta(event.choice, {"function_call": {"name": event.name, "arguments": ""}})

    def _end(self, event: Ended) -> bytes:
        choice = event.choice
        first = b"" if choice in self._thoughts else self._role(choice)
        refused = choice in self._refused
        word = write_finish(event.finish, refused=refused, functions=self._functions)
        ended = b'{"index":%d,"delta":{},"logprobs":null,"finish_reason":"%b"}]}\n\n'
        return first + self._head + ended % (choice, word.encode())


def _head(id_: str, created: int, model: str) -> bytes:
    """What all chunks begin with."""
    return (
        b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
        % (
            _encode(id_),
            created or int(time.time()),
            _encode(model),
        )
    )
