"""The JSON Schema for editors: what may be written, which is more than what is read of it."""

from __future__ import annotations

from typing import Any

_REFERENCE = {"type": "string", "pattern": r"\$\{[^}]+\}"}
"""A text with `${NAME}` or `${file:PATH}`, which is only looked up when it is read."""
_NO_TEXT = frozenset({"integer", "number", "boolean"})
_BOUNDS = frozenset({"pattern", "minLength", "maxLength", "enum", "format"})
_TOLD = ("title", "description", "default")
"""What an editor shows of a field."""


def for_editors(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, in which a reference may stand wherever one value may, whatever its bounds."""
    told = {name: schema[name] for name in _TOLD if name in schema}
    if _bounded(schema):
        rest = {name: value for name, value in schema.items() if name not in told}
        return {"anyOf": [rest, _REFERENCE], **told}
    return {name: _within(name, value) for name, value in schema.items()}


def _within(name: str, value: Any) -> Any:
    if name in ("properties", "$defs"):
        return {field: for_editors(shape) for field, shape in value.items()}
    if name in ("items", "additionalProperties") and isinstance(value, dict):
        return for_editors(value)
    if name == "anyOf":
        return [for_editors(choice) for choice in value]
    return value


def _bounded(schema: dict[str, Any]) -> bool:
    """Whether it is of one value, of which not every text is one."""
    kind = schema.get("type")
    return kind in _NO_TEXT or (kind == "string" and bool(_BOUNDS & schema.keys()))
