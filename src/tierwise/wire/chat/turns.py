"""Turns of a conversation, as messages of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Raw

from tierwise.wire.chat.messages import OF_MESSAGE
from tierwise.wire.chat.sources import format_of, write_url
from tierwise.wire.chat.thoughts import FIELDS, NAME, is_plain, write_detail, write_signature
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
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
from tierwise.wire.failing import in_words

Json = dict[str, object]
_JOINED = {"assistant": "", "tool": "\n", "system": "\n\n"}
"""What is put between texts that other dialects have in several parts. There are providers of this
family that take only one from these roles."""


def write_turns(turns: Iterable[Turn], *, own: bool) -> list[Json]:
    """The messages that say so.

    Args:
        turns: the conversation.
        own: whether it is one of this dialect, whose own fields and peculiarities stay as they are.
    """
    messages: list[Json] = []
    shown: list[Json] = []
    for turn in turns:
        if turn.role == "tool":
            for message, media in _results(turn, own=own):
                messages.append(message)
                shown += media
            continue
        # Results must follow upon their calls without anything between them.
        if shown:
            messages.append({"role": "user", "content": shown})
            shown = []
        message = _assistant(turn, own=own) if turn.role == "assistant" else _said(turn, own=own)
        if message:
            messages.append(message)
    if shown:
        messages.append({"role": "user", "content": shown})
    return messages


def _said(turn: Turn, *, own: bool) -> Json:
    # Not every provider knows developers; OpenAI takes `system` for the same where it does.
    role = turn.role if own or turn.role != "developer" else "system"
    message: Json = {"role": role, "content": _content(turn.parts, role, own=own) or ""}
    return _with_fields(message, turn, own=own)


def _assistant(turn: Turn, *, own: bool) -> Json:
    """What the assistant said; empty if there is nothing of it that this dialect has words for."""
    calls = [write_call(part, own=own) for part in turn.parts if isinstance(part, ToolCall)]
    content = _content(turn.parts, "assistant", own=own)
    refused = "".join(part.text for part in turn.parts if isinstance(part, Refusal))
    message: Json = {"role": "assistant", "content": content}
    if refused:
        message["refusal"] = refused
    if calls:
        message["tool_calls"] = calls
    if own:
        message.update(_thoughts(turn))
    message = _with_fields(message, turn, own=own)
    if content is None and len(message) == 2:
        if not own:
            return {}
        message["content"] = ""
    return message


def _thoughts(turn: Turn) -> Json:
    """The fields that say what was thought, unless they are there as they came."""
    as_came = {f"{OF_MESSAGE}{name}" for name in FIELDS} | {"thinking"}
    if any(isinstance(part, Foreign) and part.what in as_came for part in turn.parts):
        return {}
    thoughts = [part for part in turn.parts if isinstance(part, Reasoning)]
    if not thoughts:
        return {}
    if all(map(is_plain, thoughts)):
        return {"reasoning_content": "".join(one.text for one in thoughts)}
    details = [write_detail(one, index) for index, one in enumerate(thoughts)]
    return {"reasoning_details": [one for some in details for one in some]}


def _with_fields(message: Json, turn: Turn, *, own: bool) -> Json:
    if turn.name is not None and turn.role != "tool":
        message["name"] = turn.name
    for part in turn.parts if own else ():
        if isinstance(part, Foreign) and part.origin == NAME and part.what.startswith(OF_MESSAGE):
            message[part.what[len(OF_MESSAGE) :]] = part.raw
    return message


def write_call(call: ToolCall, *, own: bool) -> Json:
    """A call of a tool. Signatures are shown to whom they are of use."""
    written: Json = {"id": call.id}
    if call.custom:
        written |= {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        function = {"name": call.name, "arguments": call.arguments}
        written |= {"type": "function", "function": function}
    if own and call.signature is not None and call.origin == "gemini":
        written["extra_content"] = write_signature(call.signature)
    return written


def _results(turn: Turn, *, own: bool) -> Iterator[tuple[Json, list[Json]]]:
    """Messages for the results of tools, and what of them has to be said by the user.

    Chat Completions takes text alone from tools.
    """
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            continue
        message: Json = {"role": "tool", "tool_call_id": result.call_id}
        media: list[Json] = []
        parts = in_words(result)
        if not own:
            found = [_part(part) for part in parts if _is_media(part)]
            media = [written for written in found if written is not None]
            parts = tuple(part for part in parts if not _is_media(part))
        content = _content(parts, "tool", own=own) or ""
        if media:
            note = f"What the tool call {result.call_id} gave:"
            media.insert(0, {"type": "text", "text": note})
            content = content or "The next message of the user shows it."
        message["content"] = content
        yield _with_fields(message, turn, own=own), media


def _is_media(part: Part) -> bool:
    if isinstance(part, Document):
        return part.text is None
    return isinstance(part, Image | Audio | Video)


def _content(parts: Iterable[Part], role: str, *, own: bool) -> str | list[Json | Raw] | None:
    """A field `content`: a string if it is one plain text; None if there is nothing."""
    written = list(_parts(parts, own=own))
    if not written:
        return None
    plain = [
        part["text"]
        for part in written
        if isinstance(part, dict) and part.keys() == {"type", "text"}
    ]
    if len(plain) == len(written):
        if len(plain) == 1:
            return str(plain[0])
        if not own and role in _JOINED:
            return _JOINED[role].join(map(str, plain))
    return written


def _parts(parts: Iterable[Part], *, own: bool) -> Iterator[Json | Raw]:
    for part in parts:
        if isinstance(part, Foreign):
            if own and part.origin == NAME and not part.what.startswith(OF_MESSAGE):
                yield part.raw
            continue
        written = _part(part)
        if written is None:
            continue
        mark = getattr(part, "cache", None)
        if mark is not None:
            written.update(write_mark(mark))
        yield written


def write_mark(mark: CacheMark) -> Json:
    """A mark for a provider's cache: OpenAI's own, or as OpenRouter takes it."""
    ttl = {"ttl": mark.ttl} if mark.ttl is not None else {}
    if mark.origin == "openai":
        return {"prompt_cache_breakpoint": {"mode": "explicit", **ttl}}
    return {"cache_control": {"type": "ephemeral", **ttl}}


def _part(part: Part) -> Json | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            image = {"url": write_url(part.source)}
            if part.detail is not None:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image} if image["url"] is not None else None
        case Video():
            url = write_url(part.source)
            return {"type": "video_url", "video_url": {"url": url}} if url is not None else None
        case Audio() if part.source.data is not None:
            sound = {"data": part.source.data, "format": format_of(part.source.media_type)}
            return {"type": "input_audio", "input_audio": sound}
        case Document():
            return _document(part)
    return None


def _document(part: Document) -> Json:
    if part.text is not None:
        about = "\n".join(line for line in (part.name, part.context) if line)
        return {"type": "text", "text": f"{about}\n\n{part.text}" if about else part.text}
    source = part.source
    file: dict[str, str | None] = {}
    if source.file_id is not None:
        file["file_id"] = source.file_id
    elif source.data is not None and source.media_type is None:
        file["file_data"] = source.data
    else:
        file["file_data"] = write_url(source)
    if part.name is not None:
        file["filename"] = part.name
    elif source.data is not None and source.media_type == "application/pdf":
        file["filename"] = "document.pdf"  # OpenAI refuses bytes without one
    return {"type": "file", "file": file}
