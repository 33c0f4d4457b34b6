"""What models think, in the fields that Chat Completions' providers show it in.

DeepSeek, xAI and vLLM say `reasoning_content`, Groq says `reasoning`; OpenRouter says so too, and
has `reasoning_details` for what only the model's own provider can check or read, each with a
`format` that names whose it is (https://openrouter.ai/docs/use-cases/reasoning-tokens).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.wire.conversation import Reasoning
from tierwise.wire.spoken import ReasoningPiece
from tierwise.wire.unreadable import UNREADABLE

NAME = "openai-chat"
FIELDS = ("reasoning_details", "reasoning_content", "reasoning")
"""Fields of a message, those that say most first."""
_ORIGINS = {
    "anthropic-claude-v1": "anthropic",
    "google-gemini-v1": "gemini",
    "openai-responses-v1": "openai-responses",
}
_FORMATS = {origin: written for written, origin in _ORIGINS.items()}
_OTHER = f"{NAME}/"


class Detail(Struct):
    """One of `reasoning_details`."""

    type: str = "reasoning.text"
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class _Google(Struct):
    thought_signature: str | None = None


class _Extra(Struct):
    google: _Google | None = None


_decode_details = msgspec.json.Decoder(list[Detail]).decode
_decode_extra = msgspec.json.Decoder(_Extra).decode


def details_in(raw: Raw) -> list[Detail]:
    """What a field `reasoning_details` holds; nothing if it cannot be read. An answer or a
    conversation is good without them."""
    if not bytes(raw):
        return []
    try:
        return _decode_details(raw)
    except UNREADABLE:
        return []


def signature_in(extra: Raw) -> str | None:
    """Gemini's signature of a call or of what a message says, where its compatible API has it: in
    `extra_content`."""
    if not bytes(extra):
        return None
    try:
        google = _decode_extra(extra).google
    except UNREADABLE:
        return None
    return google.thought_signature if google is not None else None


def write_signature(signature: str) -> dict[str, object]:
    """The same, to be read again."""
    return {"google": {"thought_signature": signature}}


def origin_of(format_: str | None) -> str:
    """Whose a thought of that format is.

    One that no dialect here writes is kept in the origin, so that it is good here alone.
    """
    if format_ is None or format_ == "unknown":
        return NAME
    return _ORIGINS.get(format_) or _OTHER + format_


def format_of(origin: str) -> str:
    """OpenRouter's name for thoughts of that origin."""
    if origin.startswith(_OTHER):
        return origin[len(_OTHER) :]
    return _FORMATS.get(origin, "unknown")


def read_details(details: Iterable[Detail]) -> list[Reasoning]:
    """The thoughts that `reasoning_details` are.

    What can be read of a thought and what cannot come as two of them with the same index.
    """
    thoughts: list[Reasoning] = []
    last: Detail | None = None
    for one in details:
        thought = _thought(one)
        if last is not None and one.type == "reasoning.encrypted" and _belong(last, one):
            shown = thoughts.pop()
            thought = replace(
                shown, redacted=thought.redacted, id=shown.id if thought.id is None else thought.id
            )
        thoughts.append(thought)
        last = one
    return thoughts


def _thought(one: Detail) -> Reasoning:
    summary = one.type == "reasoning.summary"
    return Reasoning(
        text=(one.summary if summary else one.text) or "",
        signature=one.signature or None,
        redacted=one.data or None,
        origin=origin_of(one.format),
        id=one.id,
        summary=summary,
    )


def _belong(shown: Detail, hidden: Detail) -> bool:
    same = (shown.index, shown.format) == (hidden.index, hidden.format)
    return shown.type != hidden.type and shown.index is not None and same


def write_detail(thought: Reasoning | ReasoningPiece, index: int) -> list[dict[str, object]]:
    """A thought, or a piece of one, as `reasoning_details`: what can be read, and what not."""
    shared: dict[str, object] = {"format": format_of(thought.origin), "index": index}
    if thought.id is not None:
        shared["id"] = thought.id
    written: list[dict[str, object]] = []
    if thought.summary and thought.text:
        written.append({"type": "reasoning.summary", "summary": thought.text, **shared})
    elif thought.text or thought.signature is not None:
        said: dict[str, object] = {"type": "reasoning.text", "text": thought.text, **shared}
        if thought.signature is not None:
            said["signature"] = thought.signature
        written.append(said)
    if thought.redacted is not None:
        written.append({"type": "reasoning.encrypted", "data": thought.redacted, **shared})
    return written


def is_plain(thought: Reasoning | ReasoningPiece) -> bool:
    """Whether it is words alone, which `reasoning_content` can hold."""
    return thought.signature is None and thought.redacted is None
