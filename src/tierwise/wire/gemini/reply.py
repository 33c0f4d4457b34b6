"""Whole answers of Gemini, read and written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Raw

from tierwise.wire.conversation import (
    Citation,
    Conversation,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
)
from tierwise.wire.gemini.answers import Answer, Candidate, Piece, read_answer
from tierwise.wire.gemini.citations import (
    cites,
    read_citations,
    with_citations,
    write_citations,
)
from tierwise.wire.gemini.finish import read_finish, write_finish
from tierwise.wire.gemini.logprobs import read_logprobs, write_logprobs
from tierwise.wire.gemini.turns import NAME
from tierwise.wire.gemini.unsigned import UNSIGNED
from tierwise.wire.gemini.usage import read_usage, write_usage
from tierwise.wire.openai_chat import given
from tierwise.wire.spoken import Choice, Spoken
from tierwise.wire.unreadable import UNREADABLE

_OWN = {
    "groundingMetadata": "grounding_metadata",
    "urlContextMetadata": "url_context_metadata",
    "safetyRatings": "safety_ratings",
}
"""What an answer has that no other dialect does, kept of the first candidate."""
_ONLY_GEMINI = (
    ("executableCode", "executable_code"),
    ("codeExecutionResult", "code_execution_result"),
    ("toolCall", "tool_call"),
    ("toolResponse", "tool_response"),
    ("fileData", "file_data"),
)
_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def read_reply(body: bytes) -> Spoken:
    """A whole answer; raises `msgspec.MsgspecError` if it is none."""
    answer = read_answer(body)
    if answer.candidates is None and answer.blocked is None:
        raise msgspec.ValidationError("it has neither candidates nor a reason for having none")
    known = call_id_base(answer)
    choices = [_choice(one, known) for one in answer.candidates or ()]
    own: dict[str, Raw] = {}
    if answer.candidates:
        first = answer.candidates[0]
        held = {name: getattr(first, field) for name, field in _OWN.items()}
        own = {name: raw for name, raw in held.items() if given(raw)}
    blocked = answer.blocked
    if blocked is not None:
        refusal = Refusal(text=blocked.words)
        choices = [Choice(parts=(refusal,), finish="filter", reported=blocked.block_reason)]
    return Spoken(
        id=answer.response_id or "",
        model=answer.model_version or "",
        choices=tuple(choices),
        usage=read_usage(answer.usage_metadata),
        created=created_at(answer.create_time),
        origin=NAME,
        own=own,
    )


def created_at(time: str | None) -> int:
    """A time of RFC 3339 in Unix seconds, 0 where it is none."""
    try:
        return int(datetime.fromisoformat(time).timestamp()) if time else 0
    except (ValueError, OverflowError):
        return 0


def call_id_base(answer: Answer) -> str:
    """What the ids of calls begin with that came without one.

    The calls of a conversation must have ids of their own, so each answer has its beginning.
    """
    known = "".join(one for one in answer.response_id or "" if one.isascii() and one.isalnum())
    return f"call_{known or os.urandom(16).hex()}"


def read_piece(piece: Piece, made: str) -> Part | None:
    """One part of an answer; None for an empty one.

    Args:
        made: the id of a call that has none.
    """
    signature = piece.thought_signature
    origin = NAME if signature else ""
    if piece.text is not None:
        if piece.thought:
            return Reasoning(text=piece.text, signature=signature, origin=NAME, summary=True)
        return Text(text=piece.text, signature=signature, origin=origin)
    if piece.function_call is not None:
        call = piece.function_call
        if signature == UNSIGNED:
            signature, origin = None, ""
        return ToolCall(
            id=call.id or made,
            name=call.name,
            arguments=arguments_of(call.args),
            signature=signature,
            origin=origin,
        )
    if piece.inline_data is not None:
        blob = piece.inline_data
        if blob.mime_type.startswith("image/") and not signature:
            return Image(source=Source(media_type=blob.mime_type, data=blob.data))
        return _foreign(piece, "inlineData", Raw(_encode(blob)))
    for what, name in _ONLY_GEMINI:
        raw = getattr(piece, name)
        if given(raw):
            return _foreign(piece, what, raw)
    return Text(text="", signature=signature, origin=NAME) if signature else None


def _foreign(piece: Piece, what: str, raw: Raw) -> Foreign:
    part: dict[str, object] = {what: raw}
    if piece.thought_signature:
        part["thoughtSignature"] = piece.thought_signature
    return Foreign(origin=NAME, what=what, raw=Raw(_encode(part)), binding=False)


def arguments_of(args: Raw) -> str:
    """The arguments of a call as JSON text in one line."""
    if not given(args):
        return "{}"
    return msgspec.json.format(bytes(args), indent=-1).decode("utf-8", "replace")


def _choice(candidate: Candidate, known: str) -> Choice:
    parts: list[Part] = []
    calls = 0
    index = candidate.index or 0
    for piece in candidate.pieces:
        part = read_piece(piece, made_call_id(known, index, calls))
        if part is not None:
            parts.append(part)
            calls += isinstance(part, ToolCall)
    if cites(candidate):
        parts = _cited(parts, candidate)
    reason = candidate.finish_reason
    return Choice(
        parts=tuple(parts),
        finish=read_finish(reason, calls=calls > 0) if reason else None,
        reported=reason,
        logprobs=read_logprobs(candidate.logprobs_result),
    )


def made_call_id(base: str, index: int, call: int) -> str:
    """The id of a call without one, of the candidate `index`."""
    return f"{base}_{index}_{call}" if index else f"{base}_{call}"


def _cited(parts: list[Part], candidate: Candidate) -> list[Part]:
    texts = [part for part in parts if isinstance(part, Text)]
    found = read_citations(candidate, "".join(text.text for text in texts))
    cited = iter(with_citations(texts, found))
    return [next(cited) if isinstance(part, Text) else part for part in parts]


def write_reply(spoken: Spoken, asked: Conversation) -> bytes:
    """The answer as a client of Gemini reads it."""
    shown = asked.thinking is not None and asked.thinking.shown is True
    candidates = []
    for index, choice in enumerate(spoken.choices):
        candidate = _candidate(choice, index, shown=shown)
        if index == 0 and spoken.origin == NAME:
            candidate.update({name: spoken.own[name] for name in _OWN if name in spoken.own})
        candidates.append(candidate)
    body: dict[str, object] = {"candidates": candidates}
    if spoken.usage is not None:
        body["usageMetadata"] = write_usage(spoken.usage)
    body["modelVersion"] = spoken.model
    body["responseId"] = spoken.id
    return _encode(body)


def _candidate(choice: Choice, index: int, *, shown: bool) -> dict[str, object]:
    parts: list[object] = []
    said: list[str] = []
    found: list[Citation] = []
    called = False
    for part in choice.parts:
        parts += write_piece(part, shown=shown, first=not called)
        called = called or isinstance(part, ToolCall)
        if isinstance(part, Text):
            said.append(part.text)
            found += part.citations
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}}
    if choice.finish is not None:
        candidate["finishReason"] = write_finish(choice.finish, choice.reported)
    candidate["index"] = index
    grounding = write_citations(found, "".join(said)) if found else None
    if grounding is not None:
        candidate["groundingMetadata"] = grounding
    logprobs = write_logprobs(choice.logprobs) if len(choice.logprobs) else None
    if logprobs is not None:
        candidate["logprobsResult"] = logprobs
    return candidate


def write_piece(part: Part, *, shown: bool, first: bool) -> Iterable[object]:
    """A piece of an answer as Gemini's clients read it.

    Args:
        shown: whether they asked for thoughts; those who did not take them for the answer.
        first: whether no call stands before it.
    """
    match part:
        case Text() | Refusal():
            if isinstance(part, Text) and part.signature and part.origin == NAME:
                yield {"text": part.text, "thoughtSignature": part.signature}
            elif part.text:
                yield {"text": part.text}
        case Reasoning():
            if shown and part.text:
                yield {"text": part.text, "thought": True}
        case ToolCall():
            signature = part.signature if part.origin == NAME else None
            yield write_call(part.id, part.name, part.arguments, signature, first=first)
        case Image():
            if part.source.data is not None:
                kind = part.source.media_type or "image/png"
                yield {"inlineData": {"mimeType": kind, "data": part.source.data}}
        case Foreign():
            if part.origin == NAME:
                yield part.raw


def write_call(
    known: str, name: str, arguments: str, signature: str | None, *, first: bool
) -> dict[str, object]:
    """A call; arguments that are no JSON object stand in one.

    The first one of an answer that Gemini did not sign says so: its client sends it back as it is,
    and the next to answer may be a Gemini that refuses calls without a signature.
    """
    call: dict[str, object] = {"name": name, "args": _args(arguments)}
    if known:
        call["id"] = known
    if signature is None and first:
        signature = UNSIGNED
    if signature is not None:
        return {"functionCall": call, "thoughtSignature": signature}
    return {"functionCall": call}


def _args(arguments: str) -> object:
    if not arguments.strip():
        return {}
    try:
        return _decode_fields(arguments)
    except UNREADABLE:
        return {"arguments": arguments}
