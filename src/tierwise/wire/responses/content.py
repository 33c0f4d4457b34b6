"""Pieces of messages and of tool results: `input_text`, `input_image`, `output_text` and so on."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Citation,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Source,
    Text,
)
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.invalid import explained
from tierwise.wire.responses.words import OURS
from tierwise.wire.unreadable import UNREADABLE

_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


class _Mark(Struct):
    ttl: str | None = None


class _Kind(Struct):
    type: str


class _Text(Struct):
    text: str
    annotations: list[Raw] | None = None
    prompt_cache_breakpoint: _Mark | None = None


class _Refusal(Struct):
    refusal: str


class _Image(Struct):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: _Mark | None = None


class _File(Struct):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: _Mark | None = None


class _Sound(Struct):
    data: str
    format: str


class _Audio(Struct):
    input_audio: _Sound
    prompt_cache_breakpoint: _Mark | None = None


class _Annotation(Struct):
    url: str | None = None
    title: str | None = None
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_text = msgspec.json.Decoder(_Text).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode
_decode_image = msgspec.json.Decoder(_Image).decode
_decode_file = msgspec.json.Decoder(_File).decode
_decode_audio = msgspec.json.Decoder(_Audio).decode
_decode_annotation = msgspec.json.Decoder(_Annotation).decode


def read_content(content: str | list[Raw], at: str) -> tuple[Part, ...]:
    """The pieces of a `content` or an `output`, which stands at `at` of the request.

    Raises:
        InvalidRequest: one of them is wrong.
    """
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple(_read_piece(raw, f"{at}[{index}]") for index, raw in enumerate(content))


def _read_piece(raw: Raw, at: str) -> Part:
    try:
        return read_piece(raw, _decode_kind(raw).type, at)
    except UNREADABLE as error:
        raise explained(error, raw, at) from None


def read_piece(raw: Raw, kind: str, at: str = "") -> Part:
    """One piece; raises `msgspec.MsgspecError` if it is not what it says."""
    match kind:
        case "input_text" | "output_text" | "text":
            text = _decode_text(raw)
            citations = tuple(read_annotation(one) for one in text.annotations or ())
            mark = _cache(text.prompt_cache_breakpoint)
            return Text(text=text.text, citations=citations, origin=OURS, cache=mark)
        case "refusal":
            return Refusal(text=_decode_refusal(raw).refusal)
        case "input_image":
            return _read_image(_decode_image(raw), at)
        case "input_file":
            return _read_file(_decode_file(raw), at)
        case "input_audio":
            audio = _decode_audio(raw)
            kind = audio.input_audio.format
            source = Source(
                media_type=_AUDIO.get(kind, f"audio/{kind}"), data=audio.input_audio.data
            )
            return Audio(source=source, cache=_cache(audio.prompt_cache_breakpoint))
        case _:
            return Foreign(origin=OURS, what=kind, raw=raw)


def _read_image(image: _Image, at: str) -> Image:
    if image.image_url is None and image.file_id is None:
        raise InvalidRequest(
            f"`{at}` has no picture. Add `image_url` (a URL or a data URL) or `file_id`.", param=at
        )
    source = Source(file_id=image.file_id)
    if image.image_url is not None:
        source = _read_url(image.image_url)
    return Image(source=source, detail=image.detail, cache=_cache(image.prompt_cache_breakpoint))


def _read_file(file: _File, at: str) -> Document:
    if file.file_data is not None:
        source = _read_url(file.file_data)
        if source.url is not None:
            source = Source(media_type=_guessed(file.filename), data=file.file_data)
    elif file.file_url is not None:
        source = Source(url=file.file_url)
    elif file.file_id is not None:
        source = Source(file_id=file.file_id)
    else:
        raise InvalidRequest(
            f"`{at}` has no file. Add `file_data` (a data URL), `file_url` or `file_id`.", param=at
        )
    return Document(
        source=source,
        name=file.filename,
        detail=file.detail,
        cache=_cache(file.prompt_cache_breakpoint),
    )


def _guessed(name: str | None) -> str | None:
    return mimetypes.guess_type(name)[0] if name else None


def _read_url(url: str) -> Source:
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return Source(url=url)
    return Source(media_type=head[5:-7] or None, data=data)


def _cache(mark: _Mark | None) -> CacheMark | None:
    return None if mark is None else CacheMark(ttl=mark.ttl)


def read_annotation(raw: Raw, before: int = 0) -> Citation:
    """What a text rests on; `before` are the characters of the answer that stand before it."""
    try:
        found = _decode_annotation(raw)
    except msgspec.MsgspecError:
        return Citation(raw=raw, origin=OURS)
    start, end = found.start_index, found.end_index
    return Citation(
        url=found.url,
        title=found.title or found.filename,
        start=None if start is None else start + before,
        end=None if end is None else end + before,
        raw=raw,
        origin=OURS,
    )


def write_annotation(citation: Citation, begin: int, end: int, before: int = 0) -> object | None:
    """A citation as an annotation; None if Responses has none such.

    Args:
        citation: what the text rests on.
        begin: where the text that it is about begins in its piece, if it does not say so itself.
        end: where that ends.
        before: the characters of the answer that stand before the piece.
    """
    if citation.origin == OURS and given(citation.raw):
        return citation.raw
    if citation.url is None:
        return None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title or "",
        "start_index": begin if citation.start is None else citation.start - before,
        "end_index": end if citation.end is None else citation.end - before,
    }


def write_input(parts: Iterable[Part], *, marks: bool) -> list[object]:
    """The pieces of a message to the model, or of a tool's result; `marks` writes cache marks."""
    return [item for part in parts if (item := _write_piece(part, marks=marks)) is not None]


def _write_piece(part: Part, *, marks: bool) -> object | None:
    match part:
        case Text() | Refusal():
            piece: dict[str, object] = {"type": "input_text", "text": part.text}
        case Image(source=source):
            piece = {"type": "input_image", "detail": part.detail or "auto"}
            if source.file_id is not None:
                piece["file_id"] = source.file_id
            else:
                piece["image_url"] = source.url or _data_url(source, "image/png")
        case Document():
            piece = _write_file(part)
        case Audio(source=source):
            kind = source.media_type or "audio/wav"
            form = _FORMATS.get(kind) or kind.partition("/")[2]
            piece = {"type": "input_audio", "input_audio": {"data": source.data, "format": form}}
        case Foreign(origin=origin, raw=raw):
            return raw if origin == OURS else None
        case _:
            return None
    if marks and not isinstance(part, Refusal) and part.cache is not None:
        mark = {"mode": "explicit", "ttl": part.cache.ttl}
        piece["prompt_cache_breakpoint"] = {k: v for k, v in mark.items() if v is not None}
    return piece


def _write_file(document: Document) -> dict[str, object]:
    source = document.source
    piece: dict[str, object] = {"type": "input_file"}
    if document.detail is not None:
        piece["detail"] = document.detail
    if document.text is not None:
        data = base64.b64encode(document.text.encode()).decode()
        kind = source.media_type or "text/plain"
        source = Source(media_type=kind, data=data)
    if source.file_id is not None:
        piece["file_id"] = source.file_id
    elif source.url is not None:
        piece["file_url"] = source.url
    else:
        # A name is asked for wherever the bytes are sent themselves.
        kind = source.media_type or _guessed(document.name) or "application/pdf"
        piece["filename"] = document.name or f"document{mimetypes.guess_extension(kind) or ''}"
        piece["file_data"] = _data_url(source, kind)
        return piece
    if document.name is not None and source.url is None:
        piece["filename"] = document.name
    return piece


def _data_url(source: Source, otherwise: str) -> str:
    return f"data:{source.media_type or otherwise};base64,{source.data}"
