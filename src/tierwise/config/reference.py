"""The tables of docs/configuration.md: `python -m tierwise.config.reference` prints them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tierwise.config.schema import json_schema

Place = Mapping[str, Any]
_REFERENCE = re.compile(r"\\\$\\\{")
"""How the pattern of a reference such as `${PORT}` begins, which any field takes."""
_MOST_WORDS = 8
_PAGE = re.compile(r"(?<![\w/])docs/([\w-]+)\.md")
_PLAIN = {"string": "text", "boolean": "true or false", "number": "number", "integer": "number"}


def tables() -> Iterator[str]:
    """The lines of all tables, a heading before each: every field of the configuration once."""
    schema = json_schema()
    shapes: Mapping[str, Place] = schema["$defs"]
    waiting: list[tuple[str, Place]] = [("", schema)]
    shown: set[str] = set()
    while waiting:
        path, shape = waiting.pop(0)
        if path:
            yield from ("", f"## {path}", "")
        yield "| field | value | unless written | what it is |"
        yield "| --- | --- | --- | --- |"
        below = []
        for name, place in shape["properties"].items():
            field = f"{path}.{name}" if path else name
            yield _row(name, place, required=name in shape.get("required", ()))
            for kind, inner in _sections(place, field):
                if kind not in shown:
                    shown.add(kind)
                    below.append((inner, shapes[kind]))
        waiting = [*below, *waiting]


def _row(name: str, place: Place, *, required: bool) -> str:
    default = place.get("default")
    unless = "" if default in (None, "") else f"`{json.dumps(default)}`"
    unless = "must be written" if required else unless
    what = _PAGE.sub(r"[\1](\1.md)", place["description"]).replace("|", "\\|")
    return f"| `{name}` | {_value(place)} | {unless} | {what} |"


def _choices(place: Place) -> list[Place]:
    """What a field may be, without null and without a reference, which all may be."""
    if "anyOf" not in place:
        return [place]
    return [
        inner
        for one in place["anyOf"]
        if one.get("type") != "null" and not _REFERENCE.match(one.get("pattern", ""))
        for inner in _choices(one)
    ]


def _value(place: Place) -> str:
    return " or ".join(dict.fromkeys(_one(choice) for choice in _choices(place)))


def _one(place: Place) -> str:
    if "$ref" in place:
        return "fields, below"
    words = place.get("enum", [place["const"]] if "const" in place else [])
    if words:
        return ", ".join(f"`{word}`" for word in words) if len(words) <= _MOST_WORDS else "text"
    if place.get("writeOnly"):
        return "secret"
    if place.get("type") == "array":
        return f"list of {_value(place['items'])}" if "items" in place else "list"
    if place.get("type") == "object":
        inner = place.get("additionalProperties")
        return f"by name: {_value(inner)}" if isinstance(inner, dict) else "fields"
    return _PLAIN.get(place.get("type", ""), "any") + _bounds(place)


def _bounds(place: Place) -> str:
    least, most = place.get("minimum"), place.get("maximum")
    above = place.get("exclusiveMinimum")
    low = (
        f"from {least:g}" if least is not None else f"above {above:g}" if above is not None else ""
    )
    # What is only there so that nobody writes nonsense tells nobody anything.
    high = f"to {most:g}" if most is not None and most <= 100_000 else ""
    said = " ".join(filter(None, (low, high)))
    return f", {said}" if said else ""


def _sections(place: Place, path: str) -> Iterator[tuple[str, str]]:
    """The shapes that a field holds, each with the path of its own fields."""
    for choice in _choices(place):
        if "$ref" in choice:
            yield choice["$ref"].rpartition("/")[2], path
        if isinstance(choice.get("items"), dict):
            yield from _sections(choice["items"], f"{path}[]")
        if isinstance(choice.get("additionalProperties"), dict):
            yield from _sections(choice["additionalProperties"], f"{path}.NAME")


if __name__ == "__main__":
    print("\n".join(tables()))  # noqa: T201
