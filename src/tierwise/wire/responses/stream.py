"""A stream of the Responses API, read.

What it says is in its deltas; servers that leave some out (compatible ones do) are believed by what
they say when an item is done. Events that are not known are passed over: the items that they are
about come whole at their end.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct, field

from tierwise.errors import ServerFailed
from tierwise.wire import sse
from tierwise.wire.conversation import Refusal, Text, ToolCall
from tierwise.wire.openai_chat import given
from tierwise.wire.responses import thoughts
from tierwise.wire.responses.answer import logprobs_of
from tierwise.wire.responses.content import read_annotation
from tierwise.wire.responses.reply import (
    CALLS,
    decode_body,
    failed,
    finish_of,
    kind_of,
    read_call,
    read_output,
    reported,
)
from tierwise.wire.responses.usage import read_usage
from tierwise.wire.responses.words import OURS
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

_NOTHING = Raw(b"")
_BEGINNINGS = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Event(Struct):
    """Any event. What not all of them have in the same form is decoded where it is known."""

    type: str = ""
    output_index: int = 0
    item_id: str | None = None
    delta: Raw = _NOTHING
    logprobs: Raw = _NOTHING
    item: Raw = _NOTHING
    annotation: Raw = _NOTHING
    response: Raw = _NOTHING
    error: Raw = _NOTHING
    message: Raw = _NOTHING


class _Begun(Struct):
    id: str = ""
    model: str = ""
    created_at: float = 0


class _Failure(Struct):
    message: str | None = None


class _Failed(Struct):
    error: _Failure | None = None


class _Item(Struct):
    """An output item of a stream, as far as it has come."""

    kind: str = ""
    id: str | None = None
    call: int | None = None
    said: bool = False
    cited: int = 0
    before: int = 0
    thought: set[bool] = field(default_factory=set)
    begins: bool = True
    done: bool = False


decode_event = msgspec.json.Decoder(_Event).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_tokens = msgspec.json.Decoder(list[Raw]).decode
_decode_begun = msgspec.json.Decoder(_Begun).decode
_decode_failed = msgspec.json.Decoder(_Failed).decode


class EventReader:
    """Reads one stream; see `tierwise.wire.dialect.EventReader`."""

    def __init__(self) -> None:
        self._began = False
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self._spoke = 0

    def read(self, block: bytes) -> list[Event]:
        """The events that a block of complete server-sent events says.

        Raises:
            UpstreamError: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """
        found: list[Event] = []
        for data in sse.payloads(block):
            found.extend(self._event(decode_event(data)))
        return found

    def _event(self, event: _Event) -> Iterable[Event]:
        match event.type:
            case "response.output_text.delta":
                return self._text(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._arguments(event)
            case "response.reasoning_summary_part.added":
                self._item(event).begins = True
                return []
            case "response.reasoning_summary_text.delta":
                return [self._thought(event, summary=True)]
            case "response.reasoning_text.delta":
                return [self._thought(event, summary=False)]
            case "response.refusal.delta":
                self._item(event).said = True
                return [RefusalPiece(text=_decode_text(event.delta))]
            case "response.output_text.annotation.added":
                item = self._item(event)
                item.cited += 1
                return [Cited(citation=read_annotation(event.annotation, item.before))]
            case "response.output_item.added":
                return self._added(event)
            case "response.output_item.done":
                return self._done(event)
            case kind if kind in _BEGINNINGS:
                return self._begin(event.response)
            case kind if kind in _ENDS:
                return self._end(event.response)
            case kind if kind == "error" or (not kind and given(event.error)):
                raise ServerFailed(_message(event), status=200)
        return []

    def _item(self, event: _Event) -> _Item:
        item = self._items.get(event.output_index)
        if item is None:
            item = self._items[event.output_index] = _Item(id=event.item_id)
        return item

    def _text(self, event: _Event) -> list[Event]:
        item = self._item(event)
        if not item.said:
            item.said, item.before = True, self._spoke
        text = _decode_text(event.delta)
        self._spoke += len(text)
        raw = event.logprobs
        if len(bytes(raw)) <= 4:  # none, null or []
            return [TextPiece(text=text, origin=OURS)]
        return [TextPiece(text=text, origin=OURS, logprobs=logprobs_of(_decode_tokens(raw)))]

    def _arguments(self, event: _Event) -> list[Event]:
        item = self._item(event)
        if item.call is None:
            return []  # of a call whose name is not known before it is done
        item.said = True
        return [ToolPiece(call=item.call, arguments=_decode_text(event.delta))]

    def _thought(self, event: _Event, *, summary: bool) -> ReasoningPiece:
        item = self._item(event)
        begins = item.begins or summary not in item.thought
        item.begins = False
        item.thought.add(summary)
        return ReasoningPiece(
            text=_decode_text(event.delta),
            origin=OURS,
            id=item.id or event.item_id,
            summary=summary,
            begins=begins,
        )

    def _added(self, event: _Event) -> list[Event]:
        kind = kind_of(event.item).type
        item = self._items[event.output_index] = _Item(kind=kind)
        if kind == "reasoning":
            item.id = msgspec.json.decode(event.item, type=_Begun).id or None
        if kind not in CALLS:
            return []
        call = read_call(event.item, custom=kind == "custom_tool_call")
        return self._call(item, call)

    def _call(self, item: _Item, call: ToolCall) -> list[Event]:
        item.call = index = self._calls
        self._calls += 1
        return [ToolBegan(call=index, id=call.id, name=call.name, origin=OURS, custom=call.custom)]

    def _done(self, event: _Event) -> list[Event]:
        """What an item says at its end that its deltas have not said."""
        kind = kind_of(event.item).type
        item = self._items.get(event.output_index)
        if item is None or not item.kind:
            known = item
            item = self._items[event.output_index] = _Item(kind=kind)
            if known is not None:
                item.said, item.thought = known.said, known.thought
        item.done = True
        if kind in CALLS:
            return self._call_done(item, read_call(event.item, custom=kind == "custom_tool_call"))
        if kind == "reasoning":
            return self._thought_done(item, event.item)
        if kind != "message":
            return [ForeignPiece(origin=OURS, what=kind, raw=event.item)]
        parts, logprobs = read_output([event.item], item.before if item.said else self._spoke)
        found: list[Event] = []
        for part in parts:
            if isinstance(part, Text):
                if not item.said:
                    self._spoke += len(part.text)
                    raw = logprobs_of(logprobs)
                    found.append(TextPiece(text=part.text, origin=OURS, logprobs=raw))
                found += [Cited(citation=one) for one in part.citations[item.cited :]]
                item.cited = max(0, item.cited - len(part.citations))
            elif isinstance(part, Refusal) and not item.said:
                found.append(RefusalPiece(text=part.text))
        item.said = True
        return found

    def _call_done(self, item: _Item, call: ToolCall) -> list[Event]:
        found: list[Event] = self._call(item, call) if item.call is None else []
        if not item.said and call.arguments:
            found.append(ToolPiece(call=item.call or 0, arguments=call.arguments))
        item.said = True
        return found

    def _thought_done(self, item: _Item, raw: Raw) -> list[Event]:
        found: list[Event] = []
        for one in thoughts.read_item(raw)[0]:
            if one.text and one.summary not in item.thought:
                found.append(
                    ReasoningPiece(
                        text=one.text, origin=OURS, id=one.id, summary=one.summary, begins=True
                    )
                )
            if one.redacted is not None:
                alone = not item.thought and not one.text
                found.append(
                    ReasoningPiece(
                        redacted=one.redacted, origin=OURS, id=one.id, begins=alone, summary=True
                    )
                )
        return found

    def _begin(self, raw: Raw) -> list[Event]:
        if self._began or not given(raw):
            return []
        self._began = True
        begun = _decode_begun(raw)
        return [Began(id=begun.id, model=begun.model, created=int(begun.created_at))]

    def _end(self, raw: Raw) -> list[Event]:
        answer = decode_body(raw)
        if failed(answer):
            why = _decode_failed(raw).error
            said = why.message if why is not None else None
            raise ServerFailed(said or "the provider gave up", status=200)
        found: list[Event] = list(self._begin(raw))
        found += self._unsaid(answer.output or [])
        usage = read_usage(answer.usage, with_cost=False)
        if usage is not None:
            found.append(Counted(usage=usage))
        finish = finish_of(answer, read_output(answer.output or [])[0])
        if finish in (None, "stop") and self._calls:  # some leave the output out at the end
            finish = "tool_calls"
        found.append(Ended(finish=finish or "stop", reported=reported(answer)))
        return found

    def _unsaid(self, output: list[Raw]) -> list[Event]:
        """What the whole answer says at the end that no event said before.

        OpenAI leaves out the end of an item at times, and some servers everything before the end.
        """
        found: list[Event] = []
        silent = not self._items
        for index, raw in enumerate(output):
            item = self._items.get(index)
            same = item is not None and not item.done and item.kind == kind_of(raw).type
            if silent or same:
                found += self._done(_Event(output_index=index, item=raw))
        return found


def _message(event: _Event) -> str:
    for raw in (event.message, event.error):
        if not given(raw):
            continue
        try:
            value = msgspec.json.decode(raw)
        except msgspec.MsgspecError:
            continue
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value:
            return value
    return "the stream reports an error"
