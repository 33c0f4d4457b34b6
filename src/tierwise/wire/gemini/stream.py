"""Streams of Gemini: each event is an answer that says a little more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Raw

from tierwise.errors import ServerFailed
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.conversation import Citation, Conversation, Foreign, Text
from tierwise.wire.conversation import Image as Picture
from tierwise.wire.gemini.answers import Answer, Candidate, Piece, read_answer
from tierwise.wire.gemini.citations import cites, read_citations, write_citations
from tierwise.wire.gemini.finish import read_finish, write_finish
from tierwise.wire.gemini.logprobs import read_logprobs, write_logprobs
from tierwise.wire.gemini.reply import (
    arguments_of,
    call_id_base,
    created_at,
    made_call_id,
    read_piece,
    write_call,
)
from tierwise.wire.gemini.turns import NAME
from tierwise.wire.gemini.unsigned import UNSIGNED
from tierwise.wire.gemini.usage import read_usage, write_usage
from tierwise.wire.openai_chat import given
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
from tierwise.wire.unreadable import UNREADABLE

_encode = msgspec.json.Encoder().encode
_ABSENT = Raw(b"")


class EventReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self._ids = ""
        self._said: dict[int, list[str]] = {}
        self._calls: dict[int, int] = {}
        self._thinks: set[int] = set()

    def read(self, block: bytes) -> list[Event]:
        """The events of a block of complete server-sent events.

        Raises:
            ServerFailed: the stream reports an error.
            msgspec.MsgspecError: it cannot be read.
        """
        found: list[Event] = []
        for data in sse.payloads(block):
            found += self._answer(read_answer(data))
        return found

    def _answer(self, answer: Answer) -> Iterator[Event]:
        if given(answer.error):
            raise ServerFailed(_words(answer.error), status=200)
        if not self._ids:
            self._ids = call_id_base(answer)
            created = created_at(answer.create_time)
            yield Began(
                id=answer.response_id or "", model=answer.model_version or "", created=created
            )
        over = answer.blocked is not None
        for candidate in answer.candidates or ():
            yield from self._candidate(candidate)
            over |= candidate.finish_reason is not None
        blocked = answer.blocked
        if blocked is not None:
            yield RefusalPiece(text=blocked.words)
            yield Ended(finish="filter", reported=blocked.block_reason)
        if over or not answer.candidates:
            usage = read_usage(answer.usage_metadata)
            if usage is not None:
                yield Counted(usage=usage)

    def _candidate(self, candidate: Candidate) -> Iterator[Event]:
        index = candidate.index or 0
        logprobs = read_logprobs(candidate.logprobs_result)
        for piece in candidate.pieces:
            for event in self._piece(piece, index, logprobs):
                logprobs = _ABSENT
                yield event
        if len(logprobs):
            yield TextPiece(text="", choice=index, logprobs=logprobs)
        if cites(candidate):
            said = "".join(self._said.get(index, ()))
            for citation in read_citations(candidate, said):
                yield Cited(citation=citation, choice=index)
        reason = candidate.finish_reason
        if reason:
            finish = read_finish(reason, calls=bool(self._calls.get(index)))
            yield Ended(finish=finish, choice=index, reported=reason)

    def _piece(self, piece: Piece, index: int, logprobs: Raw) -> Iterator[Event]:
        signature = piece.thought_signature
        text = piece.text
        if text is not None and not piece.thought:
            self._thinks.discard(index)
            self._said.setdefault(index, []).append(text)
            if text or signature or len(logprobs):
                origin = NAME if signature else ""
                yield TextPiece(
                    text=text, choice=index, signature=signature, origin=origin, logprobs=logprobs
                )
        elif piece.thought and text is not None:
            begins = index not in self._thinks
            self._thinks.add(index)
            yield ReasoningPiece(
                text=text,
                signature=signature,
                origin=NAME,
                summary=True,
                begins=begins,
                choice=index,
            )
        elif piece.function_call is not None:
            yield from self._call(piece, index)
        else:
            yield from self._other(piece, index)

    def _call(self, piece: Piece, index: int) -> Iterator[Event]:
        call = piece.function_call
        assert call is not None  # noqa: S101 - it was found
        number = self._calls.get(index, 0)
        self._calls[index] = number + 1
        signature = piece.thought_signature if piece.thought_signature != UNSIGNED else None
        yield ToolBegan(
            call=number,
            id=call.id or made_call_id(self._ids, index, number),
            name=call.name,
            choice=index,
            signature=signature,
            origin=NAME if signature else "",
        )
        yield ToolPiece(call=number, arguments=arguments_of(call.args), choice=index)

    def _other(self, piece: Piece, index: int) -> Iterator[Event]:
        part = read_piece(piece, "")
        if isinstance(part, Text):
            yield TextPiece(text="", choice=index, signature=part.signature, origin=NAME)
        elif isinstance(part, Picture):
            blob = {"mimeType": part.source.media_type, "data": part.source.data}
            raw = Raw(_encode({"inlineData": blob}))
            yield ForeignPiece(origin=NAME, what="inlineData", raw=raw, choice=index)
        elif isinstance(part, Foreign):
            yield ForeignPiece(origin=NAME, what=part.what, raw=part.raw, choice=index)


def _words(error: Raw) -> str:
    """The message of an error."""
    try:
        found = msgspec.json.decode(error)
    except UNREADABLE:
        found = None
    said = found.get("message") if isinstance(found, dict) else found
    return said if isinstance(said, str) else "the stream reports an error"


class EventWriter:
    """Writes one stream for a client that asked so.

    Calls are written whole, as Google does, and the end with the usage when all was said.
    """

    def __init__(self, asked: Conversation) -> None:
        self._shown = asked.thinking is not None and asked.thinking.shown is True
        self._tail = b"}\n\n"
        self._usage: Usage | None = None
        self._calls: dict[tuple[int, int], list[ToolBegan | str]] = {}
        self._called: set[int] = set()
        self._ends: dict[int, Ended] = {}
        self._said: dict[int, list[str]] = {}
        self._cited: dict[int, list[Citation]] = {}

    def write(self, events: Iterable[Event]) -> bytes:
        """The events that say so; b"" while nothing can be said yet."""
        return b"".join([self._event(event) for event in events])

    def close(self) -> bytes:
        """The calls, the reasons why the answers ended, what they rest on, and the usage."""
        out = [self._flush(choice) for choice in sorted({choice for choice, _ in self._calls})]
        candidates = []
        for choice, ended in sorted(self._ends.items()):
            candidate: dict[str, object] = {
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": write_finish(ended.finish, ended.reported),
                "index": choice,
            }
            said = "".join(self._said.get(choice, ()))
            grounding = write_citations(self._cited.get(choice, ()), said)
            if grounding is not None:
                candidate["groundingMetadata"] = grounding
            candidates.append(candidate)
        body: dict[str, object] = {"candidates": candidates} if candidates else {}
        if self._usage is not None:
            body["usageMetadata"] = write_usage(self._usage)
        if body:
            out.append(b"data: " + _encode(body)[:-1] + self._tail)
        self._ends, self._usage, self._cited = {}, None, {}
        return b"".join(out)

    def _event(self, event: Event) -> bytes:
        match event:
            case TextPiece():
                return self._text(event)
            case RefusalPiece():
                return self._part(event.choice, {"text": event.text}) if event.text else b""
            case ReasoningPiece():
                if not (self._shown and event.text):
                    return b""
                return self._part(event.choice, {"text": event.text, "thought": True})
            case ToolBegan():
                self._calls[event.choice, event.call] = [event]
            case ToolPiece():
                self._calls.setdefault((event.choice, event.call), []).append(event.arguments)
            case Began():
                names = {"modelVersion": event.model, "responseId": event.id}
                self._tail = b"," + _encode(names)[1:] + b"\n\n"
            case Cited():
                self._cited.setdefault(event.choice, []).append(event.citation)
            case ForeignPiece():
                return self._part(event.choice, event.raw) if event.origin == NAME else b""
            case Ended():
                self._ends[event.choice] = event
                return self._flush(event.choice)
            case Counted():
                self._usage = event.usage
        return b""

    def _text(self, event: TextPiece) -> bytes:
        part: dict[str, object] = {"text": event.text}
        self._said.setdefault(event.choice, []).append(event.text)
        if event.signature is not None and event.origin == NAME:
            part["thoughtSignature"] = event.signature
        logprobs = write_logprobs(event.logprobs) if len(event.logprobs) else None
        if not event.text and len(part) == 1 and logprobs is None:
            return b""
        more = {} if logprobs is None else {"logprobsResult": logprobs}
        return self._part(event.choice, part, more)

    def _part(self, choice: int, part: object, more: Mapping[str, object] | None = None) -> bytes:
        candidate: dict[str, object] = {
            "content": {"parts": [part], "role": "model"},
            "index": choice,
        }
        if more:
            candidate.update(more)
        return b'data: {"candidates":[' + _encode(candidate) + b"]" + self._tail

    def _flush(self, choice: int) -> bytes:
        """The calls of a choice, whose arguments are all here now."""
        out: list[bytes] = []
        for place in sorted(place for place in self._calls if place[0] == choice):
            began, *pieces = self._calls.pop(place)
            if isinstance(began, ToolBegan):
                arguments = "".join(piece for piece in pieces if isinstance(piece, str))
                signature = began.signature if began.origin == NAME else None
                first = choice not in self._called
                self._called.add(choice)
                call = write_call(began.id, began.name, arguments, signature, first=first)
                out.append(self._part(choice, call))
        return b"".join(out)
