"""Gemini's schemas, a subset of OpenAPI 3.0 with types in capitals, as JSON Schema.

Requests are written with `parametersJsonSchema` and `responseJsonSchema`, which take JSON Schema
itself: ai.google.dev/api/generate-content, ai.google.dev/api/caching#FunctionDeclaration.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tierwise.wire.gemini.fields import camel

_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
"""Of type int64, which JSON of protobuf writes as strings."""
_ONE_SCHEMA = frozenset({"items", "additionalProperties"})
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def json_schema(schema: object) -> object:
    """A schema of Gemini's as JSON Schema; what is none stays as it is."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, object] = {}
    nullable = False
    for written, value in schema.items():
        name = camel(written) if "_" in written else written
        if name == "nullable":
            nullable = value is True
        elif name == "type" and isinstance(value, str):
            if value != "TYPE_UNSPECIFIED":
                out["type"] = value.lower()
        elif name == "format" and value == "enum":
            continue  # says only that there is an `enum`
        else:
            known, converted = _field(name, value)
            out[known] = converted
    return _or_null(out) if nullable else out


def _field(name: str, value: object) -> tuple[str, object]:
    if name in ("defs", "ref"):
        name = f"${name}"
    if name in ("properties", "$defs") and isinstance(value, dict):
        return name, {key: json_schema(one) for key, one in value.items()}
    if name in _ONE_SCHEMA:
        return name, json_schema(value)
    if name == "anyOf" and isinstance(value, list):
        return name, [json_schema(one) for one in value]
    if name in _COUNTS and isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return name, int(value)
    if name == "example":
        return "examples", [value]
    return name, value


def _or_null(schema: dict[str, object]) -> dict[str, object]:
    """The schema, or null: OpenAPI's `nullable`."""
    kind, choices, enum = schema.get("type"), schema.get("anyOf"), schema.get("enum")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    if isinstance(choices, list):
        schema["anyOf"] = [*choices, {"type": "null"}]
    if isinstance(enum, list) and None not in enum:
        schema["enum"] = [*enum, None]
    return schema


def tidied(schema: Raw) -> Raw:
    """A JSON Schema without words that Gemini passes over although they say something."""
    raw = bytes(schema)
    if b'"const"' not in raw and b'"$schema"' not in raw:
        return schema
    return Raw(_encode(_tidied(_decode(raw))))


def _tidied(value: object) -> object:
    if isinstance(value, list):
        return [_tidied(one) for one in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, object] = {}
    for name, held in value.items():
        if name == "$schema" and isinstance(held, str):
            continue
        if name == "const" and "enum" not in value and not isinstance(held, dict):
            out["enum"] = [held]
        elif name in ("enum", "default", "examples"):
            out[name] = held
        else:
            out[name] = _tidied(held)
    return out
