"""The items of `input` as turns of a conversation, and back."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import (
    Foreign,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from tierwise.wire.failing import in_words
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.content import read_content, write_annotation, write_input
from tierwise.wire.responses.invalid import explained
from tierwise.wire.responses.thoughts import Mark, grouped, read_item, write_item
from tierwise.wire.responses.words import OURS, REPLACEABLE, is_content
from tierwise.wire.unreadable import UNREADABLE


class _Kind(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None


class _Message(Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Raw]
    id: str | None = None


class _FunctionCall(Struct):
    call_id: str
    name: str
    arguments: str


class _CustomCall(Struct):
    call_id: str
    name: str
    input: str


class _Output(Struct):
    call_id: str
    output: str | list[Raw]
    name: str | None = None


_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_function = msgspec.json.Decoder(_FunctionCall).decode
_decode_custom = msgspec.json.Decoder(_CustomCall).decode
_decode_output = msgspec.json.Decoder(_Output).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_KNOWN = frozenset({"type", "role", "content", "call_id", "name", "arguments", "input", "output"})
_NOTHING = Raw(b"")


def read_items(items: list[Raw]) -> tuple[Turn, ...]:
    """The turns that the items are.

    What a model says at once (thoughts, a message, calls of tools) is one turn; another message of
    its own begins another.

    Raises:
        InvalidRequest: one of them is wrong.
    """
    turns = _Turns()
    for index, raw in enumerate(items):
        at = f"input[{index}]"
        try:
            _read_item(turns, raw, at)
        except UNREADABLE as error:
            raise explained(error, raw, at) from None
    turns.flush()
    return tuple(turns.done)


class _Turns:
    """Collects items as turns."""

    def __init__(self) -> None:
        self.done: list[Turn] = []
        self.mark: Mark | None = None
        self._said: list[Part] = []
        self._id: str | None = None
        self._hints = _NOTHING
        self._spoke = False

    def says(self, *parts: Part) -> None:
        """More of what the model says at once."""
        self._said += parts

    def message(self, parts: tuple[Part, ...], id: str | None, hints: Raw) -> None:
        """A message of the model's."""
        if self._spoke:
            self.flush()
        self._spoke = True
        self._id, self._hints = id, hints
        self._said += parts

    def other(self, turn: Turn) -> None:
        """Somebody else's turn."""
        self.flush()
        self.done.append(turn)

    def flush(self) -> None:
        """Ends what the model says at once."""
        if self._said or self._spoke:
            turn = Turn(role="assistant", parts=tuple(self._said), id=self._id, hints=self._hints)
            self.done.append(turn)
        self._said, self._id, self._hints, self._spoke = [], None, _NOTHING, False


def _read_item(turns: _Turns, raw: Raw, at: str) -> None:
    kind = _decode_kind(raw)
    match kind.type:
        case None if kind.role is None and kind.id is not None:
            turns.says(Foreign(origin=OURS, what="item_reference", raw=raw))
        case "message" | None:
            _read_message(turns, raw, at)
        case "function_call":
            call = _decode_function(raw)
            turns.says(_call(turns, raw, call.call_id, call.name, call.arguments))
        case "custom_tool_call":
            made = _decode_custom(raw)
            turns.says(_call(turns, raw, made.call_id, made.name, made.input, custom=True))
        case "function_call_output" | "custom_tool_call_output":
            output = _decode_output(raw)
            result = ToolResult(
                call_id=output.call_id,
                parts=read_content(output.output, f"{at}.output"),
                name=output.name or "",
                custom=kind.type == "custom_tool_call_output",
                hints=_hints(raw),
            )
            turns.other(Turn(role="tool", parts=(result,)))
        case "reasoning":
            thoughts, mark = read_item(raw)
            turns.mark = mark or turns.mark
            turns.says(*thoughts)
        case what if what.endswith(("_output", "_response")):
            turns.other(Turn(role="tool", parts=(Foreign(origin=OURS, what=what, raw=raw),)))
        case what:
            binding = what not in REPLACEABLE
            turns.says(Foreign(origin=OURS, what=what, raw=raw, binding=binding))


def _read_message(turns: _Turns, raw: Raw, at: str) -> None:
    message = _decode_message(raw)
    parts = read_content(message.content, f"{at}.content")
    hints = _hints(raw, besides="id")
    if message.role == "assistant":
        turns.message(parts, message.id, hints)
    else:
        turns.other(Turn(role=message.role, parts=parts, id=message.id, hints=hints))


def _call(
    turns: _Turns, raw: Raw, id: str, name: str, arguments: str, *, custom: bool = False
) -> ToolCall:
    mark, turns.mark = turns.mark, None
    return ToolCall(
        id=id,
        name=name,
        arguments=arguments,
        custom=custom,
        signature=mark.value if mark is not None else None,
        origin=mark.origin if mark is not None else OURS,
        hints=_hints(raw),
    )


def _hints(raw: Raw, besides: str = "") -> Raw:
    """The fields of an item that have no words of their own, such as `phase`."""
    fields = _decode_fields(raw)
    left = {
        name: value
        for name, value in fields.items()
        if name not in _KNOWN and name != besides and given(value)
    }
    return Raw(_encode(left)) if left else _NOTHING


def write_turns(turns: tuple[Turn, ...], *, ours: bool) -> list[object]:
    """The items of a request; `ours` says that they were items of this dialect before."""
    items: list[object] = []
    for turn in turns:
        if turn.role == "assistant":
            _write_said(items, turn, ours=ours)
        else:
            _write_heard(items, turn, ours=ours)
    return items


def _write_heard(items: list[object], turn: Turn, *, ours: bool) -> None:
    """A turn of somebody else's: results of tools, and the message beside them."""
    role = "user" if turn.role == "tool" else turn.role
    said: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            items.append(_write_result(part, ours=ours))
        elif isinstance(part, Foreign) and turn.role == "tool":
            if part.origin == OURS:
                items.append(part.raw)
        else:
            said.append(part)
    if said or not turn.parts:
        message: dict[str, object] = {"type": "message", "role": role}
        if ours:
            message.update(_unpacked(turn.hints))
            if turn.id is not None:
                message["id"] = turn.id
        items.append({**message, "content": _content(said, ours=ours)})


def _content(parts: list[Part] | tuple[Part, ...], *, ours: bool) -> object:
    """A single text as such, anything else as a list of pieces."""
    if len(parts) == 1:
        only = parts[0]
        if isinstance(only, Text) and (only.cache is None or not ours):
            return only.text
    return write_input(parts, marks=ours)


def _write_result(result: ToolResult, *, ours: bool) -> dict[str, object]:
    kind = "custom_tool_call_output" if result.custom else "function_call_output"
    parts = in_words(result)
    return {
        "type": kind,
        "call_id": result.call_id,
        "output": _content(parts, ours=ours) if parts else "",
        **(_unpacked(result.hints) if ours else {}),
        **({"name": result.name} if ours and result.name else {}),
    }


def _write_said(items: list[object], turn: Turn, *, ours: bool) -> None:
    """A turn of the model's: each run of text is a message, the first with the turn's id."""
    named: dict[str, object] = {}
    if ours:
        named.update(_unpacked(turn.hints))
        if turn.id is not None:
            named["id"] = turn.id
    thoughts = [one for one in turn.parts if isinstance(one, Reasoning) and one.origin == OURS]
    groups = {id(group[0]): group for group in grouped(thoughts)}
    said: list[object] = []

    def end() -> None:
        nonlocal named
        if said:
            items.append(_message(said, named))
            named = {}
            said.clear()

    for part in turn.parts:
        if isinstance(part, Text | Refusal):
            said.append(part)
            continue
        if isinstance(part, Foreign) and is_content(part.what):
            if part.origin == OURS:
                said.append(part)
            continue
        end()
        if isinstance(part, Reasoning):
            if id(part) in groups:
                items.append(write_item(groups[id(part)]))
        elif isinstance(part, ToolCall):
            items.append(write_call(part, _unpacked(part.hints) if ours else {}))
        elif isinstance(part, Foreign):
            if part.origin == OURS:
                items.append(part.raw)
        else:  # a picture of the model's: the only one who may show pictures is the user
            items.append(
                {"type": "message", "role": "user", "content": write_input([part], marks=False)}
            )
    end()


def _message(said: list[object], named: dict[str, object]) -> dict[str, object]:
    message: dict[str, object] = {"type": "message", "role": "assistant", **named}
    if not named and len(said) == 1 and isinstance(said[0], Text) and not said[0].citations:
        return {**message, "content": said[0].text}
    return {**message, "content": [_said(part) for part in said]}


def _said(part: object) -> object:
    if isinstance(part, Text):
        return write_text(part.text, annotations_of(part))
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    return part.raw if isinstance(part, Foreign) else None


def annotations_of(text: Text, begin: int = 0, before: int = 0) -> list[object]:
    """What a text's citations are in Responses; see `content.write_annotation`."""
    end = begin + len(text.text)
    found = (write_annotation(one, begin, end, before) for one in text.citations)
    return [one for one in found if one is not None]


def write_text(text: str, annotations: list[object]) -> dict[str, object]:
    """A piece of a message of the model's."""
    return {"type": "output_text", "text": text, "annotations": annotations}


def write_call(call: ToolCall, more: dict[str, Raw]) -> dict[str, object]:
    """The item of a call; `more` are further fields of it."""
    kind, name = ("custom_tool_call", "input") if call.custom else ("function_call", "arguments")
    arguments = call.arguments if call.custom else call.arguments or "{}"
    return {"type": kind, **more, "call_id": call.id, "name": call.name, name: arguments}


def _unpacked(hints: Raw) -> dict[str, Raw]:
    return _decode_fields(hints) if given(hints) else {}
