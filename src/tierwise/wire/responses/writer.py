"""A stream of the Responses API, written: every event in its order, with its number.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct, field

from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.conversation import Citation, Conversation, Reasoning, ToolCall
from tierwise.wire.openai_chat import given
from tierwise.wire.responses import thoughts
from tierwise.wire.responses.answer import (
    ended,
    item_id,
    message,
    response_id,
    response_of,
    status_of,
    tokens_of,
)
from tierwise.wire.responses.content import write_annotation
from tierwise.wire.responses.items import write_call, write_text
from tierwise.wire.responses.reply import marking
from tierwise.wire.responses.words import OURS
from tierwise.wire.spoken import (
    Began,
    Cited,
    Counted,
    Ended,
    Event,
    Finish,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

_encode = msgspec.json.Encoder().encode
_DELTA = (
    b'event: response.%b.delta\ndata: {"type":"response.%b.delta","sequence_number":%d,'
    b'"item_id":%b,"output_index":%d%b,"delta":%b%b}\n\n'
)
"""Most events of a stream are such, so they are not put together from their fields."""
_NO_TOKENS = b',"logprobs":[]'


class _Said(Struct):
    """A piece of a message that is being said."""

    refusal: bool
    text: list[str] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    logprobs: list[Raw] = field(default_factory=list)


class _Message(Struct):
    index: int
    id: str
    before: int
    content: list[object] = field(default_factory=list)
    said: _Said | None = None


class _Thought(Struct):
    index: int
    id: str
    source: str | None
    origin: str
    texts: list[tuple[bool, list[str]]] = field(default_factory=list)
    encrypted: str | None = None
    open: bool = False


class _Call(Struct):
    index: int
    id: str
    began: ToolBegan
    arguments: list[str] = field(default_factory=list)


_Place = _Message | _Thought | _Call


class EventWriter:
    """Writes one stream; see `tierwise.wire.dialect.EventWriter`.

    A message, or a thought, ends when something else begins. Calls of tools end with the stream,
    because some providers say several at once.
    """

    def __init__(self, asked: Conversation) -> None:
        self._asked = asked
        self._response: dict[str, object] = {}
        self._id = ""
        self._number = 0
        self._output: list[object] = []
        self._message: _Message | None = None
        self._thought: _Thought | None = None
        self._calls: dict[int, _Call] = {}
        self._spoke = 0
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._out: list[bytes] = []

    def write(self, events: Iterable[Event]) -> bytes:
        """The server-sent events that say so; b"" while nothing can be said yet."""
        for event in events:
            self._write(event)
        return self._given()

    def close(self) -> bytes:
        """What ends the stream when all was written."""
        self._begin("", "", 0)
        self._end_thought()
        self._end_message()
        for call in self._calls.values():
            self._end_call(call)
        whole = ended(self._response, self._output, self._finish, self._usage)
        self._emit(f"response.{whole['status']}", response=whole)
        return self._given()

    def _given(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _emit(self, kind: str, **fields: object) -> None:
        data = _encode({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        # What the caller asked for is told as it was written, which may be in several lines.
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), sse.one_line(data)))

    def _emit_delta(
        self, kind: bytes, at: _Place, text: str, place: bytes = b"", rest: bytes = b""
    ) -> None:
        """Says more of what an item says.

        Args:
            place: fields that say where in the item.
            rest: those that follow the text.
        """
        number, self._number = self._number, self._number + 1
        said = (kind, kind, number, _encode(at.id), at.index, place, _encode(text), rest)
        self._out.append(_DELTA % said)

    def _write(self, event: Event) -> None:
        if not isinstance(event, (Began, Counted, Ended)):
            if not self._response:
                self._begin("", "", 0)
            if event.choice != 0:
                return  # there is no word for another answer
        match event:
            case TextPiece():
                self._text(event)
            case RefusalPiece():
                self._refusal(event.text)
            case ToolPiece():
                self._arguments(event)
            case ReasoningPiece():
                self._think(event)
            case ToolBegan():
                self._call(event)
            case Cited():
                self._cite(event.citation)
            case ForeignPiece():
                self._foreign(event)
            case Began():
                self._begin(event.id, event.model, event.created)
                self._usage = event.usage or self._usage
            case Counted():
                self._usage = event.usage
            case Ended():
                if event.choice == 0:
                    self._finish = event.finish

    def _begin(self, id: str, model: str, created: int) -> None:
        if self._response:
            return
        self._id = response_id(id)
        self._response = response_of(
            self._asked,
            id=self._id,
            model=model or self._asked.model,
            created=created or int(time.time()),
        )
        self._emit("response.created", response=self._response)
        self._emit("response.in_progress", response=self._response)

    def _add(self, item: dict[str, object]) -> int:
        """Says that an item begins; gives its index."""
        index = len(self._output)
        self._output.append(item)
        self._emit("response.output_item.added", output_index=index, item=item)
        return index

    def _done(self, index: int, item: object) -> None:
        self._output[index] = item
        self._emit("response.output_item.done", output_index=index, item=item)

    def _new(self, kind: str) -> str:
        return item_id(kind, self._id, len(self._output))

    # A message and its pieces.

    def _piece(self, *, refusal: bool) -> tuple[_Message, _Said]:
        """The piece that is being said, or a new one."""
        self._end_thought()
        at = self._message
        if at is None:
            id = self._new("msg")
            index = self._add(message(id, [], "in_progress"))
            at = self._message = _Message(index=index, id=id, before=self._spoke)
        if at.said is not None and at.said.refusal is not refusal:
            self._end_piece(at)
        if at.said is None:
            at.said = _Said(refusal=refusal)
            self._emit("response.content_part.added", **self._place(at), part=_part(at.said))
        return at, at.said

    def _place(self, at: _Message) -> dict[str, object]:
        return {"item_id": at.id, "output_index": at.index, "content_index": len(at.content)}

    def _text(self, event: TextPiece) -> None:
        text, rest = event.text, _NO_TOKENS
        if not text and not given(event.logprobs):
            return
        at, said = self._piece(refusal=False)
        said.text.append(text)
        self._spoke += len(text)
        if len(event.logprobs):
            tokens = tokens_of(event.logprobs)
            said.logprobs += tokens
            rest = b',"logprobs":' + sse.one_line(_encode(tokens))
        self._emit_delta(b"output_text", at, text, b',"content_index":%d' % len(at.content), rest)

    def _refusal(self, text: str) -> None:
        at, said = self._piece(refusal=True)
        said.text.append(text)
        self._emit_delta(b"refusal", at, text, b',"content_index":%d' % len(at.content))

    def _cite(self, citation: Citation) -> None:
        at, said = self._piece(refusal=False)
        length = sum(map(len, said.text))
        annotation = write_annotation(citation, 0, length, at.before)
        if annotation is None:
            return
        self._emit(
            "response.output_text.annotation.added",
            **self._place(at),
            annotation_index=len(said.annotations),
            annotation=annotation,
        )
        said.annotations.append(annotation)

    def _end_piece(self, at: _Message) -> None:
        said = at.said
        if said is None:
            return
        text, part = "".join(said.text), _part(said)
        if said.refusal:
            self._emit("response.refusal.done", **self._place(at), refusal=text)
        else:
            self._emit(
                "response.output_text.done", **self._place(at), text=text, logprobs=said.logprobs
            )
        self._emit("response.content_part.done", **self._place(at), part=part)
        at.content.append(part)
        at.said = None

    def _end_message(self) -> None:
        at = self._message
        if at is not None:
            self._end_piece(at)
            self._done(at.index, message(at.id, at.content, status_of(self._finish)))
            self._message = None

    # What the model thinks.

    def _think(self, piece: ReasoningPiece) -> None:
        self._end_message()
        at = self._thought
        another = at is not None and (
            at.origin != piece.origin
            or (piece.id is not None and piece.id != at.source)
            or (piece.begins and (piece.id is None or at.encrypted is not None))
        )
        if another:
            self._end_thought()
            at = None
        if at is None:
            ours = piece.origin == OURS
            id = piece.id if ours and piece.id else self._new("rs")
            index = self._add({"type": "reasoning", "id": id, "summary": []})
            at = _Thought(index=index, id=id, source=piece.id, origin=piece.origin)
            self._thought = at
        if piece.text:
            self._think_aloud(at, piece)
        if piece.signature is not None or piece.redacted is not None:
            self._seal(at, piece)

    def _think_aloud(self, at: _Thought, piece: ReasoningPiece) -> None:
        if not at.open or piece.begins or at.texts[-1][0] is not piece.summary:
            self._end_text_of(at)
            at.texts.append((piece.summary, []))
            at.open = True
            kind = "reasoning_summary_part" if piece.summary else "content_part"
            self._emit(f"response.{kind}.added", **_where(at), part=_thought_part(piece.summary))
        at.texts[-1][1].append(piece.text)
        name, count = _count_of(at)
        said = b"reasoning_summary_text" if piece.summary else b"reasoning_text"
        self._emit_delta(said, at, piece.text, b',"%b":%d' % (name.encode(), count))

    def _seal(self, at: _Thought, piece: ReasoningPiece) -> None:
        if piece.redacted is not None:
            hidden = thoughts.encrypted(Reasoning(redacted=piece.redacted, origin=at.origin))
            at.encrypted = hidden
        elif at.encrypted is None:
            at.encrypted = thoughts.encrypted(
                Reasoning(signature=piece.signature, origin=at.origin)
            )
        else:
            at.encrypted += piece.signature or ""

    def _end_text_of(self, at: _Thought) -> None:
        if not at.open:
            return
        summary, texts = at.texts[-1]
        text = "".join(texts)
        kind = "reasoning_summary_text" if summary else "reasoning_text"
        self._emit(f"response.{kind}.done", **_where(at), text=text)
        kind = "reasoning_summary_part" if summary else "content_part"
        self._emit(f"response.{kind}.done", **_where(at), part=_thought_part(summary, text))
        at.open = False

    def _end_thought(self) -> None:
        at = self._thought
        if at is None:
            return
        self._thought = None
        self._end_text_of(at)
        said = [
            Reasoning(text="".join(texts), origin=at.origin, id=at.id, summary=summary)
            for summary, texts in at.texts
        ]
        item = thoughts.write_item(said or [Reasoning(id=at.id, origin=at.origin)], at.id)
        if at.encrypted is not None:
            item["encrypted_content"] = at.encrypted
        self._done(at.index, item)

    # Calls of tools, and what only Responses knows.

    def _call(self, began: ToolBegan) -> None:
        self._end_thought()
        self._end_message()
        if began.signature is not None and began.origin != OURS:
            mark = thoughts.Mark(began.origin, "piece", began.signature)
            item = marking(mark, self._new("rs"))
            self._done(self._add(item), item)
        id = self._new("ctc" if began.custom else "fc")
        index = self._add(_call_item(began, id, "", "in_progress"))
        self._calls[began.call] = _Call(index=index, id=id, began=began)

    def _arguments(self, piece: ToolPiece) -> None:
        call = self._calls.get(piece.call)
        if call is None:
            return
        call.arguments.append(piece.arguments)
        kind = b"custom_tool_call_input" if call.began.custom else b"function_call_arguments"
        self._emit_delta(kind, call, piece.arguments)

    def _end_call(self, call: _Call) -> None:
        said = "".join(call.arguments)
        item = _call_item(call.began, call.id, said, status_of(self._finish))
        place = {"item_id": call.id, "output_index": call.index}
        if call.began.custom:
            self._emit("response.custom_tool_call_input.done", **place, input=said)
        else:
            name = call.began.name
            self._emit(
                "response.function_call_arguments.done",
                **place,
                name=name,
                arguments=item["arguments"],
            )
        self._done(call.index, item)

    def _foreign(self, piece: ForeignPiece) -> None:
        if piece.origin != OURS:
            return
        self._end_thought()
        self._end_message()
        index = len(self._output)
        self._output.append(piece.raw)
        self._emit("response.output_item.added", output_index=index, item=piece.raw)
        self._done(index, piece.raw)


def _part(said: _Said) -> dict[str, object]:
    text = "".join(said.text)
    if said.refusal:
        return {"type": "refusal", "refusal": text}
    return {**write_text(text, list(said.annotations)), "logprobs": list(said.logprobs)}


def _where(at: _Thought) -> dict[str, object]:
    """The place of the text that was begun last."""
    name, count = _count_of(at)
    return {"item_id": at.id, "output_index": at.index, name: count}


def _count_of(at: _Thought) -> tuple[str, int]:
    """Which of an item's texts was begun last; summaries and contents are counted apart."""
    summary = at.texts[-1][0]
    count = sum(one[0] is summary for one in at.texts) - 1
    return "summary_index" if summary else "content_index", count


def _thought_part(summary: bool, text: str = "") -> dict[str, object]:
    return {"type": "summary_text" if summary else "reasoning_text", "text": text}


def _call_item(began: ToolBegan, id: str, said: str, status: str) -> dict[str, object]:
    call = ToolCall(id=began.id, name=began.name, arguments=said, custom=began.custom)
    item = write_call(call, {})
    item["id"] = id
    if not began.custom:
        item["status"] = status
        if status == "in_progress":
            item["arguments"] = ""
    return item
