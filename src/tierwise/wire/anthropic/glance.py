"""A glance at requests of `POST /v1/messages`: see `wire.glance`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Message, Part, Task
from tierwise.wire.anthropic.blocks import NAME
from tierwise.wire.anthropic.output import OutputConfig, OutputFormat
from tierwise.wire.glance import Unusual, said, thinks
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

_ABSENT = Raw(b"")
_IMAGE, _FILE = Part("image_url"), Part("file")
_FIELD_OF = {"base64": "data", "url": "url", "file": "file_id"}
"""Where the bytes of a source stand."""


class _Source(Struct):
    type: str
    data: Raw = _ABSENT
    url: Raw = _ABSENT
    file_id: Raw = _ABSENT

    @property
    def is_known(self) -> bool:
        field = _FIELD_OF.get(self.type)
        return field is not None and given(getattr(self, field))


class _Block(Struct):
    type: str
    text: str | None = None
    source: _Source | None = None
    content: str | list[_Block] | None = None


class _Message(Struct):
    role: str
    content: str | list[_Block]


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None


class _Request(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int
    system: str | list[_Block] | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    thinking: _Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None


_decode = msgspec.json.Decoder(_Request).decode
_decode_text = msgspec.json.Decoder(str).decode


def glance(body: bytes) -> Task | None:
    """The task that a body asks; None where only a whole reading tells."""
    try:
        asked = _decode(body)
        if not asked.messages or asked.max_tokens < 0:
            return None
        schema = _schema(asked)
        return Task(
            body=body,
            dialect=NAME,
            model=asked.model,
            messages=list(_messages(asked)),
            stream=bool(asked.stream),
            wants_stream_usage=bool(asked.stream),
            max_output_tokens=asked.max_tokens,
            tools=bool(asked.tools),
            reasoning=_reasons(asked),
            json_schema=schema,
        )
    except (*UNREADABLE, Unusual):
        return None


def _messages(asked: _Request) -> Iterator[Message]:
    if asked.system:
        yield _said("system", asked.system)
    for message in asked.messages:
        content = message.content
        if message.role == "user":
            if isinstance(content, str):
                yield Message("user", content)
            else:
                yield from _of_user(content)
        elif message.role in ("assistant", "system"):
            yield _said(message.role, content)
        else:
            raise Unusual


def _said(role: str, content: str | list[_Block]) -> Message:
    return Message(role, content) if isinstance(content, str) else said(role, _parts(content))


def _of_user(content: list[_Block]) -> Iterator[Message]:
    """Results of tools are turns of their own."""
    results = [block for block in content if block.type == "tool_result"]
    if results:
        yield said("tool", _parts(results))
        content = [block for block in content if block.type != "tool_result"]
    if content or not results:
        yield said("user", _parts(content))


def _parts(blocks: list[_Block]) -> list[Part]:
    parts: list[Part] = []
    for block in blocks:
        match block.type:
            case "text":
                if block.text is None:
                    raise Unusual
                parts.append(Part("text", block.text))
            case "tool_result":
                if isinstance(block.content, str):
                    if block.content:
                        parts.append(Part("text", block.content))
                else:
                    parts += _parts(block.content or [])
            case "image":
                if block.source is None:
                    raise Unusual
                if block.source.is_known:
                    parts.append(_IMAGE)
            case "document":
                parts.append(_document(block.source))
    return parts


def _document(source: _Source | None) -> Part:
    if source is not None and source.type == "text" and given(source.data):
        return Part("text", _decode_text(source.data))
    if source is None or not source.is_known:
        raise Unusual
    return _FILE


def _reasons(asked: _Request) -> bool:
    effort = asked.output_config.effort if asked.output_config is not None else None
    thinking = asked.thinking
    if thinking is None:
        return effort is not None and thinks(effort, None)
    match thinking.type:
        case "enabled":
            if thinking.budget_tokens is None or thinking.budget_tokens < 1:
                raise Unusual
            return thinks(effort, thinking.budget_tokens)
        case "adaptive":
            return thinks(effort, -1)
        case "disabled":
            return thinks(effort, 0)
    raise Unusual


def _schema(asked: _Request) -> bytes | None:
    output = asked.output_config
    wanted = output.format if output is not None and output.format else asked.output_format
    if wanted is None:
        return None
    if wanted.type != "json_schema" or not given(wanted.schema):
        raise Unusual
    return bytes(wanted.schema)
