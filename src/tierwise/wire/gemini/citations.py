"""What an answer rests on: `groundingMetadata` and `citationMetadata`, read and written.

Google counts bytes, we count characters: ai.google.dev/api/generate-content#Segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import Citation, Text
from tierwise.wire.gemini.answers import Candidate
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

_NAME = "gemini"


class _Segment(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    text: str | None = None


class _Support(Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Origin(Struct, rename="camel"):
    uri: str | None = None
    title: str | None = None


class _Grounding(Struct, rename="camel"):
    grounding_chunks: list[dict[str, Raw]] | None = None
    grounding_supports: list[_Support] | None = None


class _Cited(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class _Citations(Struct, rename="camel"):
    citations: list[Raw] | None = None
    citation_sources: list[Raw] | None = None


_decode_grounding = msgspec.json.Decoder(_Grounding).decode
_decode_origin = msgspec.json.Decoder(_Origin).decode
_decode_citations = msgspec.json.Decoder(_Citations).decode
_decode_cited = msgspec.json.Decoder(_Cited).decode
_encode = msgspec.json.Encoder().encode


def cites(candidate: Candidate) -> bool:
    """Whether it may hold citations."""
    return len(candidate.grounding_metadata) > 2 or len(candidate.citation_metadata) > 2


def read_citations(candidate: Candidate, said: str) -> list[Citation]:
    """What the text `said` rests on. What cannot be read says nothing about the answer."""
    found: list[Citation] = []
    for read, raw in (
        (_grounded, candidate.grounding_metadata),
        (_quoted, candidate.citation_metadata),
    ):
        if given(raw):
            try:
                found.extend(read(raw, said))
            except UNREADABLE:
                continue
    return found


def _grounded(raw: Raw, said: str) -> Iterator[Citation]:
    grounding = _decode_grounding(raw)
    chunks = grounding.grounding_chunks or []
    supports = grounding.grounding_supports
    if supports is None:
        # Without them, it is only known that the answer as a whole rests on these.
        yield from (_of_chunk(chunk) for chunk in chunks)
        return
    for support in supports:
        segment = support.segment or _Segment()
        start, end = _place(said, segment.start_index, segment.end_index, segment.text)
        for index in support.grounding_chunk_indices or ():
            if 0 <= index < len(chunks):
                yield _of_chunk(chunks[index], segment.text, start, end)


def _of_chunk(
    chunk: dict[str, Raw],
    quoted: str | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Citation:
    # `web`, `maps` or `retrievedContext`
    origin = _decode_origin(next(iter(chunk.values()))) if chunk else _Origin()
    return Citation(
        url=origin.uri,
        title=origin.title,
        quoted=quoted,
        start=start,
        end=end,
        raw=Raw(_encode(chunk)),
        origin=_NAME,
    )


def _quoted(raw: Raw, said: str) -> Iterator[Citation]:
    found = _decode_citations(raw)
    for one in found.citations or found.citation_sources or ():
        cited = _decode_cited(one)
        start, end = _place(said, cited.start_index, cited.end_index, None)
        yield Citation(
            url=cited.uri, title=cited.title, start=start, end=end, raw=one, origin=_NAME
        )


def _place(
    said: str, first: int, last: int | None, text: str | None
) -> tuple[int | None, int | None]:
    """Which characters of the answer are meant, if that can be known.

    Offsets are into a part; where that is not the answer's first, the words themselves tell.
    """
    if last is None:
        return None, None
    start, end = first, last
    if not said.isascii():
        whole = said.encode("utf-8", "replace")
        start = len(whole[:first].decode("utf-8", "ignore"))
        end = len(whole[:last].decode("utf-8", "ignore"))
    if text and said[start:end] != text:
        start = said.find(text)
        end = start + len(text)
        if start < 0:
            return None, None
    return (start, end) if 0 <= start <= end <= len(said) else (None, None)


def with_citations(texts: Sequence[Text], found: Sequence[Citation]) -> list[Text]:
    """The pieces of an answer's text, each with what it rests on; the last has what is of all."""
    out: list[Text] = []
    begin = 0
    left = list(found)
    for number, text in enumerate(texts, 1):
        end = begin + len(text.text)
        last = number == len(texts)
        mine = [one for one in left if last or (one.start is not None and begin <= one.start < end)]
        left = [one for one in left if one not in mine]
        out.append(msgspec.structs.replace(text, citations=tuple(mine)) if mine else text)
        begin = end
    return out


def write_citations(found: Sequence[Citation], said: str) -> dict[str, object] | None:
    """The `groundingMetadata` that says so; None where nothing is cited."""
    chunks: list[object] = []
    supports: list[object] = []
    for one in found:
        if one.origin == _NAME and given(one.raw):
            chunks.append(one.raw)
        elif one.url is not None or one.title is not None:
            origin = {"uri": one.url, "title": one.title}
            chunks.append({"web": {name: held for name, held in origin.items() if held}})
        else:
            continue
        if one.start is None or one.end is None:
            continue
        text = said[one.start : one.end]
        start = len(said[: one.start].encode("utf-8", "replace"))
        segment = {
            "startIndex": start,
            "endIndex": start + len(text.encode("utf-8", "replace")),
            "text": text,
        }
        supports.append({"segment": segment, "groundingChunkIndices": [len(chunks) - 1]})
    if not chunks:
        return None
    return {"groundingChunks": chunks, **({"groundingSupports": supports} if supports else {})}
