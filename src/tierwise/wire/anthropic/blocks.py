"""Content blocks of the Messages API, both ways.

A block of a type that is not known here, or of a known type in a form that is not, stays as its
JSON (`Foreign`): server tools and their results, search results, compactions.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import (
    CacheMark,
    Citation,
    Document,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
    ToolResult,
)
from tierwise.wire.openai_chat import given

NAME = "anthropic"
"""The dialect's name, which is the origin of whatever only it can read."""
_ABSENT = Raw(b"")
_TTLS = frozenset({"5m", "1h"})
# "String should match pattern '^[a-zA-Z0-9_-]+$'", says the API of other ids of tool calls.
_NOT_OF_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_IMAGES = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lG": "image/gif",
    "UklGR": "image/webp",
}
"""How base64 of each kind begins."""


class CacheControl(Struct):
    """`cache_control` of a block, a tool or a request."""

    type: str = "ephemeral"
    ttl: str | None = None


class Typed(Struct):
    """The type of a block or a tool, which says how to read the rest."""

    type: str


class _Source(Struct):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: Raw = _ABSENT


class _Enabled(Struct):
    enabled: bool | None = None


class _Text(Struct):
    text: str
    citations: list[Raw] | None = None
    cache_control: CacheControl | None = None


class _Image(Struct):
    source: _Source
    cache_control: CacheControl | None = None


class _Document(Struct):
    source: _Source
    title: str | None = None
    context: str | None = None
    citations: _Enabled | None = None
    cache_control: CacheControl | None = None


class _Thinking(Struct):
    thinking: str
    signature: str | None = None


class _Redacted(Struct):
    data: str


class _ToolUse(Struct):
    id: str
    name: str
    input: Raw = _ABSENT
    caller: Typed | None = None
    cache_control: CacheControl | None = None


class ResultBlock(Struct):
    """A block `tool_result`, whose content is for the reader of requests."""

    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class _Citation(Struct):
    cited_text: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None


decode_type = msgspec.json.Decoder(Typed).decode
decode_result = msgspec.json.Decoder(ResultBlock).decode
_decode_text = msgspec.json.Decoder(_Text).decode
_decode_image = msgspec.json.Decoder(_Image).decode
_decode_document = msgspec.json.Decoder(_Document).decode
_decode_thinking = msgspec.json.Decoder(_Thinking).decode
_decode_redacted = msgspec.json.Decoder(_Redacted).decode
_decode_tool_use = msgspec.json.Decoder(_ToolUse).decode
_decode_citation = msgspec.json.Decoder(_Citation).decode
_decode_texts = msgspec.json.Decoder(str | list[Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_block(raw: Raw) -> Part:
    """A block as a part; raises `msgspec.MsgspecError` if it is none.

    Results of tools are read without their content: see `request`.
    """
    kind = decode_type(raw).type
    reader = _READERS.get(kind)
    return reader(raw) if reader is not None else foreign(kind, raw)


def foreign(what: str, raw: Raw) -> Foreign:
    """A block that only this dialect knows."""
    return Foreign(origin=NAME, what=what, raw=raw)


def read_mark(control: CacheControl | None) -> CacheMark | None:
    """The wish that everything up to here is kept."""
    return CacheMark(ttl=control.ttl) if control is not None else None


def read_citation(raw: Raw, start: int | None = None, end: int | None = None) -> Citation:
    """What a text rests on.

    Args:
        start: where the text begins that it is about, in characters of the answer.
        end: where that text ends.
    """
    said = _decode_citation(raw)
    return Citation(
        url=said.url or said.source,
        title=said.title or said.document_title,
        quoted=said.cited_text,
        start=start,
        end=end,
        raw=raw,
        origin=NAME,
    )


def _read_text(raw: Raw) -> Part:
    block = _decode_text(raw)
    cited = tuple(read_citation(one) for one in block.citations or ())
    return Text(
        text=block.text,
        citations=cited,
        origin=NAME if cited else "",
        cache=read_mark(block.cache_control),
    )


def _read_source(source: _Source) -> Source | None:
    """None if the bytes are given in a way that is not known here."""
    said = {"base64": source.data, "url": source.url, "file": source.file_id}.get(source.type)
    if said is None:
        return None
    return Source(
        media_type=source.media_type,
        data=said if source.type == "base64" else None,
        url=said if source.type == "url" else None,
        file_id=said if source.type == "file" else None,
    )


def _read_image(raw: Raw) -> Part:
    block = _decode_image(raw)
    source = _read_source(block.source)
    if source is None:
        return foreign(f"image of source {block.source.type}", raw)
    return Image(source=source, cache=read_mark(block.cache_control))


def _read_document(raw: Raw) -> Part:
    block = _decode_document(raw)
    given_as = block.source
    source = _read_source(given_as)
    text: str | None = None
    pieces: tuple[str, ...] = ()
    if given_as.type == "text" and given_as.data is not None:
        source, text = Source(media_type=given_as.media_type), given_as.data
    elif given_as.type == "content":
        found = _texts(given_as.content)
        if found is not None:
            source, text = Source(), "\n\n".join(found)
            pieces = () if bytes(given_as.content)[:1] == b'"' else found
    if source is None:
        return foreign(f"document of source {given_as.type}", raw)
    return Document(
        source=source,
        text=text,
        pieces=pieces,
        name=block.title,
        context=block.context,
        cited=block.citations is not None and block.citations.enabled is True,
        cache=read_mark(block.cache_control),
    )


def _texts(content: Raw) -> tuple[str, ...] | None:
    """The texts that a document consists of; None if it is more than texts."""
    if not given(content):
        return None
    blocks = _decode_texts(content)
    if isinstance(blocks, str):
        return (blocks,)
    found = []
    for block in blocks:
        if decode_type(block).type != "text":
            return None
        text = _decode_text(block)
        if text.cache_control is not None or text.citations:
            return None
        found.append(text.text)
    return tuple(found)


def _read_thinking(raw: Raw) -> Part:
    block = _decode_thinking(raw)
    return Reasoning(text=block.thinking, signature=block.signature or None, origin=NAME)


def _read_redacted(raw: Raw) -> Part:
    return Reasoning(redacted=_decode_redacted(raw).data, origin=NAME)


def _read_tool_use(raw: Raw) -> Part:
    block = _decode_tool_use(raw)
    if block.caller is not None and block.caller.type != "direct":
        return foreign(f"tool_use called by {block.caller.type}", raw)
    return ToolCall(
        id=block.id,
        name=block.name,
        arguments=bytes(block.input).decode() if given(block.input) else "{}",
        cache=read_mark(block.cache_control),
    )


def _read_result(raw: Raw) -> Part:
    block = decode_result(raw)
    return ToolResult(call_id=block.tool_use_id, parts=(), failed=block.is_error is True)


_READERS: dict[str, Callable[[Raw], Part]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "thinking": _read_thinking,
    "redacted_thinking": _read_redacted,
    "tool_use": _read_tool_use,
    "tool_result": _read_result,
}


def write_blocks(parts: Iterable[Part], *, asking: bool) -> list[object]:
    """Parts as blocks, without what the dialect has no words for.

    Args:
        asking: whether they are for a provider, which refuses thoughts that it has not signed, and
            empty texts. A client is shown the thoughts of whoever answered.
    """
    written = (_write(part, asking=asking) for part in parts)
    return [block for block in written if block is not None]


def _write(part: Part, *, asking: bool) -> object | None:
    match part:
        case Text():
            if asking and not part.text:
                return None
            return _marked(_write_text(part), part.cache)
        case Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Image():
            return _marked({"type": "image", "source": _write_source(part.source)}, part.cache)
        case Document():
            return _marked(_write_document(part), part.cache)
        case Reasoning():
            return _write_reasoning(part, asking=asking)
        case ToolCall():
            block = {
                "type": "tool_use",
                "id": tool_id(part.id),
                "name": part.name,
                "input": tool_input(part.arguments),
            }
            return _marked(block, part.cache)
        case ToolResult():
            return _write_result(part)
        case Foreign():
            return part.raw if part.origin == NAME else None
        case _:
            return None


def _marked(block: dict[str, object], mark: CacheMark | None) -> dict[str, object]:
    if mark is not None:
        block["cache_control"] = write_mark(mark)
    return block


def write_mark(mark: CacheMark) -> dict[str, object]:
    """`cache_control`; only with a duration that the dialect knows."""
    control: dict[str, object] = {"type": "ephemeral"}
    if mark.ttl in _TTLS:
        control["ttl"] = mark.ttl
    return control


def _write_text(part: Text) -> dict[str, object]:
    block: dict[str, object] = {"type": "text", "text": part.text}
    cited = [found for one in part.citations if (found := write_citation(one)) is not None]
    if cited:
        block["citations"] = cited
    return block


def write_citation(citation: Citation) -> object | None:
    """A citation as this dialect writes it; those of others if they name a page."""
    if citation.origin == NAME and given(citation.raw):
        return citation.raw
    if citation.url is None:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quoted or "",
        "encrypted_index": "",
    }


def _write_source(source: Source) -> dict[str, object]:
    if source.data is not None:
        kind = source.media_type or _kind_of_image(source.data)
        return {"type": "base64", "media_type": kind, "data": source.data}
    if source.file_id is not None:
        return {"type": "file", "file_id": source.file_id}
    return {"type": "url", "url": source.url or ""}


def _kind_of_image(data: str) -> str:
    return next((kind for begins, kind in _IMAGES.items() if data.startswith(begins)), "image/png")


def _write_document(part: Document) -> dict[str, object]:
    block: dict[str, object] = {"type": "document", "source": _document_source(part)}
    if part.name:
        block["title"] = part.name
    if part.context:
        block["context"] = part.context
    if part.cited:
        block["citations"] = {"enabled": True}
    return block


def _document_source(part: Document) -> dict[str, object]:
    source = part.source
    if part.pieces:
        content = [{"type": "text", "text": piece} for piece in part.pieces]
        return {"type": "content", "content": content}
    text = part.text
    if text is None and source.data is not None and (source.media_type or "").startswith("text/"):
        text = _plain(source.data)  # base64 is for PDF alone
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    if source.data is not None:
        kind = source.media_type or "application/pdf"
        return {"type": "base64", "media_type": kind, "data": source.data}
    return _write_source(source)


def _plain(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:  # of base64, of characters that it has not, or no UTF-8
        return None


def _write_reasoning(part: Reasoning, *, asking: bool) -> dict[str, object] | None:
    ours = part.origin == NAME
    if ours and part.redacted is not None:
        return {"type": "redacted_thinking", "data": part.redacted}
    signature = part.signature if ours else None
    if asking and not signature:
        return None
    if not asking and not (part.text or signature):
        return None
    return {"type": "thinking", "thinking": part.text, "signature": signature or ""}


def _write_result(part: ToolResult) -> dict[str, object]:
    block: dict[str, object] = {"type": "tool_result", "tool_use_id": tool_id(part.call_id)}
    content = write_blocks(part.parts, asking=True)
    if content:
        block["content"] = content
    if part.failed:
        block["is_error"] = True
    return _marked(block, part.cache)


def tool_id(given_id: str) -> str:
    """An id that the API takes; always the same for the same one, so that results find calls."""
    if given_id and _NOT_OF_IDS.search(given_id) is None:
        return given_id
    mark = hashlib.blake2s(given_id.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{_NOT_OF_IDS.sub('_', given_id)[:40] or 'call'}_{mark}"


def tool_input(arguments: str) -> object:
    """The arguments of a call as the object that `input` must be."""
    if not arguments.strip():
        return {}
    try:
        _decode_object(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # What a model of another provider made of it; shown as it is, so that nothing is hidden.
        return {"arguments": arguments}
    return Raw(arguments.encode())
