"""The turns of a conversation as Converse takes them.

Turns alternate, those of the system stand apart, and results of tools are said by the user, before
anything else. Blank texts are refused, and so is a conversation without a word of the user.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from tierwise.wire.bedrock.media import Documents, audio_block, image_block, video_block
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Conversation,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from tierwise.wire.unreadable import UNREADABLE

_BLANK = "."
"""Stands where something must be said and nothing is."""
_BREAK = {"text": "\n"}
"""Stands before a cache point that has no text before it: right after a document it is refused."""
_IDS = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_OWN = frozenset({"bedrock", "anthropic"})
"""Whose thoughts are understood: signatures of Anthropic's hold good on all platforms that serve
its models. https://platform.claude.com/docs/en/build-with-claude/extended-thinking"""
_SYSTEM = ("system", "developer")
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_Block = dict[str, Any]


def system_of(asked: Conversation) -> list[_Block]:
    """What the system says, wherever in the conversation it does."""
    found: list[_Block] = []
    for turn in asked.turns:
        if turn.role in _SYSTEM:
            for part in turn.parts:
                if isinstance(part, Text) and part.text.strip():
                    found.append({"text": part.text})
                    found.extend(_mark(part.cache))
    return found


def messages_of(asked: Conversation) -> list[_Block]:
    """What user and assistant say in turn."""
    documents = Documents()
    messages: list[_Block] = []
    for turn in asked.turns:
        if turn.role in _SYSTEM:
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        content = list(_blocks(turn, documents))
        if content and messages and messages[-1]["role"] == role:
            messages[-1]["content"] += content
        elif content:
            messages.append({"role": role, "content": content})
    for message in messages:
        message["content"] = _in_order(message["content"])
    if not messages:
        messages.append({"role": "user", "content": [{"text": _BLANK}]})
    if asked.cache is not None:
        messages[-1]["content"] += _mark(asked.cache)
    return messages


def _in_order(content: list[_Block]) -> list[_Block]:
    """Results of tools first, each with its cache point; a document never without a text."""
    results: list[_Block] = []
    others: list[_Block] = []
    for block in content:
        after_result = "cachePoint" in block and results and not others
        (results if "toolResult" in block or after_result else others).append(block)
    if any("document" in block for block in others) and not any("text" in one for one in others):
        others.append({"text": _BLANK})
    return results + others


def _blocks(turn: Turn, documents: Documents) -> Iterator[_Block]:
    for part in turn.parts:
        mark = _mark(getattr(part, "cache", None))
        block = _block(part, documents)
        if block is None and mark:
            block = _BREAK
        if block is not None:
            yield block
        if mark and isinstance(part, Document | Video):
            yield _BREAK
        yield from mark


def _block(part: Part, documents: Documents) -> _Block | None:
    match part:
        case Text() | Refusal():
            return {"text": part.text} if part.text.strip() else None
        case ToolCall():
            return {
                "toolUse": {
                    "toolUseId": call_id(part.id),
                    "name": part.name,
                    "input": _arguments(part.arguments),
                }
            }
        case ToolResult():
            return _result(part, documents)
        case Reasoning():
            return _reasoning(part)
        case Foreign():
            return _decode_object(part.raw) if part.origin == "bedrock" else None
        case _:
            return _media(part, documents)


def _media(part: Image | Audio | Video | Document, documents: Documents) -> _Block:
    match part:
        case Image():
            return image_block(part)
        case Audio():
            return audio_block(part)
        case Video():
            return video_block(part)
        case Document():
            return documents.block(part)


def _result(part: ToolResult, documents: Documents) -> _Block:
    content: list[_Block] = []
    for piece in part.parts:
        if isinstance(piece, Text | Image | Video | Document):
            block = _block(piece, documents)
            if block is not None:
                content.append(block)
    found: _Block = {
        "toolUseId": call_id(part.call_id),
        "content": content or [{"text": _BLANK}],
    }
    if part.failed:
        found["status"] = "error"
    return {"toolResult": found}


def _reasoning(part: Reasoning) -> _Block | None:
    """Thoughts that their model can recognise as its own; others are left out."""
    if part.origin not in _OWN:
        return None
    if part.redacted is not None:
        return {
            "reasoningContent": {
                "redactedContent": base64.b64encode(part.redacted.encode()).decode()
            }
        }
    if part.signature is None:
        return None
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _mark(mark: CacheMark | None) -> list[_Block]:
    if mark is None:
        return []
    point = {"type": "default"}
    if mark.ttl is not None:
        point["ttl"] = mark.ttl
    return [{"cachePoint": point}]


def _arguments(text: str) -> Raw | dict[str, Any]:
    """Arguments must be an object; what is none (a model's slip) is handed on within one."""
    if not text.strip():
        return {}
    try:
        _decode_object(text)
    except UNREADABLE:
        return {"arguments": text}
    return Raw(text)


def call_id(theirs: str) -> str:
    """A call's id within what Bedrock allows; always the same for the same."""
    if _IDS.fullmatch(theirs):
        return theirs
    return f"{_NOT_IN_IDS.sub('_', theirs)[:40]}_{zlib.crc32(theirs.encode()):08x}"
