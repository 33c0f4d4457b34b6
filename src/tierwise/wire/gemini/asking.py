"""A Gemini request, written: the body of `:generateContent` and `:streamGenerateContent`."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from tierwise.wire.conversation import (
    Audio,
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
from tierwise.wire.gemini.config import write_config, write_tools
from tierwise.wire.gemini.turns import NAME, made_id
from tierwise.wire.gemini.unsigned import UNSIGNED
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

_MEDIA_TYPES = {
    Image: "image/jpeg",
    Audio: "audio/mpeg",
    Video: "video/mp4",
    Document: "application/pdf",
}
"""Of files of which no more is known; Vertex wants to be told one."""
_HOLDERS = ("generationConfig", "thinkingConfig", "toolConfig", "functionCallingConfig")
"""Objects of which fields are kept one by one."""
_Medium = Image | Audio | Video | Document
_Written = dict[str, object]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def write_request(asked: Conversation) -> bytes:
    """The body that asks it. The model and whether it streams are in the URL."""
    writer = _Writer(asked)
    body: _Written = {"contents": writer.contents}
    if not writer.contents:
        body["contents"] = [{"role": "user", "parts": writer.system or [{"text": ""}]}]
    elif writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    write_tools(asked, body)
    write_config(asked, body)
    if asked.dialect == NAME:
        for name, value in (("labels", asked.metadata), ("store", asked.store)):
            if isinstance(value, bool) or (value is not None and given(value)):
                body[name] = value
        for path, value in (*asked.own.items(), *asked.hints.items()):
            _put(body, path, value)
    return _encode(body)


def _put(body: _Written, path: str, value: Raw) -> None:
    """Sets a field by its path, such as `generationConfig.mediaResolution`."""
    for outer in _HOLDERS:
        if path.startswith(outer + "."):
            inner = body.setdefault(outer, {})
            if isinstance(inner, dict):
                _put(inner, path[len(outer) + 1 :], value)
            return
    body[path] = value


class _Writer:
    """Writes the turns: `contents`, in which turns of the same side are one, and `system`.

    Google refuses texts that are empty, which conversations of other dialects may have: they say
    nothing, and are left out.
    """

    def __init__(self, asked: Conversation) -> None:
        self.contents: list[_Written] = []
        self.system: list[_Written] = []
        self._foreign = asked.dialect != NAME
        self._names: dict[str, str] = {}
        self._without_id: set[str] = set()
        for index, turn in enumerate(asked.turns):
            if turn.role in ("system", "developer"):
                self.system += [{"text": _text_of(part)} for part in turn.parts if _text_of(part)]
            else:
                self._say(turn, index)

    def _say(self, turn: Turn, index: int) -> None:
        role = "model" if turn.role == "assistant" else "user"
        parts = list(self._parts(turn, index))
        if not parts and not turn.parts and not self._foreign:
            parts = [{"text": ""}]  # a turn must have a part
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            before = self.contents[-1]["parts"]
            assert isinstance(before, list)  # noqa: S101 - it was written here
            before += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _parts(self, turn: Turn, index: int) -> Iterable[_Written]:
        calls = 0
        for part in turn.parts:
            match part:
                case ToolCall():
                    yield self._call(part, made_id(index, calls), first=calls == 0)
                    calls += 1
                case ToolResult():
                    yield self._result(part)
                case Text():
                    if part.text or part.signature is not None or not self._foreign:
                        yield _signed({"text": part.text}, part)
                case Refusal():
                    yield {"text": part.text}
                case Reasoning():
                    if part.origin == NAME and part.redacted is None:
                        yield _signed({"text": part.text, "thought": True}, part)
                case Foreign():
                    if part.origin == NAME:
                        yield _decode(part.raw)
                case _:
                    yield from _media(part)

    def _call(self, part: ToolCall, made: str, *, first: bool) -> _Written:
        self._names[part.id] = part.name
        call: _Written = {"name": part.name, "args": _object(part.arguments, "arguments")}
        if part.id == made:
            self._without_id.add(part.id)
        else:
            call["id"] = part.id
        written = _signed({"functionCall": call}, part)
        if self._foreign and first and "thoughtSignature" not in written:
            written["thoughtSignature"] = UNSIGNED
        return written

    def _result(self, part: ToolResult) -> _Written:
        text = "\n".join(filter(None, map(_text_of, part.parts)))
        answer: _Written = {
            "name": part.name or self._names.get(part.call_id) or part.call_id,
            "response": {"error": text} if part.failed else _object(text, "output"),
        }
        if part.call_id not in self._without_id:
            answer["id"] = part.call_id
        media = [piece for one in part.parts for piece in _media(one) if "text" not in piece]
        if media:
            answer["parts"] = media
        return {"functionResponse": answer}


def _signed(written: _Written, part: Text | Reasoning | ToolCall) -> _Written:
    if part.signature is not None and part.origin == NAME:
        written["thoughtSignature"] = part.signature
    return written


def _text_of(part: Part) -> str:
    return part.text if isinstance(part, Text | Refusal) else ""


def _object(text: str, name: str) -> object:
    """Text as the JSON object that it is, else as one that holds it under `name`."""
    if not text.strip() and name == "arguments":
        return {}
    try:
        value = _decode(text)
    except UNREADABLE:
        return {name: text}
    return value if isinstance(value, dict) else {name: text}


def _media(part: Part) -> Iterable[_Written]:
    """A picture, a sound, a film or a document. Its context stands before it."""
    if not isinstance(part, _Medium):
        return
    source = part.source
    named = {}
    if isinstance(part, Document):
        named = {"displayName": part.name} if part.name else {}
        if part.context:
            yield {"text": part.context}
        if part.text is not None:
            data = base64.b64encode(part.text.encode("utf-8", "replace")).decode()
            yield {"inlineData": {"mimeType": "text/plain", "data": data, **named}}
            return
    media_type = source.media_type or _MEDIA_TYPES[type(part)]
    if source.data is not None:
        yield {"inlineData": {"mimeType": media_type, "data": source.data, **named}}
    else:
        uri = source.url or source.file_id or ""
        yield {"fileData": {"mimeType": media_type, "fileUri": uri, **named}}
