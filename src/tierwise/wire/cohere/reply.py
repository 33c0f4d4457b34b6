"""Whole answers of Cohere's Chat API v2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tierwise.types import Usage
from tierwise.wire.cohere.request import NAME
from tierwise.wire.conversation import Citation, Part, Reasoning, Text, ToolCall
from tierwise.wire.openai_chat import given
from tierwise.wire.spoken import Choice, Finish, Spoken
from tierwise.wire.unreadable import UNREADABLE

ABSENT = Raw(b"")
_Count = Annotated[float, Meta(ge=0, le=1e12)]
_FINISHES: dict[str, Finish] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "filter",
}
FAILURES = frozenset({"ERROR", "TIMEOUT", "USER_CANCEL"})
"""Finish reasons of answers that are none."""


class Piece(Struct):
    """A part of content, or more of one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    """A call of a tool, or more of one."""

    id: str | None = None
    function: _Function | None = None

    @property
    def name(self) -> str:
        return (self.function.name if self.function is not None else None) or ""

    @property
    def arguments(self) -> str:
        return (self.function.arguments if self.function is not None else None) or ""


class _Named(Struct):
    url: str | None = None
    title: str | None = None


class _Source(Struct):
    type: str | None = None
    id: str | None = None
    document: _Named | None = None


class _Cited(Struct):
    start: int | None = None
    end: int | None = None
    text: str | None = None
    sources: list[_Source] | None = None


class _Message(Struct):
    content: list[Piece] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[Raw] | None = None


class _Tokens(Struct):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None


class _Usage(Struct):
    billed_units: _Tokens | None = None
    tokens: _Tokens | None = None
    cached_tokens: _Count | None = None


class Body(Struct):
    """A whole answer. `model` is not Cohere's; see `providers.cohere`."""

    message: _Message
    id: str | None = None
    finish_reason: str | None = None
    usage: Raw = ABSENT
    model: str | None = None


decode_body = msgspec.json.Decoder(Body).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_citation = msgspec.json.Decoder(_Cited).decode


def read_reply(body: bytes) -> Spoken:
    """A whole answer; raises `msgspec.MsgspecError` if it is none."""
    return spoken_of(decode_body(body))


def spoken_of(read: Body) -> Spoken:
    """What an answer says."""
    choice = Choice(
        parts=tuple(_parts(read.message)),
        finish=read_finish(read.finish_reason) if read.finish_reason is not None else None,
        reported=read.finish_reason,
    )
    return Spoken(
        id=read.id or "",
        model=read.model or "",
        choices=(choice,),
        usage=read_usage(read.usage),
        origin=NAME,
    )


def read_finish(reported: str) -> Finish:
    """Why an answer ended."""
    return _FINISHES.get(reported, "stop")


def read_usage(raw: Raw) -> Usage | None:
    """The counts that are billed; None if there are none, or none that can be believed."""
    if not given(raw):
        return None
    try:
        seen = _decode_usage(raw)
    except UNREADABLE:
        return None
    counts = seen.billed_units
    if counts is None or counts.input_tokens is None:
        counts = seen.tokens
    if counts is None:
        return None
    read = int(counts.input_tokens or 0)
    usage = Usage(
        input_tokens=read,
        output_tokens=int(counts.output_tokens or 0),
        cached_input_tokens=min(read, int(seen.cached_tokens or 0)),
    )
    return usage if usage.input_tokens or usage.output_tokens else None


def _parts(message: _Message) -> Iterator[Part]:
    said = message.content or []
    content = [Piece(text=said)] if isinstance(said, str) else said
    thought = "".join(piece.thinking or "" for piece in content)
    if thought:
        yield Reasoning(text=thought, origin=NAME)
    text = (message.tool_plan or "") + "".join(piece.text or "" for piece in content)
    citations = tuple(read_citation(raw) for raw in message.citations or ())
    if text or citations:
        yield Text(text=text, citations=citations, origin=NAME if citations else "")
    for number, call in enumerate(message.tool_calls or ()):
        yield ToolCall(
            id=call.id or f"call_{number}", name=call.name, arguments=call.arguments or "{}"
        )


def read_citation(raw: Raw) -> Citation:
    """What a piece of text rests on, and its first document if that has a name."""
    seen = _decode_citation(raw)
    named = next((one.document for one in seen.sources or () if one.document is not None), _Named())
    return Citation(
        url=named.url,
        title=named.title,
        quoted=seen.text,
        start=seen.start,
        end=seen.end,
        raw=raw,
        origin=NAME,
    )
