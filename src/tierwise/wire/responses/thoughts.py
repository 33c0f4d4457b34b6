"""Items of the type `reasoning`: what a model thought, and what other providers sign.

A client of this dialect sends back the reasoning items that it was given. What another provider
needs to see again (its signature of a thought, its redacted thoughts, its mark on a tool call) is
given to such clients as an item's `encrypted_content` with its origin before it, and so survives a
conversation that moves between models. Thoughts that nobody signed have their origin there alone.
No provider of this dialect could decrypt it, and OpenAI looks for items that have nothing encrypted
among those that it keeps, so all of these are left out of what is sent there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import Reasoning
from tierwise.wire.responses.words import OURS

_BEFORE = "tierwise:"
_MARKED = b'"' + _BEFORE.encode()
_KINDS = {"s": "signature", "r": "redacted", "p": "piece"}


class _Piece(Struct):
    text: str = ""


class _Item(Struct):
    id: str | None = None
    summary: list[_Piece] | None = None
    content: list[_Piece] | None = None
    encrypted_content: str | None = None


class _Sealed(Struct):
    type: str | None = None
    encrypted_content: str | None = None


class Mark(NamedTuple):
    """What the provider `origin` signed: a thought, or the piece of the answer behind it."""

    origin: str
    kind: Literal["signature", "redacted", "piece"]
    value: str


_decode = msgspec.json.Decoder(_Item).decode
_decode_sealed = msgspec.json.Decoder(_Sealed).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


def sealed(mark: Mark) -> str:
    """The `encrypted_content` that carries it."""
    return f"{_BEFORE}{mark.origin}:{mark.kind[0]}:{mark.value}"


def unsealed(content: str) -> Mark | None:
    """What `sealed` was given; None if this is a provider's own encrypted content."""
    if not content.startswith(_BEFORE):
        return None
    origin, _, rest = content[len(_BEFORE) :].partition(":")
    kind, _, value = rest.partition(":")
    known = _KINDS.get(kind)
    return None if known is None else Mark(origin, known, value)  # type: ignore[arg-type]


def read_item(raw: Raw) -> tuple[list[Reasoning], Mark | None]:
    """The thoughts of an item, one for each of its texts, and the mark of a piece if it is one.

    Raises:
        msgspec.MsgspecError: it is no such item.
    """
    item = _decode(raw)
    content = item.encrypted_content
    mark = unsealed(content) if content else None
    if mark is not None and mark.kind == "piece":
        return [], mark
    origin = mark.origin if mark is not None else OURS
    texts = [(piece.text, True) for piece in item.summary or ()]
    texts += [(piece.text, False) for piece in item.content or ()]
    last = len(texts) - 1
    sign = mark.value or None if mark is not None and mark.kind == "signature" else None
    hidden = mark.value or None if mark is not None and mark.kind == "redacted" else None
    if mark is None:
        hidden = content or None
    return [
        Reasoning(
            text=text,
            signature=sign if index == last else None,
            redacted=hidden if index == last else None,
            origin=origin,
            id=item.id,
            summary=summary,
        )
        for index, (text, summary) in enumerate(texts)
    ] or [Reasoning(signature=sign, redacted=hidden, origin=origin, id=item.id)], None


def grouped(thoughts: Iterable[Reasoning]) -> list[list[Reasoning]]:
    """Consecutive thoughts by the item that they are of."""
    groups: list[list[Reasoning]] = []
    for one in thoughts:
        same = groups and one.id is not None and groups[-1][0].id == one.id
        if same and groups[-1][0].origin == one.origin:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def write_item(thoughts: Sequence[Reasoning], fresh: str | None = None) -> dict[str, object]:
    """The item of one group; `fresh` is its id where it has none of this dialect's."""
    first = thoughts[0]
    item: dict[str, object] = {"type": "reasoning"}
    id = first.id if first.origin == OURS and first.id is not None else fresh
    if id is not None:
        item["id"] = id
    item["summary"] = [
        {"type": "summary_text", "text": one.text} for one in thoughts if one.summary and one.text
    ]
    content = [
        {"type": "reasoning_text", "text": one.text}
        for one in thoughts
        if one.text and not one.summary
    ]
    if content:
        item["content"] = content
    signed = [one for one in thoughts if one.redacted or one.signature]
    hidden = encrypted((signed or thoughts)[-1])
    if hidden is not None:
        item["encrypted_content"] = hidden
    return item


def encrypted(thought: Reasoning) -> str | None:
    """A thought's `encrypted_content`; None for one of this dialect that has none."""
    if thought.origin == OURS:
        return thought.redacted or thought.signature
    if thought.redacted is not None:
        return sealed(Mark(thought.origin, "redacted", thought.redacted))
    return sealed(Mark(thought.origin, "signature", thought.signature or ""))


def without_sealed(body: bytes) -> bytes:
    """A request without the items that carry what other providers signed."""
    if _MARKED not in body:
        return body
    fields = _decode_fields(body)
    raw = fields.get("input", Raw(b""))
    if not bytes(raw).startswith(b"["):
        return body
    kept = [item for item in _decode_list(raw) if not _is_sealed(item)]
    fields["input"] = Raw(_encode(kept))
    return _encode(fields)


def _is_sealed(raw: Raw) -> bool:
    if _MARKED not in bytes(raw):
        return False
    try:
        item = _decode_sealed(raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    hidden = item.encrypted_content
    return item.type == "reasoning" and bool(hidden) and unsealed(hidden or "") is not None
