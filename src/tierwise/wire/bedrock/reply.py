"""A whole answer of Converse.

Bedrock names neither the answer nor the model; the adapter adds the model as `model`.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.bedrock.usage import read_usage
from tierwise.wire.conversation import (
    Citation,
    Foreign,
    Image,
    Part,
    Reasoning,
    Source,
    Text,
    ToolCall,
)
from tierwise.wire.spoken import Choice, Finish, Spoken
from tierwise.wire.unreadable import UNREADABLE

NAME = "bedrock"
CLAUDE = "anthropic"
"""The origin of Claude's thoughts, which it knows wherever it is served; no other's have a
signature."""
_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "filter",
    "content_filtered": "filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}
_EMPTY = Raw(b"")


class ToolUse(Struct, rename="camel"):
    """A call; `type` is `server_tool_use` where Bedrock makes it itself."""

    tool_use_id: str
    name: str
    input: Raw = Raw(b"{}")
    type: str | None = None


class _ReasoningText(Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Said(Struct):
    text: str = ""


class _Web(Struct):
    url: str | None = None


class _Location(Struct):
    web: _Web | None = None


class _Citation(Struct, rename="camel"):
    title: str | None = None
    source_content: list[_Said] = []
    location: _Location | None = None


class _Cited(Struct):
    content: list[_Said] = []
    citations: list[Raw] = []


class _Bytes(Struct):
    bytes: str | None = None


class _Image(Struct):
    format: str
    source: _Bytes


class _Message(Struct):
    content: list[dict[str, Raw]]


class _Output(Struct):
    message: _Message


class ServiceTier(Struct):
    """How the request was served."""

    type: str | None = None


class MoreFields(Struct):
    """What the model says beside Converse's own fields."""

    stop_sequence: str | None = None


class _Answer(Struct, rename="camel"):
    output: _Output
    stop_reason: str | None = None
    usage: Raw = _EMPTY
    service_tier: ServiceTier | None = None
    additional_model_response_fields: Raw = _EMPTY
    model: str = ""


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_call = msgspec.json.Decoder(ToolUse).decode
_decode_reasoning = msgspec.json.Decoder(_Reasoning).decode
_decode_cited = msgspec.json.Decoder(_Cited).decode
_decode_citation = msgspec.json.Decoder(_Citation).decode
_decode_image = msgspec.json.Decoder(_Image).decode
_decode_more = msgspec.json.Decoder(MoreFields).decode


def read_reply(body: bytes) -> Spoken:
    """What an answer says; raises `msgspec.MsgspecError` if it is none."""
    answer = _decode_answer(body)
    tier = answer.service_tier
    choice = Choice(
        parts=tuple(_part(block) for block in answer.output.message.content),
        finish=finish_of(answer.stop_reason),
        stop=stop_of(answer.additional_model_response_fields),
        reported=answer.stop_reason,
    )
    return Spoken(
        id=new_id(),
        model=answer.model,
        choices=(choice,),
        usage=read_usage(answer.usage),
        service_tier=tier.type if tier is not None else None,
        origin=NAME,
    )


def new_id() -> str:
    """An id for an answer, which Bedrock gives none."""
    return f"bedrock-{secrets.token_hex(12)}"


def origin_of(model: str) -> str:
    """Whose the thoughts of a model are, as far as its name tells."""
    return CLAUDE if "claude" in model else NAME


def finish_of(reason: str | None) -> Finish | None:
    """Why an answer ended; None if it did not say."""
    return None if reason is None else _FINISHES.get(reason, "stop")


def stop_of(more: Raw) -> str | None:
    """The stop sequence that was met, where a model says so."""
    try:
        return _decode_more(more).stop_sequence
    except UNREADABLE:
        return None


def citation_of(raw: Raw) -> Citation:
    """What a piece of an answer rests on."""
    said = _decode_citation(raw)
    web = said.location.web if said.location is not None else None
    return Citation(
        url=web.url if web is not None else None,
        title=said.title,
        quoted="".join(one.text for one in said.source_content) or None,
        raw=raw,
        origin=NAME,
    )


def unsealed(blob: str) -> str:
    """Anthropic's own form of thoughts that only it can read: Bedrock's is base64 of it.

    Raises:
        msgspec.ValidationError: it is none.
    """
    try:
        return base64.b64decode(blob, validate=True).decode()
    except ValueError as error:  # of base64, of characters that it has not, or no UTF-8
        raise msgspec.ValidationError(f"redactedContent cannot be read: {error}") from None


def _part(block: dict[str, Raw]) -> Part:
    """A block has one field, which says what it is."""
    for name, raw in block.items():
        read = _PARTS.get(name)
        if read is not None:
            return read(raw, block)
    return _foreign(_EMPTY, block)


def _foreign(_raw: Raw, block: dict[str, Raw]) -> Foreign:
    what = next(iter(block), "content")
    return Foreign(origin=NAME, what=what, raw=Raw(msgspec.json.encode(block)), binding=False)


def _text(raw: Raw, _block: Any) -> Text:
    return Text(text=_decode_text(raw))


def _tool_use(raw: Raw, block: dict[str, Raw]) -> Part:
    call = _decode_call(raw)
    if call.type == "server_tool_use":
        return _foreign(raw, block)
    return ToolCall(id=call.tool_use_id, name=call.name, arguments=bytes(call.input).decode())


def _reasoning(raw: Raw, _block: Any) -> Reasoning:
    said = _decode_reasoning(raw)
    if said.redacted_content is not None:
        return Reasoning(redacted=unsealed(said.redacted_content), origin=CLAUDE)
    text = said.reasoning_text or _ReasoningText()
    origin = NAME if text.signature is None else CLAUDE
    return Reasoning(text=text.text, signature=text.signature, origin=origin)


def _cited(raw: Raw, _block: Any) -> Text:
    said = _decode_cited(raw)
    return Text(
        text="".join(one.text for one in said.content),
        citations=tuple(citation_of(one) for one in said.citations),
        origin=NAME,
    )


def _image(raw: Raw, block: dict[str, Raw]) -> Part:
    image = _decode_image(raw)
    if image.source.bytes is None:
        return _foreign(raw, block)
    return Image(source=Source(media_type=f"image/{image.format}", data=image.source.bytes))


_PARTS = {
    "text": _text,
    "toolUse": _tool_use,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
    "image": _image,
}
