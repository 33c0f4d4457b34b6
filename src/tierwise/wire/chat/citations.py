"""What answers rest on: `annotations` of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.chat.thoughts import NAME
from tierwise.wire.conversation import Citation
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE


class _Url(Struct):
    url: str | None = None
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Annotation(Struct):
    type: str = ""
    url_citation: _Url | None = None


_decode = msgspec.json.Decoder(_Annotation).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


def citations_in(annotations: Raw) -> list[Citation]:
    """The citations in a field `annotations`; those of other kinds are kept as they are.

    None if it cannot be read: an answer is good without them.
    """
    if not given(annotations):
        return []
    try:
        return [_citation(raw) for raw in _decode_list(annotations)]
    except UNREADABLE:
        return []


def _citation(raw: Raw) -> Citation:
    seen = _decode(raw).url_citation
    if seen is None:
        return Citation(raw=raw, origin=NAME)
    # OpenRouter says 0 and 0 where nobody knows the place.
    placed = bool(seen.end_index)
    return Citation(
        url=seen.url,
        title=seen.title or None,
        quoted=seen.content or None,
        start=seen.start_index if placed else None,
        end=seen.end_index if placed else None,
        raw=raw,
        origin=NAME,
    )


def write_citations(citations: Iterable[Citation]) -> Iterator[Raw | dict[str, object]]:
    """The annotations that say so. There are none for what has no URL."""
    for one in citations:
        if one.origin == NAME and given(one.raw):
            yield one.raw
        elif one.url is not None:
            cited: dict[str, object] = {
                "url": one.url,
                "title": one.title or "",
                "start_index": one.start or 0,
                "end_index": one.end or 0,
            }
            if one.quoted is not None:
                cited["content"] = one.quoted
            yield {"type": "url_citation", "url_citation": cited}
