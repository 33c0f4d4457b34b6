"""Whole answers of `POST /v1/messages`, both ways."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.wire.anthropic import blocks
from tierwise.wire.anthropic.blocks import NAME
from tierwise.wire.anthropic.usage import read_usage, write_usage
from tierwise.wire.conversation import Conversation, Part, Text, ToolCall
from tierwise.wire.openai_chat import given
from tierwise.wire.spoken import Choice, Finish, Spoken

_ABSENT = Raw(b"")
_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}
_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "filter": "refusal",
}
_OWN = frozenset({"container", "context_management", "stop_details", "diagnostics"})
_OWN_WORDS = tuple(f'"{name}"'.encode() for name in sorted(_OWN))


class _Reply(Struct):
    id: str
    model: str
    content: list[Raw]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = _ABSENT


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes) -> Spoken:
    """A provider's whole answer; raises `msgspec.MsgspecError` if it is none."""
    said = _decode_reply(body)
    own: dict[str, Raw] = {}
    if any(word in body for word in _OWN_WORDS):
        own = {n: raw for n, raw in _decode_fields(body).items() if n in _OWN and given(raw)}
    choice = Choice(
        parts=tuple(_placed(blocks.read_block(raw) for raw in said.content)),
        finish=finish_of(said.stop_reason),
        stop=said.stop_sequence,
        reported=said.stop_reason,
    )
    return Spoken(
        id=said.id,
        model=said.model,
        choices=(choice,),
        usage=read_usage(said.usage),
        origin=NAME,
        own=own,
    )


def _placed(parts: Iterable[Part]) -> Iterable[Part]:
    """The parts, with the place of each text in the answer's text in its citations."""
    place = 0
    for part in parts:
        if not isinstance(part, Text):
            yield part
            continue
        end = place + len(part.text)
        cited = tuple(replace(one, start=place, end=end) for one in part.citations)
        yield replace(part, citations=cited) if cited else part
        place = end


def finish_of(stop_reason: str | None) -> Finish | None:
    """Why an answer ended; a reason that is newer than this is an end as any other."""
    return None if stop_reason is None else _FINISHES.get(stop_reason, "stop")


def reason_for(finish: Finish | None, *, calls: bool, reported: str | None = None) -> str:
    """Anthropic's word for a finish.

    Args:
        calls: whether tools were called, which some providers say with the calls alone.
        reported: the provider's own word, which is Anthropic's if it knows it.
    """
    if reported in _FINISHES and _FINISHES[reported] == finish:
        return reported
    if calls and finish in (None, "stop"):
        return "tool_use"
    return _REASONS[finish or "stop"]


def new_name() -> str:
    """The id of a message whose provider gave it none; clients tell messages apart by it."""
    return f"msg_{os.urandom(16).hex()}"


def write_reply(spoken: Spoken, asked: Conversation) -> bytes:  # noqa: ARG001 - the protocol's
    """The answer as a client of the Messages API reads it. Only the first choice has a place."""
    choice = spoken.choices[0] if spoken.choices else Choice(parts=())
    calls = any(isinstance(part, ToolCall) for part in choice.parts)
    usage = write_usage(spoken.usage)
    body: dict[str, object] = {
        "id": spoken.id or new_name(),
        "type": "message",
        "role": "assistant",
        "model": spoken.model,
        "content": blocks.write_blocks(choice.parts, asking=False),
        "stop_reason": reason_for(choice.finish, calls=calls, reported=choice.reported),
        "stop_sequence": choice.stop,
        "usage": usage,
    }
    if spoken.origin == NAME:
        body.update(spoken.own)
    return _encode(body)
