"""An answer that is given again, under an id of its own: each is kept, gone on from and forgotten
by its id."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tierwise.wire import sse
from tierwise.wire.responses.answer import item_id, response_id
from tierwise.wire.unreadable import UNREADABLE


class _Response(Struct):
    id: str = ""


class _Said(Struct):
    """A whole answer, or an event that holds one."""

    id: str = ""
    response: _Response | None = None


_decode = msgspec.json.Decoder(_Said).decode


def given_again(blocks: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The same with another id for the answer, and for the items whose ids were made of it.

    Args:
        blocks: a whole answer, or a stream in blocks of complete events.
    """
    old = _id_of(blocks)
    if not old:
        return blocks
    new = response_id("")
    # What looks like a field in a text has its quotes escaped.
    whole = re.compile(rb'("(?:response_)?id"\s*:\s*)' + re.escape(msgspec.json.encode(old)))
    item = re.compile(rb'("(?:item_)?id"\s*:\s*"[a-z]+)' + re.escape(_middle(old)) + rb'(\d+")')
    named, theirs = rb"\1" + msgspec.json.encode(new), rb"\g<1>" + _middle(new) + rb"\2"
    return tuple(item.sub(theirs, whole.sub(named, block)) for block in blocks)


def _middle(id: str) -> bytes:
    """What is the same in the ids of all items of an answer."""
    return item_id("", id, 0)[:-1].encode()


def _id_of(blocks: Iterable[bytes]) -> str:
    """The answer's id; empty if nothing says it."""
    for block in blocks:
        for data in sse.payloads(block) if block[:1] != b"{" else (block,):
            try:
                said = _decode(data)
            except UNREADABLE:
                continue
            if said.response is not None or said.id:
                return said.response.id if said.response is not None else said.id
    return ""
