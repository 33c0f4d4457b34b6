"""`tools` and `tool_choice`: functions and custom tools have words everywhere, hosted ones here."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import Conversation, Foreign, Tool, ToolChoice
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.invalid import explained
from tierwise.wire.responses.words import OURS
from tierwise.wire.unreadable import UNREADABLE

_NOTHING = Raw(b"")
_ANYTHING = Raw(b'{"type":"object","properties":{}}')


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = _NOTHING
    strict: bool | None = None
    format: Raw = _NOTHING


class _Kind(Struct):
    type: str


class _Named(Struct):
    type: str
    name: str | None = None


class _Allowed(Struct):
    mode: str
    tools: list[_Named]


class _Grammar(Struct):
    grammar: Raw = _NOTHING


_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode
_decode_choice = msgspec.json.Decoder(str | _Named).decode
_decode_allowed = msgspec.json.Decoder(_Allowed).decode
_decode_grammar = msgspec.json.Decoder(_Grammar).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_KNOWN = frozenset({"type", "name", "description", "parameters", "strict", "format"})
_MODES = {
    "auto": ToolChoice(mode="auto"),
    "none": ToolChoice(mode="none"),
    "required": ToolChoice(mode="required"),
}
_OWN_KINDS = frozenset({"function", "custom"})


def read_tools(tools: list[Raw]) -> tuple[tuple[Tool, ...], tuple[Foreign, ...]]:
    """The tools that the caller runs, and those that the provider hosts.

    Raises:
        InvalidRequest: one of them is wrong.
    """
    own: list[Tool] = []
    hosted: list[Foreign] = []
    for index, raw in enumerate(tools):
        at = f"tools[{index}]"
        try:
            kind = _decode_kind(raw).type
            if kind in _OWN_KINDS:
                own.append(_read_tool(raw, at))
            else:
                hosted.append(Foreign(origin=OURS, what=kind, raw=raw))
        except UNREADABLE as error:
            raise explained(error, raw, at) from None
    return tuple(own), tuple(hosted)


def _read_tool(raw: Raw, at: str) -> Tool:
    tool = _decode_tool(raw)
    if not tool.name:
        raise InvalidRequest(
            f"`{at}.name` is missing. Add the name by which the model is to call it.",
            param=f"{at}.name",
        )
    custom = tool.type == "custom"
    return Tool(
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters if given(tool.parameters) and not custom else _NOTHING,
        strict=tool.strict,
        custom=custom,
        grammar=_deep(tool.format) if given(tool.format) and custom else _NOTHING,
        hints={
            name: value
            for name, value in _decode_fields(raw).items()
            if name not in _KNOWN and given(value)
        },
    )


def _deep(format: Raw) -> Raw:
    """A grammar as Chat Completions has it, one object deeper: so it is kept in the middle."""
    fields = _decode_fields(format)
    kind = fields.pop("type", _NOTHING)
    if bytes(kind) != b'"grammar"' or "definition" not in fields:
        return format
    return Raw(_encode({"type": kind, "grammar": fields}))


def read_choice(raw: Raw) -> ToolChoice | None:
    """Which tools are to be called; None if it is about hosted tools, which only Responses has.

    Raises:
        InvalidRequest: it is wrong.
    """
    try:
        choice = _decode_choice(raw)
        if isinstance(choice, str):
            return _mode(choice)
        if choice.type in _OWN_KINDS:
            if not choice.name:
                raise InvalidRequest(
                    "`tool_choice.name` is missing. Add the name of the tool.",
                    param="tool_choice.name",
                )
            return ToolChoice(mode="required", names=(choice.name,))
        if choice.type != "allowed_tools":
            return None
        allowed = _decode_allowed(raw)
    except UNREADABLE as error:
        raise explained(error, bytes(raw), "tool_choice") from None
    names = [one.name for one in allowed.tools if one.type in _OWN_KINDS and one.name]
    if len(names) < len(allowed.tools) or not names:
        return None
    return ToolChoice(mode="required" if allowed.mode == "required" else "auto", names=tuple(names))


def _mode(choice: str) -> ToolChoice:
    mode = _MODES.get(choice)
    if mode is not None:
        return mode
    raise InvalidRequest(
        f'`tool_choice` is "{choice}". Send "auto", "none", "required", or an object that names a '
        "tool.",
        param="tool_choice",
    )


def write_tools(asked: Conversation) -> list[object]:
    """The tools of a request."""
    ours = asked.dialect == OURS
    tools: list[object] = [_write_tool(tool, ours=ours) for tool in asked.tools]
    return tools + [one.raw for one in asked.foreign_tools if one.origin == OURS]


def _write_tool(tool: Tool, *, ours: bool) -> dict[str, object]:
    written: dict[str, object] = {"type": "custom" if tool.custom else "function"}
    written["name"] = tool.name
    if tool.description is not None:
        written["description"] = tool.description
    if tool.custom:
        if given(tool.grammar):
            written["format"] = _flat(tool.grammar)
    else:
        written["parameters"] = tool.parameters if given(tool.parameters) else _ANYTHING
        # Left out, it means true here and false everywhere else:
        # https://platform.openai.com/docs/guides/migrate-to-responses
        if tool.strict is not None or not ours:
            written["strict"] = bool(tool.strict)
    if ours:
        written.update(tool.hints)
    return written


def _flat(grammar: Raw) -> object:
    """A grammar as Responses has it."""
    try:
        inner = _decode_grammar(grammar).grammar
        return {"type": "grammar", **_decode_fields(inner)} if given(inner) else grammar
    except UNREADABLE:
        return grammar


def write_choice(asked: Conversation) -> object | None:
    """The field `tool_choice`; None for none."""
    own = asked.own.get("tool_choice") if asked.dialect == OURS else None
    if own is not None:
        return own
    choice = asked.tool_choice
    if choice is None:
        return None
    custom = {tool.name for tool in asked.tools if tool.custom}
    named = [
        {"type": "custom" if name in custom else "function", "name": name} for name in choice.names
    ]
    if not named or choice.mode == "none":
        return choice.mode
    if len(named) == 1 and choice.mode == "required":
        return named[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": named}
