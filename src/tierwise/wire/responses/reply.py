"""A whole answer of `POST /v1/responses`, read and written."""

from __future__ import annotations

import time

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import (
    Conversation,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from tierwise.wire.openai_chat import given
from tierwise.wire.responses import thoughts
from tierwise.wire.responses.answer import (
    ended,
    item_id,
    logprobs_of,
    message,
    response_id,
    response_of,
    status_of,
    text_piece,
    tokens_of,
)
from tierwise.wire.responses.content import read_annotation
from tierwise.wire.responses.items import write_call
from tierwise.wire.responses.usage import read_usage
from tierwise.wire.responses.words import OURS, REPLACEABLE
from tierwise.wire.spoken import Choice, Finish, Spoken

_NOTHING = Raw(b"")
_ENDS: dict[str, Finish] = {"max_output_tokens": "length", "content_filter": "filter"}


class Incomplete(Struct):
    """Why an answer is not complete."""

    reason: str | None = None


class Body(Struct):
    """An answer, as much of it as is read."""

    output: list[Raw] | None = None
    id: str = ""
    model: str = ""
    status: str | None = None
    created_at: float = 0
    usage: Raw = _NOTHING
    error: Raw = _NOTHING
    incomplete_details: Incomplete | None = None
    service_tier: str | None = None


class _Kind(Struct):
    type: str = ""


class _Piece(Struct):
    type: str = ""
    text: str = ""
    refusal: str = ""
    annotations: list[Raw] | None = None
    logprobs: list[Raw] | None = None


class _Message(Struct):
    content: list[Raw] | None = None


class Call(Struct):
    """A call of a function, or of a custom tool, which has `input`."""

    call_id: str = ""
    id: str | None = None
    name: str = ""
    arguments: str = ""
    input: str = ""


decode_body = msgspec.json.Decoder(Body).decode
kind_of = msgspec.json.Decoder(_Kind).decode
decode_call = msgspec.json.Decoder(Call).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_piece = msgspec.json.Decoder(_Piece).decode
_encode = msgspec.json.Encoder().encode
CALLS = ("function_call", "custom_tool_call")


def read_reply(body: bytes) -> Spoken:
    """A provider's whole answer; raises `msgspec.MsgspecError` if it is none."""
    answer = decode_body(body)
    if answer.output is None:
        raise msgspec.ValidationError("Object missing required field `output`")
    return spoken_of(answer)


def spoken_of(answer: Body) -> Spoken:
    """What an answer says; raises `msgspec.MsgspecError` if its items cannot be read."""
    parts, logprobs = read_output(answer.output or [])
    choice = Choice(
        parts=tuple(parts),
        finish=finish_of(answer, parts),
        reported=reported(answer),
        logprobs=logprobs_of(logprobs),
    )
    return Spoken(
        id=answer.id,
        model=answer.model,
        choices=(choice,),
        usage=read_usage(answer.usage, with_cost=False),
        created=int(answer.created_at),
        service_tier=answer.service_tier,
        origin=OURS,
    )


def reported(answer: Body) -> str | None:
    """The provider's own word for the end."""
    if answer.incomplete_details is not None and answer.incomplete_details.reason:
        return answer.incomplete_details.reason
    return answer.status


def finish_of(answer: Body, parts: list[Part]) -> Finish | None:
    """Why an answer ended; an end for a reason unknown is a pause. None: it has not ended."""
    if answer.status in ("queued", "in_progress"):
        return None
    if answer.status == "incomplete" or (
        answer.incomplete_details is not None and answer.incomplete_details.reason
    ):
        return _ENDS.get(reported(answer) or "", "pause")
    if any(isinstance(part, ToolCall) for part in parts):
        return "tool_calls"
    if any(isinstance(part, Refusal) for part in parts):
        return "refusal"
    return "stop"


def read_output(output: list[Raw], said: int = 0) -> tuple[list[Part], list[Raw]]:
    """What the items of an answer say, and the log-probabilities of their tokens.

    `said` are the characters of the answer that stand before them.
    """
    parts: list[Part] = []
    logprobs: list[Raw] = []
    for raw in output:
        kind = kind_of(raw).type
        if kind == "message":
            for piece in _decode_message(raw).content or ():
                part, tokens = _read_piece(piece, said)
                parts.append(part)
                logprobs += tokens
                said += len(part.text) if isinstance(part, Text) else 0
        elif kind == "reasoning":
            parts += thoughts.read_item(raw)[0]
        elif kind in CALLS:
            parts.append(read_call(raw, custom=kind == "custom_tool_call"))
        else:
            parts.append(Foreign(origin=OURS, what=kind, raw=raw, binding=kind not in REPLACEABLE))
    return parts, logprobs


def _read_piece(raw: Raw, before: int) -> tuple[Part, list[Raw]]:
    kind = kind_of(raw).type
    if kind not in ("output_text", "refusal", "text"):
        return Foreign(origin=OURS, what=kind, raw=raw), []
    piece = _decode_piece(raw)
    if kind == "refusal":
        return Refusal(text=piece.refusal), []
    citations = tuple(read_annotation(one, before) for one in piece.annotations or ())
    return Text(text=piece.text, citations=citations, origin=OURS), piece.logprobs or []


def read_call(raw: Raw, *, custom: bool) -> ToolCall:
    """A call of a tool."""
    call = decode_call(raw)
    return ToolCall(
        id=call.call_id or call.id or "",
        name=call.name,
        arguments=call.input if custom else call.arguments,
        origin=OURS,
        custom=custom,
    )


def write_reply(spoken: Spoken, asked: Conversation) -> bytes:
    """The answer as a client reads it: the first choice, since there is no word for others."""
    choice = spoken.choices[0] if spoken.choices else Choice(parts=())
    id = response_id(spoken.id)
    response = response_of(
        asked,
        id=id,
        model=spoken.model,
        created=spoken.created or int(time.time()),
        tier=spoken.service_tier,
    )
    output = _Output(id, choice)
    for part in choice.parts:
        output.add(part)
    output.end()
    return _encode(ended(response, output.items, choice.finish, spoken.usage))


class _Output:
    """The items of an answer as they come out of its parts."""

    def __init__(self, id: str, choice: Choice) -> None:
        self.items: list[object] = []
        self._id = id
        self._status = status_of(choice.finish)
        self._logprobs = tokens_of(choice.logprobs)
        self._texts: list[Text] = []
        self._content: list[object] = []
        self._thoughts: list[Reasoning] = []
        self._before = 0

    def add(self, part: Part) -> None:
        """The next part."""
        if not isinstance(part, Reasoning):
            self._end_thoughts()
        if isinstance(part, Text):
            self._texts.append(part)
            return
        if isinstance(part, Refusal):
            self._end_text()
            self._content.append({"type": "refusal", "refusal": part.text})
            return
        self._end_message()
        match part:
            case Reasoning():
                self._thoughts.append(part)
            case ToolCall():
                self._call(part)
            case Foreign(origin=origin) if origin == OURS:
                self.items.append(part.raw)
            case Image(source=source) if source.data is not None:
                self.items.append(
                    {
                        "type": "image_generation_call",
                        "id": self._new("ig"),
                        "status": "completed",
                        "result": source.data,
                    }
                )

    def end(self) -> None:
        """After the last part."""
        self._end_thoughts()
        self._end_message()

    def _new(self, kind: str) -> str:
        return item_id(kind, self._id, len(self.items))

    def _call(self, call: ToolCall) -> None:
        if call.signature is not None and call.origin != OURS:
            mark = thoughts.Mark(call.origin, "piece", call.signature)
            self.items.append(marking(mark, self._new("rs")))
        item = write_call(call, {})
        item["id"] = self._new("ctc" if call.custom else "fc")
        if not call.custom:
            item["status"] = self._status
        self.items.append(item)

    def _end_text(self) -> None:
        if self._texts:
            piece = text_piece(self._texts, self._logprobs, self._before)
            self._before += sum(len(text.text) for text in self._texts)
            self._content.append(piece)
            self._texts, self._logprobs = [], []

    def _end_message(self) -> None:
        self._end_text()
        if self._content:
            self.items.append(message(self._new("msg"), self._content, self._status))
            self._content = []

    def _end_thoughts(self) -> None:
        for group in thoughts.grouped(self._thoughts):
            self.items.append(thoughts.write_item(group, self._new("rs")))
        self._thoughts = []


def marking(mark: thoughts.Mark, id: str) -> dict[str, object]:
    """The item that carries a provider's mark on the piece behind it."""
    hidden = thoughts.sealed(mark)
    return {"type": "reasoning", "id": id, "summary": [], "encrypted_content": hidden}


def failed(answer: Body) -> bool:
    """Whether an answer only says that there is none."""
    return answer.status == "failed" or (given(answer.error) and not answer.output)
