"""A smallest value that satisfies a JSON Schema, for prompts that nobody has an answer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEPTH = 12
"""Recursive schemas end here, with null."""


def instance(schema: Any, root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A value that a schema allows, as far as types, enums and required fields go."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return None
    root = schema if root is None else root
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return instance(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            return instance(schema[word][0], root, depth + 1)
    if schema.get("allOf"):
        parts = [instance(part, root, depth + 1) for part in schema["allOf"]]
        merged: dict[str, Any] = {}
        for part in parts:
            merged.update(part if isinstance(part, dict) else {})
        return merged or parts[0]
    return _typed(schema, root, depth)


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or "properties" in schema:
        fields = schema.get("properties", {})
        return {name: instance(field, root, depth + 1) for name, field in fields.items()}
    if kind == "array":
        one = instance(schema.get("items", {"type": "string"}), root, depth + 1)
        return [one] * max(1, int(schema.get("minItems", 1)))
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        return int(least) + (1 if "exclusiveMinimum" in schema else 0)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return "simulated".ljust(int(schema.get("minLength", 0)), ".")


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
    return found
