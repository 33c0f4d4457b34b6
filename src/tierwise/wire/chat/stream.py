"""Streams of Chat Completions: what each chunk says."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import ServerFailed
from tierwise.wire import sse
from tierwise.wire.chat.citations import citations_in
from tierwise.wire.chat.endings import read_finish
from tierwise.wire.chat.reply import Call, Function, Said
from tierwise.wire.chat.thoughts import NAME, Detail, details_in, origin_of, signature_in
from tierwise.wire.openai_chat import given
from tierwise.wire.openai_usage import read_usage
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

_ABSENT = Raw(b"")
_MAX_ERROR = 500


class _Choice(Struct):
    index: int | None = 0
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: Raw = _ABSENT


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: Raw = _ABSENT
    error: Raw = _ABSENT


_decode = msgspec.json.Decoder(_Chunk).decode


class ChunkReader:
    """Reads one stream."""

    __slots__ = ("_began", "_choices")

    def __init__(self) -> None:
        self._began = False
        self._choices: dict[int, _Told] = {}

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says.

        Raises:
            ServerFailed: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """
        events: list[Event] = []
        for data in sse.payloads(block):
            self._chunk(_decode(data), events)
        return events

    def _chunk(self, chunk: _Chunk, events: list[Event]) -> None:
        if given(chunk.error):
            text = bytes(chunk.error).decode("utf-8", "replace")[:_MAX_ERROR]
            raise ServerFailed(f"the stream reports an error: {text}", status=200)
        # Azure begins with a chunk that says only what it thinks of the prompt.
        if not self._began and (chunk.choices or chunk.model):
            self._began = True
            began = Began(
                id=chunk.id or "", model=chunk.model or "", created=int(chunk.created or 0)
            )
            events.append(began)
        for choice in chunk.choices or ():
            index = choice.index or 0
            told = self._choices.get(index)
            if told is None:
                told = self._choices[index] = _Told(index)
            told.read(choice, events)
        if given(chunk.usage):
            usage = read_usage(chunk.usage, with_cost=False)
            if usage is not None:
                events.append(Counted(usage=usage))


class _Told:
    """What one choice has told so far."""

    __slots__ = ("_begun", "_calls", "_ended", "_index", "_part", "_refused")

    def __init__(self, index: int) -> None:
        self._index = index
        self._calls: dict[int, _Begun] = {}
        self._begun = 0
        self._part: tuple[int | None, str | None, str] | None = None
        self._refused = False
        self._ended = False

    def read(self, choice: _Choice, events: list[Event]) -> None:
        """What a chunk says of the choice."""
        delta = choice.delta
        if delta is not None:
            self._delta(delta, choice.logprobs, events)
        if choice.finish_reason and not self._ended:
            self._ended = True
            for begun in self._calls.values():
                self._name(begun, events)
            finish = read_finish(
                choice.finish_reason, called=bool(self._calls), refused=self._refused
            )
            events.append(Ended(finish=finish, choice=self._index, reported=choice.finish_reason))

    def _delta(self, delta: Said, logprobs: Raw, events: list[Event]) -> None:
        index = self._index
        details = details_in(delta.reasoning_details) if len(delta.reasoning_details) else []
        for detail in details:
            self._detail(detail, events)
        if not details and (thought := delta.thought):
            self._think(thought, events)
        content = delta.content
        if content and not isinstance(content, str):
            for piece in content:
                if piece.thought:
                    self._think(piece.thought, events)
            content = "".join(piece.text or "" for piece in content)
        has_logprobs = given(logprobs)
        signature = signature_in(delta.extra_content) if len(delta.extra_content) else None
        if content or has_logprobs or signature is not None:
            events.append(
                TextPiece(
                    text=content if isinstance(content, str) else "",
                    choice=index,
                    signature=signature,
                    origin="gemini" if signature is not None else "",
                    logprobs=logprobs if has_logprobs else _ABSENT,
                )
            )
        if delta.refusal:
            self._refused = True
            events.append(RefusalPiece(text=delta.refusal, choice=index))
        if delta.tool_calls:
            for number, call in enumerate(delta.tool_calls):
                self._call(call, number, events)
        elif delta.function_call is not None:
            self._call(_as_call(delta.function_call), 0, events)
        if len(delta.annotations):
            cited = citations_in(delta.annotations)
            events += [Cited(citation=citation, choice=index) for citation in cited]
        for name, raw in delta.others():
            events.append(ForeignPiece(origin=NAME, what=name, raw=raw, choice=index))

    def _think(self, text: str, events: list[Event]) -> None:
        events.append(
            ReasoningPiece(text=text, origin=NAME, begins=self._part is None, choice=self._index)
        )
        self._part = self._part or (None, None, "reasoning.text")

    def _detail(self, detail: Detail, events: list[Event]) -> None:
        """A piece of a thought. Those of the same index and format belong together, and what only
        the provider can read belongs to what can be read of it."""
        part = (detail.index, detail.format or (self._part and self._part[1]), detail.type)
        summary = detail.type == "reasoning.summary"
        if detail.index is None and self._part is not None:
            begins = False
        else:
            begins = self._part is None or self._part[0] != part[0]
        self._part = part
        piece = ReasoningPiece(
            text=(detail.summary if summary else detail.text) or "",
            signature=detail.signature or None,
            redacted=detail.data or None,
            origin=origin_of(part[1]),
            id=detail.id,
            summary=summary,
            begins=begins,
            choice=self._index,
        )
        if begins or piece.text or piece.signature or piece.redacted:
            events.append(piece)

    def _call(self, call: Call, number: int, events: list[Event]) -> None:
        """A piece of a call. Some give calls that come whole one and the same index, or none."""
        place = call.index if call.index is not None else number
        begun = self._calls.get(place)
        if begun is None or (call.name and call.id and begun.id not in ("", call.id)):
            if begun is not None:
                self._name(begun, events)
            begun = self._calls[place] = _Begun(self._begun, call)
            self._begun += 1
        begun.id = begun.id or call.id or ""
        begun.name = begun.name or call.name
        if begun.name and not begun.told:
            self._name(begun, events)
        arguments = call.arguments
        if not begun.told:
            begun.waiting += arguments
        elif arguments:
            events.append(ToolPiece(call=begun.call, arguments=arguments, choice=self._index))

    def _name(self, begun: _Begun, events: list[Event]) -> None:
        """Says that a call begins, with what came of its arguments before its name."""
        if begun.told:
            return
        begun.told = True
        events.append(
            ToolBegan(
                call=begun.call,
                id=begun.id or f"call_{self._index}_{begun.call}",
                name=begun.name,
                choice=self._index,
                custom=begun.custom,
                signature=begun.signature,
                origin="gemini" if begun.signature is not None else "",
            )
        )
        if begun.waiting:
            events.append(ToolPiece(call=begun.call, arguments=begun.waiting, choice=self._index))


class _Begun:
    """A call that has begun."""

    __slots__ = ("call", "custom", "id", "name", "signature", "told", "waiting")

    def __init__(self, number: int, first: Call) -> None:
        self.call = number
        self.id = ""
        self.name = ""
        self.custom = first.custom is not None
        self.signature = first.signature
        self.told = False
        self.waiting = ""


def _as_call(function: Function) -> Call:
    return Call(index=0, function=function)
