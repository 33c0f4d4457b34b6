"""Marks for a provider's cache, in bodies for providers that refuse what they do not know."""

from __future__ import annotations

import msgspec
from msgspec import Raw

_MARK = "cache_control"
_FOUND = b'"cache_control"'
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_encode = msgspec.json.Encoder().encode


def without_cache_marks(body: bytes) -> bytes:
    """A request without `cache_control` on itself, on parts of its messages and on its tools.

    Everything else keeps its bytes; a body that cannot be read stays as it is.
    """
    if _FOUND not in body:
        return body
    try:
        fields = _decode_fields(body)
        fields.pop(_MARK, None)
        if _has_mark(fields.get("tools")):
            tools = _decode_list(fields["tools"])
            fields["tools"] = Raw(_encode([_unmarked(tool) for tool in tools]))
        if _has_mark(fields.get("messages")):
            messages = _decode_list(fields["messages"])
            fields["messages"] = Raw(_encode([_message(message) for message in messages]))
        return _encode(fields)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body


def _has_mark(value: Raw | None) -> bool:
    return value is not None and _FOUND in bytes(value)


def _unmarked(fields: dict[str, Raw]) -> dict[str, Raw]:
    fields.pop(_MARK, None)
    return fields


def _message(message: dict[str, Raw]) -> dict[str, Raw]:
    content = _unmarked(message).get("content")
    if content is not None and bytes(content)[:1] == b"[" and _has_mark(content):
        message["content"] = Raw(_encode([_unmarked(part) for part in _decode_list(content)]))
    return message
