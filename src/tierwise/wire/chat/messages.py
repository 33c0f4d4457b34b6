"""Messages of Chat Completions, as turns of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import InvalidRequest
from tierwise.wire.chat.fields import ABSENT, Fields
from tierwise.wire.chat.sources import media_type_of, read_url
from tierwise.wire.chat.thoughts import FIELDS, NAME, details_in, read_details, signature_in
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Role,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from tierwise.wire.unreadable import UNREADABLE

OF_MESSAGE = "messages."
"""How the names of foreign pieces begin that are fields of a message, not parts of its content."""
_ROLES = ("system", "developer", "user", "assistant", "tool")
_BINDING = frozenset({"audio"})
"""Fields of a message without which it says something else: here, an answer that was spoken."""
_EMPTY = frozenset({b"[]", b"{}", b'""'})


class _Url(Struct):
    url: str
    detail: str | None = None


class _Sound(Struct):
    data: str
    format: str = "wav"


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Thought(Struct):
    text: str = ""


class Mark(Struct):
    """`cache_control` as OpenRouter takes it, and OpenAI's `prompt_cache_breakpoint`."""

    ttl: str | None = None


class _Part(Struct):
    """A part of content. Mistral has URLs without an object around, documents and thoughts."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Url | str | None = None
    input_audio: _Sound | str | None = None
    video_url: _Url | str | None = None
    file: _File | None = None
    file_id: str | None = None
    document_url: str | None = None
    document_name: str | None = None
    thinking: list[_Thought] | str | None = None
    cache_control: Mark | None = None
    prompt_cache_breakpoint: Mark | None = None


class _Function(Struct):
    """A call's function. Mistral takes arguments as the object itself, too."""

    name: str
    arguments: str | dict[str, Raw] = ""

    @property
    def told(self) -> str:
        """The arguments as JSON text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return msgspec.json.encode(self.arguments).decode()


class _Custom(Struct):
    name: str
    input: str = ""


class _Call(Struct):
    id: str = ""
    function: _Function | None = None
    custom: _Custom | None = None
    extra_content: Raw = ABSENT


_decode_content = msgspec.json.Decoder(str | list[_Part]).decode
_decode_raws = msgspec.json.Decoder(list[Raw]).decode
_decode_calls = msgspec.json.Decoder(list[_Call]).decode
_decode_function = msgspec.json.Decoder(_Function).decode
_decode_text = msgspec.json.Decoder(str).decode


def read_turns(messages: list[dict[str, Raw]]) -> tuple[Turn, ...]:
    """The turns that a list of messages is.

    Raises:
        InvalidRequest: a message is wrong.
    """
    calls: dict[str, ToolCall] = {}
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        turn = _turn(Fields(message, f"messages[{index}]"), index, calls)
        calls.update((part.id, part) for part in turn.parts if isinstance(part, ToolCall))
        turns.append(turn)
    return tuple(turns)


def _turn(message: Fields, index: int, calls: dict[str, ToolCall]) -> Turn:
    role, name = message.text("role"), message.text("name")
    if role is None:
        path = message.at("role")
        raise InvalidRequest(f"`{path}` is missing. Use one of {_roles()}.", param=path)
    content = message.raw("content")
    if role in ("tool", "function"):
        return _result(message, role, name, content, calls)
    if role not in _ROLES:
        path = message.at("role")
        raise InvalidRequest(f"`{path}` is {role!r}. Use one of {_roles()}.", param=path)
    parts: list[Part] = list(_thoughts(message)) if role == "assistant" else []
    said = _content(message, content)
    parts += said if role != "assistant" else _signed(message, said)
    if role == "assistant":
        refused = message.text("refusal")
        if refused:
            parts.append(Refusal(text=refused))
        parts += _calls(message, index)
    parts += _others(message)
    return Turn(role=cast("Role", role), parts=tuple(parts), name=name)


def _roles() -> str:
    return ", ".join(f'"{role}"' for role in _ROLES)


def _result(
    message: Fields, role: str, name: str | None, content: Raw, calls: dict[str, ToolCall]
) -> Turn:
    """What a tool gave. Functions, as there were before, are told by their names."""
    call_id = message.text("tool_call_id")
    if call_id is None and role == "function":
        call_id = next((one.id for one in reversed(calls.values()) if one.name == name), name or "")
    if call_id is None:
        path = message.at("tool_call_id")
        raise InvalidRequest(
            f"`{path}` is missing. Send the `id` of the tool call that this is the result of.",
            param=path,
        )
    made = calls.get(call_id)
    result = ToolResult(
        call_id=call_id,
        parts=tuple(_content(message, content)),
        name=name or (made.name if made is not None else ""),
        custom=made is not None and made.custom,
    )
    return Turn(role="tool", parts=(result, *_others(message)))


def _content(message: Fields, content: Raw) -> list[Part]:
    if content is ABSENT:
        return []
    message.rest["content"] = content
    read = message.take("content", _decode_content)
    if isinstance(read, str):
        return [Text(text=read)] if read else []
    raws: list[Raw] = []
    parts: list[Part] = []
    for index, part in enumerate(read or ()):
        known = _part(part, message, index)
        if known is not None:
            parts.append(known)
        if known is None or isinstance(known, Reasoning):
            raws = raws or _decode_raws(content)
            raw, binding = raws[index], known is None
            parts.append(Foreign(origin=NAME, what=part.type, raw=raw, binding=binding))
    return parts


def _signed(message: Fields, parts: list[Part]) -> list[Part]:
    """What the assistant said, with Gemini's signature on its last text. The field stays as it came
    beside it."""
    signature = signature_in(message.rest.get("extra_content", ABSENT))
    if signature is not None and parts and isinstance(parts[-1], Text):
        parts[-1] = replace(parts[-1], signature=signature, origin="gemini")
    return parts


def _part(part: _Part, message: Fields, index: int) -> Part | None:
    """A part of content; None for one that only this dialect knows."""
    cache = _mark(part)
    match part.type:
        case "text" if part.text is not None:
            return Text(text=part.text, cache=cache)
        case "image_url" if part.image_url is not None:
            url, detail = _url(part.image_url)
            return Image(source=read_url(url), detail=detail, cache=cache)
        case "video_url" if part.video_url is not None:
            return Video(source=read_url(_url(part.video_url)[0]), cache=cache)
        case "input_audio" if part.input_audio is not None:
            return Audio(source=_sound(part.input_audio), cache=cache)
        case "file" if part.file is not None or part.file_id is not None:
            return _document(part.file or _File(file_id=part.file_id), cache)
        case "document_url" if part.document_url is not None:
            source = read_url(part.document_url)
            return Document(source=source, name=part.document_name, cache=cache)
        case "refusal" if part.refusal is not None:
            return Refusal(text=part.refusal)
        case "thinking" if part.thinking is not None:
            return Reasoning(text=_thought(part.thinking), origin=NAME)
        case "text" | "image_url" | "video_url" | "input_audio" | "file" | "refusal":
            path = f"{message.path}.content[{index}].{part.type}"
            raise InvalidRequest(f"`{path}` is missing. Add it.", param=path)
    return None


def _mark(part: _Part) -> CacheMark | None:
    if part.cache_control is not None:
        return CacheMark(ttl=part.cache_control.ttl)
    if part.prompt_cache_breakpoint is not None:
        return CacheMark(ttl=part.prompt_cache_breakpoint.ttl, origin="openai")
    return None


def _url(given: _Url | str) -> tuple[str, str | None]:
    return (given, None) if isinstance(given, str) else (given.url, given.detail)


def _sound(given: _Sound | str) -> Source:
    """A sound; Mistral takes its URL, or its bytes alone."""
    if isinstance(given, _Sound):
        return Source(media_type=media_type_of(given.format), data=given.data)
    source = read_url(given)
    is_url = source.url is not None and "://" in source.url
    return source if is_url or source.data is not None else Source(data=given)


def _document(file: _File, cache: CacheMark | None) -> Document:
    """A file. OpenRouter takes URLs of files where OpenAI takes their bytes."""
    if file.file_data is None:
        source = Source(file_id=file.file_id)
    else:
        source = read_url(file.file_data)
        if source.url is not None and not source.url.startswith(("http://", "https://")):
            source = Source(data=file.file_data)
    return Document(source=source, name=file.filename, cache=cache)


def _thought(thinking: list[_Thought] | str) -> str:
    return thinking if isinstance(thinking, str) else "".join(one.text for one in thinking)


def _thoughts(message: Fields) -> Iterator[Part]:
    """What the assistant thought, and the fields that say so, as they came."""
    found = {name: message.raw(name) for name in FIELDS if name in message.rest}
    said = {name: raw for name, raw in found.items() if bytes(raw) and bytes(raw) not in _EMPTY}
    yield from _first_thoughts(said)
    for name, raw in said.items():
        yield Foreign(origin=NAME, what=OF_MESSAGE + name, raw=raw, binding=False)


def _first_thoughts(said: dict[str, Raw]) -> list[Reasoning]:
    """The thoughts in the first field that can be read."""
    details = details_in(said.get("reasoning_details", ABSENT))
    if details:
        return read_details(details)
    for name in FIELDS[1:]:
        try:
            return [Reasoning(text=_decode_text(said[name]), origin=NAME)]
        except (KeyError, *UNREADABLE):
            continue
    return []


def _calls(message: Fields, index: int) -> Iterator[Part]:
    calls = message.take("tool_calls", _decode_calls) or []
    for number, call in enumerate(calls):
        id_ = call.id or f"call_{index}_{number}"
        signature = signature_in(call.extra_content)
        origin = "gemini" if signature is not None else ""
        if call.custom is not None:
            yield ToolCall(
                id=id_,
                name=call.custom.name,
                arguments=call.custom.input,
                custom=True,
                signature=signature,
                origin=origin,
            )
        elif call.function is not None:
            yield ToolCall(
                id=id_,
                name=call.function.name,
                arguments=call.function.told,
                signature=signature,
                origin=origin,
            )
        else:
            path = f"{message.path}.tool_calls[{number}].function"
            raise InvalidRequest(f"`{path}` is missing. Add it.", param=path)
    before = message.take("function_call", _decode_function)
    if before is not None:
        yield ToolCall(id=f"call_{index}_0", name=before.name, arguments=before.told)


def _others(message: Fields) -> Iterator[Part]:
    """Fields that only this dialect knows; empty ones are echoes of answers."""
    for name, raw in message.left().items():
        if bytes(raw) not in _EMPTY:
            what = OF_MESSAGE + name
            yield Foreign(origin=NAME, what=what, raw=raw, binding=name in _BINDING)
