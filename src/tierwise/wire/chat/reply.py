"""Whole answers in OpenAI's Chat Completions dialect."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.chat.citations import citations_in, write_citations
from tierwise.wire.chat.endings import read_finish, write_finish
from tierwise.wire.chat.messages import OF_MESSAGE
from tierwise.wire.chat.thoughts import (
    NAME,
    details_in,
    is_plain,
    read_details,
    signature_in,
    write_detail,
    write_signature,
)
from tierwise.wire.chat.turns import Json, write_call
from tierwise.wire.conversation import (
    Conversation,
    Foreign,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from tierwise.wire.openai_chat import given
from tierwise.wire.openai_usage import read_usage, write_usage
from tierwise.wire.spoken import Choice, Spoken

_ABSENT = Raw(b"")
_NULL = Raw(b"null")
_KNOWN = ("id", "object", "created", "model", "choices", "usage", "service_tier")
_KEPT = ("audio", "images")
"""Fields of an answer's message that no other dialect has, and that are kept."""


class Piece(Struct):
    """A part of content. Mistral has thoughts among them, which are lists of texts."""

    type: str = "text"
    text: str | None = None
    thinking: list[Piece] | str | None = None

    @property
    def thought(self) -> str | None:
        """What it says that the model thought."""
        if self.thinking is None or isinstance(self.thinking, str):
            return self.thinking
        return "".join(one.text or "" for one in self.thinking)


class Function(Struct):
    """A function that is called, or a piece of the call."""

    name: str | None = None
    arguments: str | None = None


class Custom(Struct):
    """A tool that takes free text, or a piece of its call."""

    name: str | None = None
    input: str | None = None


class Call(Struct):
    """A call of a tool, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Raw = _ABSENT

    @property
    def name(self) -> str:
        """The tool's name, where it is here."""
        called = self.custom or self.function
        return (called.name if called is not None else None) or ""

    @property
    def arguments(self) -> str:
        """What is here of the arguments."""
        if self.custom is not None:
            return self.custom.input or ""
        return (self.function.arguments if self.function is not None else None) or ""

    @property
    def signature(self) -> str | None:
        """Gemini's signature, where its compatible API answers."""
        return signature_in(self.extra_content)


class Said(Struct):
    """What a message or a delta says. Of thoughts and annotations, any form is borne."""

    content: str | list[Piece] | None = None
    refusal: str | None = None
    reasoning_content: object = None
    reasoning: object = None
    reasoning_details: Raw = _ABSENT
    extra_content: Raw = _ABSENT
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: Raw = _ABSENT
    audio: Raw = _ABSENT
    images: Raw = _ABSENT

    @property
    def thought(self) -> str:
        """What the model thought, in the field for words alone."""
        thought = self.reasoning_content or self.reasoning
        return thought if isinstance(thought, str) else ""

    def others(self) -> Iterator[tuple[str, Raw]]:
        """Fields that no other dialect has."""
        if not (len(self.audio) or len(self.images)):
            return
        for name in _KEPT:
            raw: Raw = getattr(self, name)
            if given(raw) and bytes(raw) != b"[]":
                yield name, raw


class _Choice(Struct):
    message: Said
    index: int | None = 0
    finish_reason: str | None = None
    logprobs: Raw = _ABSENT


class _Body(Struct):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: Raw = _ABSENT
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes) -> Spoken:
    """A provider's whole answer; raises `msgspec.MsgspecError` if it is none."""
    read = _decode(body)
    own = {
        name: raw
        for name, raw in _decode_fields(body).items()
        if name not in _KNOWN and bytes(raw) != b"null"
    }
    return Spoken(
        id=read.id or "",
        model=read.model or "",
        choices=tuple(_choice(one) for one in sorted(read.choices, key=lambda one: one.index or 0)),
        usage=read_usage(read.usage, with_cost=False),
        created=int(read.created or 0),
        service_tier=read.service_tier,
        origin=NAME,
        own=own,
    )


def _choice(choice: _Choice) -> Choice:
    parts = tuple(_parts(choice.message))
    reported = choice.finish_reason
    finish = None
    if reported:
        finish = read_finish(
            reported,
            called=any(isinstance(part, ToolCall) for part in parts),
            refused=any(isinstance(part, Refusal) for part in parts),
        )
    return Choice(
        parts=parts,
        finish=finish,
        reported=reported,
        logprobs=choice.logprobs if given(choice.logprobs) else _ABSENT,
    )


def _parts(said: Said) -> Iterator[Part]:
    yield from _thoughts(said)
    text, thought = said.content or "", ""
    if not isinstance(text, str):
        thought = "".join(piece.thought or "" for piece in text)
        text = "".join(piece.text or "" for piece in text)
    if thought:
        yield Reasoning(text=thought, origin=NAME)
    citations = tuple(citations_in(said.annotations))
    signature = None if citations else signature_in(said.extra_content)
    if text or citations:
        origin = "gemini" if signature is not None else NAME if citations else ""
        yield Text(text=text, citations=citations, signature=signature, origin=origin)
    if said.refusal:
        yield Refusal(text=said.refusal)
    for number, call in enumerate(said.tool_calls or ()):
        signature = call.signature
        yield ToolCall(
            id=call.id or f"call_{number}",
            name=call.name,
            arguments=call.arguments,
            custom=call.custom is not None,
            signature=signature,
            origin="gemini" if signature is not None else "",
        )
    before = said.function_call
    if before is not None and not said.tool_calls:
        yield ToolCall(id="call_0", name=before.name or "", arguments=before.arguments or "")
    for name, raw in said.others():
        yield Foreign(origin=NAME, what=OF_MESSAGE + name, raw=raw, binding=False)


def _thoughts(said: Said) -> list[Reasoning]:
    details = details_in(said.reasoning_details)
    if details:
        return read_details(details)
    text = said.thought
    return [Reasoning(text=text, origin=NAME)] if text else []


def write_reply(spoken: Spoken, asked: Conversation) -> bytes:
    """The answer as a client of this dialect reads it."""
    body: Json = {
        "id": spoken.id or new_id(),
        "object": "chat.completion",
        "created": spoken.created or int(time.time()),
        "model": spoken.model,
        "choices": [_written(index, choice, asked) for index, choice in enumerate(spoken.choices)],
    }
    if spoken.usage is not None:
        body["usage"] = write_usage(spoken.usage)
    if spoken.service_tier is not None:
        body["service_tier"] = spoken.service_tier
    if spoken.origin == NAME:
        body.update(spoken.own)
    return _encode(body)


def new_id() -> str:
    """An id for an answer whose provider gave it none."""
    return f"chatcmpl-{os.urandom(16).hex()}"


def _written(index: int, choice: Choice, asked: Conversation) -> Mapping[str, object]:
    texts = [part for part in choice.parts if isinstance(part, Text)]
    refused = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
    text = "".join(part.text for part in texts)
    message: Json = {
        "role": "assistant",
        "content": text if text or not (calls or refused) else None,
        "refusal": refused or None,
    }
    message.update(write_thoughts(thoughts))
    # The words of an answer are one text here, and their signature is that of its last piece.
    signed = [part.signature for part in texts if part.signature and part.origin == "gemini"]
    if signed:
        message["extra_content"] = write_signature(signed[-1])
    cited = [one for part in texts for one in write_citations(part.citations)]
    if cited:
        message["annotations"] = cited
    if calls and asked.functions:
        first = calls[0]
        message["function_call"] = {"name": first.name, "arguments": first.arguments}
    elif calls:
        message["tool_calls"] = [write_call(call, own=True) for call in calls]
    for part in choice.parts:
        if isinstance(part, Foreign) and part.origin == NAME:
            message[part.what.removeprefix(OF_MESSAGE)] = part.raw
    finish = write_finish(choice.finish, refused=bool(refused), functions=asked.functions)
    return {
        "index": index,
        "message": message,
        "logprobs": choice.logprobs if given(choice.logprobs) else _NULL,
        "finish_reason": finish,
    }


def write_thoughts(thoughts: list[Reasoning]) -> Json:
    """The fields that show what was thought, and that prove it to whose thoughts they are."""
    fields: Json = {}
    text = "".join(one.text for one in thoughts)
    if text:
        fields["reasoning_content"] = text
    if not all(map(is_plain, thoughts)):
        details = [write_detail(one, index) for index, one in enumerate(thoughts)]
        fields["reasoning_details"] = [one for some in details for one in some]
    return fields
