"""Reads requests of `POST /v1/messages`.

`system` is the first turn, of the role `system`; such turns between others stay where they are.
Results of tools, which are blocks of a user's message here, are turns of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import InvalidRequest
from tierwise.wire.anthropic import blocks
from tierwise.wire.anthropic.blocks import NAME, CacheControl, read_mark
from tierwise.wire.anthropic.explain import explained, refused
from tierwise.wire.anthropic.output import OutputConfig, OutputFormat
from tierwise.wire.conversation import (
    Conversation,
    Foreign,
    Format,
    Part,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    Turn,
)
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_ABSENT = Raw(b"")
_ROLES = ("user", "assistant", "system")
_LEAST_BUDGET = 1024
"""Anthropic's least tokens to think with."""


class _Message(Struct):
    role: str
    content: str | list[Raw]


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Tool(Struct):
    name: str
    input_schema: Raw
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Request(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    system: str | list[Raw] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[Raw] | None = None
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    cache_control: CacheControl | None = None


_KNOWN = frozenset(_Request.__struct_fields__)
_OF_TOOLS = frozenset(_Tool.__struct_fields__)

_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode
_decode_kind = msgspec.json.Decoder(dict[str, Raw]).decode


def read_request(body: bytes, *, counting: bool = False) -> Conversation:
    """What a client asks.

    Args:
        counting: whether it only asks how many tokens that is, for which `max_tokens` is not
            needed (`POST /v1/messages/count_tokens`).

    Raises:
        InvalidRequest: the body is wrong; names the field, the value and the remedy.
    """
    try:
        check_text(body)
        asked = _decode_request(body)
        fields = _decode_fields(body)
        own = _own(fields)
    except UNREADABLE as error:
        raise explained(error, body) from None
    _check(asked, counting=counting)
    thinking = _read_thinking(asked, fields, own)
    tools, foreign_tools = _read_tools(asked.tools or [])
    choice = asked.tool_choice
    return Conversation(
        dialect=NAME,
        model=asked.model,
        turns=tuple(_read_turns(asked)),
        tools=tools,
        foreign_tools=foreign_tools,
        tool_choice=_read_choice(choice) if choice is not None else None,
        parallel_tools=None
        if choice is None or choice.disable_parallel_tool_use is None
        else not choice.disable_parallel_tool_use,
        format=_read_format(asked),
        thinking=thinking,
        sampling=Sampling(temperature=asked.temperature, top_p=asked.top_p, top_k=asked.top_k),
        max_tokens=asked.max_tokens,
        stop=tuple(asked.stop_sequences or ()),
        stream=bool(asked.stream),
        stream_usage=bool(asked.stream),
        user=asked.metadata.user_id if asked.metadata is not None else None,
        # The tier that is no better than others': what everybody else calls the default.
        service_tier="default" if asked.service_tier == "standard_only" else asked.service_tier,
        cache=read_mark(asked.cache_control),
        own=own,
    )


def _check(asked: _Request, *, counting: bool) -> None:
    if not asked.messages:
        raise InvalidRequest(
            "`messages` is empty. Send at least one message, for example "
            '[{"role": "user", "content": "Hello"}].',
            param="messages",
        )
    if asked.max_tokens is None and not counting:
        raise InvalidRequest(
            "`max_tokens` is missing. Send the most tokens that the answer may have, for example "
            "1024.",
            param="max_tokens",
        )
    if asked.max_tokens is not None and asked.max_tokens < 0:
        raise refused("max_tokens", "it must be at least 1.", asked.max_tokens)


def _read_turns(asked: _Request) -> Iterator[Turn]:
    if asked.system:
        yield Turn(role="system", parts=tuple(_read_parts(asked.system, "system")))
    for number, message in enumerate(asked.messages):
        at = f"messages[{number}]"
        if message.role not in _ROLES:
            raise refused(f"{at}.role", "it must be user, assistant or system.", message.role)
        parts = list(_read_parts(message.content, f"{at}.content"))
        if message.role == "user":
            yield from _of_user(parts)
        else:
            role: Role = "assistant" if message.role == "assistant" else "system"
            yield Turn(role=role, parts=tuple(parts))


def _of_user(parts: list[Part]) -> Iterator[Turn]:
    """What a user's message holds: results of tools are turns of their own."""
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    others = tuple(part for part in parts if not isinstance(part, ToolResult))
    if results:
        yield Turn(role="tool", parts=results)
    if others or not results:
        yield Turn(role="user", parts=others)


def _read_parts(content: str | list[Raw], at: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
        return
    for number, raw in enumerate(content):
        try:
            part = blocks.read_block(raw)
            if isinstance(part, ToolResult):
                part = _read_result(raw, part, f"{at}[{number}]")
        except UNREADABLE as error:
            raise explained(error, bytes(raw), f"{at}[{number}]") from None
        yield part


def _read_result(raw: Raw, part: ToolResult, at: str) -> ToolResult:
    block = blocks.decode_result(raw)
    parts = tuple(_read_parts(block.content, f"{at}.content")) if block.content else ()
    return replace(part, parts=parts, cache=read_mark(block.cache_control))


def _read_tools(raws: list[Raw]) -> tuple[tuple[Tool, ...], tuple[Foreign, ...]]:
    tools: list[Tool] = []
    foreign: list[Foreign] = []
    for number, raw in enumerate(raws):
        try:
            fields = _decode_kind(raw)
            kind = fields.get("type", _ABSENT)
            if given(kind) and bytes(kind) != b'"custom"':
                foreign.append(blocks.foreign(blocks.decode_type(raw).type, raw))
                continue
            tool = _decode_tool(raw)
        except UNREADABLE as error:
            raise explained(error, bytes(raw), f"tools[{number}]") from None
        tools.append(
            Tool(
                name=tool.name,
                description=tool.description,
                parameters=tool.input_schema,
                strict=tool.strict,
                cache=read_mark(tool.cache_control),
                hints={name: value for name, value in fields.items() if name not in _OF_TOOLS},
            )
        )
    return tuple(tools), tuple(foreign)


def _read_choice(choice: _Choice) -> ToolChoice:
    if choice.type == "tool":
        if not choice.name:
            raise InvalidRequest(
                "`tool_choice.name` is missing. Name the tool that must be called.",
                param="tool_choice.name",
            )
        return ToolChoice(mode="required", names=(choice.name,))
    match choice.type:
        case "auto" | "none":
            return ToolChoice(mode=choice.type)
        case "any":
            return ToolChoice(mode="required")
    raise refused("tool_choice.type", "it must be auto, any, tool or none.", choice.type)


def _read_format(asked: _Request) -> Format | None:
    output = asked.output_config
    at, wanted = "output_config.format", output.format if output is not None else None
    if wanted is None:
        at, wanted = "output_format", asked.output_format
    if wanted is None:
        return None
    if wanted.type != "json_schema":
        raise refused(f"{at}.type", "it must be json_schema.", wanted.type)
    if not given(wanted.schema):
        raise InvalidRequest(
            f"`{at}.schema` is missing. Send the JSON Schema that the answer must satisfy.",
            param=f"{at}.schema",
        )
    return Format(kind="schema", schema=wanted.schema, strict=True)


def _read_thinking(asked: _Request, fields: dict[str, Raw], own: dict[str, Raw]) -> Thinking | None:
    effort = asked.output_config.effort if asked.output_config is not None else None
    thinking = asked.thinking
    if thinking is None:
        return Thinking(effort=effort) if effort is not None else None
    shown = None if thinking.display is None else thinking.display != "omitted"
    match thinking.type:
        case "enabled":
            if thinking.budget_tokens is None:
                raise InvalidRequest(
                    "`thinking.budget_tokens` is missing. Send how many tokens the model may think "
                    f"with, at least {_LEAST_BUDGET}.",
                    param="thinking.budget_tokens",
                )
            if thinking.budget_tokens < 1:
                raise refused(
                    "thinking.budget_tokens",
                    f"it must be at least {_LEAST_BUDGET}.",
                    thinking.budget_tokens,
                )
            return Thinking(effort=effort, budget=thinking.budget_tokens, shown=shown)
        case "adaptive":
            return Thinking(effort=effort, budget=-1, shown=shown)
        case "disabled":
            return Thinking(effort=effort, budget=0, shown=shown)
    own["thinking"] = fields["thinking"]
    return Thinking(effort=effort) if effort is not None else None


def _own(fields: dict[str, Raw]) -> dict[str, Raw]:
    """What no other dialect has, of the request and of its wishes about the output."""
    own = {name: raw for name, raw in fields.items() if name not in _KNOWN and given(raw)}
    config = fields.get("output_config", _ABSENT)
    if given(config):
        for name, raw in _decode_fields(config).items():
            if name not in OutputConfig.__struct_fields__ and given(raw):
                own[f"output_config.{name}"] = raw
    return own
