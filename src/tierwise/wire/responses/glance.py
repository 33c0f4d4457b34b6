"""A glance at requests of `POST /v1/responses`: see `wire.glance`."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Message, Part, Task
from tierwise.wire.glance import Unusual, said, thinks
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.request import LOGPROBS
from tierwise.wire.responses.words import OURS
from tierwise.wire.unreadable import UNREADABLE

_ABSENT = Raw(b"")
_OTHERS = frozenset({"user", "system", "developer"})
_TEXTS = frozenset({"input_text", "output_text", "text"})


class _Piece(Struct):
    type: str
    text: str | None = None
    image_url: str | None = None
    file_id: str | None = None


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    content: str | list[_Piece] | None = None
    output: str | list[_Piece] | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Format(Struct):
    type: str = "text"
    schema: Raw = _ABSENT


class _Wording(Struct):
    format: _Format | None = None


class _Request(Struct):
    model: str
    input: str | list[_Item]
    instructions: str | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    text: _Wording | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: int | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    conversation: Raw = _ABSENT


_decode = msgspec.json.Decoder(_Request).decode


def glance(body: bytes) -> Task | None:
    """The task that a body asks; None where only a whole reading tells."""
    try:
        if not body.isascii():
            body.decode()
        asked = _decode(body)
        limit, top = asked.max_output_tokens, asked.top_logprobs
        usual = (limit is None or limit >= 1) and (top is None or 0 <= top <= 20)
        if not usual or given(asked.conversation) or asked.input == []:
            return None
        wanted = asked.text.format if asked.text is not None else None
        return Task(
            body=body,
            dialect=OURS,
            model=asked.model,
            messages=_messages(asked),
            stream=bool(asked.stream),
            wants_stream_usage=bool(asked.stream),
            max_output_tokens=limit,
            tools=bool(asked.tools),
            logprobs=bool(top) or LOGPROBS in (asked.include or ()),
            reasoning=_reasons(asked.reasoning),
            json_mode=wanted is not None and wanted.type == "json_object",
            json_schema=_schema(wanted),
        )
    except (*UNREADABLE, Unusual):
        return None


def _messages(asked: _Request) -> list[Message]:
    turns = _Turns()
    if asked.instructions is not None:
        turns.done.append(Message("system", asked.instructions))
    if isinstance(asked.input, str):
        turns.done.append(Message("user", asked.input))
        return turns.done
    for item in asked.input:
        _read(turns, item)
    turns.flush()
    return turns.done


class _Turns:
    """Collects items as turns: see `items.read_items`."""

    __slots__ = ("_parts", "_spoke", "_thought", "_turn", "done")

    def __init__(self) -> None:
        self.done: list[Message] = []
        self._parts: list[Part] = []
        self._turn = self._spoke = self._thought = False

    def says(self) -> None:
        """The model says something that analysis does not read."""
        self._turn = True

    def thinks(self) -> None:
        """The model thinks, which may be of no consequence."""
        self._thought = True

    def message(self, parts: list[Part]) -> None:
        """A message of the model's."""
        if self._spoke:
            self.flush()
        self._turn = self._spoke = True
        self._parts += parts

    def other(self, turn: Message) -> None:
        """Somebody else's turn."""
        self.flush()
        self.done.append(turn)

    def flush(self) -> None:
        """Ends what the model says at once."""
        if not (self._turn or self._thought):
            return
        if self._turn:
            self.done.append(said("assistant", self._parts))
        else:
            raise Unusual  # whether that is a turn depends on the thoughts
        self._parts = []
        self._turn = self._spoke = self._thought = False


def _read(turns: _Turns, item: _Item) -> None:
    match item.type:
        case None if item.role is None and item.id is not None:
            turns.says()
        case "message" | None:
            if item.role == "assistant":
                turns.message(_parts(item.content))
            elif item.role not in _OTHERS:
                raise Unusual
            elif isinstance(item.content, str):
                turns.other(Message(item.role, item.content))
            else:
                turns.other(said(item.role, _parts(item.content)))
        case "function_call_output" | "custom_tool_call_output":
            turns.other(said("tool", _parts(item.output)))
        case "reasoning":
            turns.thinks()
        case kind if kind.endswith(("_output", "_response")):
            turns.other(said("tool", []))
        case _:
            turns.says()


def _parts(content: str | list[_Piece] | None) -> list[Part]:
    if content is None:
        raise Unusual
    if isinstance(content, str):
        return [Part("text", content)]
    return [_part(piece) for piece in content]


def _part(piece: _Piece) -> Part:
    if piece.type in _TEXTS and piece.text is not None:
        return Part("text", piece.text)
    if piece.type == "input_image" and (piece.image_url is not None or piece.file_id is not None):
        return Part("image_url")
    raise Unusual


def _reasons(asked: _Reasoning | None) -> bool:
    if asked is None:
        return False
    shown = asked.summary or asked.generate_summary
    return (asked.effort is not None or shown is not None) and thinks(asked.effort, None)


def _schema(wanted: _Format | None) -> bytes | None:
    if wanted is None or wanted.type != "json_schema":
        return None
    if not given(wanted.schema):
        raise Unusual
    return bytes(wanted.schema)
