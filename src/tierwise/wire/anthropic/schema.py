"""JSON Schemas as Anthropic takes them for structured outputs.

Objects must say `additionalProperties: false`, and limits of numbers, lengths and counts are
refused (platform.claude.com, "Structured outputs", "JSON Schema limitations"). What is written here
is narrower in the first and says the second in words: whatever satisfied the caller's schema in the
answer still does, and gates check the caller's own.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from tierwise.wire.unreadable import UNREADABLE

_KEPT = frozenset(
    {
        *("$defs", "definitions", "$ref", "type", "anyOf", "allOf", "enum", "const"),
        *("description", "title", "default", "properties", "required", "additionalProperties"),
        *("items", "format", "minItems"),
    }
)
_FORMATS = frozenset(
    {
        *("date-time", "time", "date", "duration", "email", "hostname"),
        *("uri", "ipv4", "ipv6", "uuid"),
    }
)
_MOST_DEEP = 200

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def closed(schema: Raw) -> Raw:
    """The schema as the API takes it; as it is if it cannot be read as one."""
    try:
        read = _decode(schema)
    except UNREADABLE:
        return schema
    if not isinstance(read, dict):
        return schema
    return Raw(_encode(_closed(read, _MOST_DEEP)))


def _closed(schema: Any, deep: int) -> Any:
    if not isinstance(schema, dict) or deep == 0:
        return schema
    out: dict[str, Any] = {}
    said: list[str] = []
    for name, value in schema.items():
        if name == "oneOf":
            out["anyOf"] = _each(value, deep)
        elif name not in _KEPT or not _taken(name, value):
            said.append(f"{name}: {_encode(value).decode()}")
        elif name in ("$defs", "definitions", "properties") and isinstance(value, dict):
            out[name] = {key: _closed(one, deep - 1) for key, one in value.items()}
        elif name in ("anyOf", "allOf"):
            out[name] = _each(value, deep)
        elif name == "items":
            out[name] = _closed(value, deep - 1)
        else:
            out[name] = value
    if _is_object(out):
        out["additionalProperties"] = False
    if said:
        words = "{" + ", ".join(said) + "}"
        before = out.get("description")
        out["description"] = f"{before}\n\n{words}" if before else words
    return out


def _each(value: Any, deep: int) -> Any:
    return [_closed(one, deep - 1) for one in value] if isinstance(value, list) else value


def _taken(name: str, value: Any) -> bool:
    if name == "format":
        return value in _FORMATS if isinstance(value, str) else False
    if name == "minItems":
        return value in (0, 1)
    return True


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or "properties" in schema or (isinstance(kind, list) and "object" in kind)
    )
