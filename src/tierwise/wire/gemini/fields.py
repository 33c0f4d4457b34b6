"""Objects of Gemini's requests: names in either case, and errors that say where something is wrong.

Google takes every field of a request in camelCase and in snake_case, and one object where a list of
them is meant (protobuf.dev/programming-guides/json). Whatever nobody took stays in `left`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tierwise.errors import InvalidRequest

_SHOWN = 60
_encode = msgspec.json.Encoder().encode


class Fields:
    """An object at the place `at` of a body, whose fields are taken one by one.

    Args:
        value: what stands there; `InvalidRequest` unless it is an object.
        at: its place in the body, such as `contents[0]`; empty for the body itself.
    """

    __slots__ = ("_written", "at", "left")

    def __init__(self, value: object, at: str) -> None:
        if not isinstance(value, dict):
            raise wrong(at or "the body", value, "an object")
        self.at = at
        self.left: dict[str, object] = {}
        self._written: dict[str, str] = {}
        for name, held in value.items():
            if held is None:
                continue
            known = name
            if "_" in name:
                known = camel(name)
                self._written[known] = name
            self.left[known] = held

    def place(self, name: str) -> str:
        """Where a field stands in the body, in the words that the client used."""
        written = self._written.get(name, name)
        return f"{self.at}.{written}" if self.at else written

    def take(self, name: str) -> object:
        """The field's value as it is; None if it is missing."""
        return self.left.pop(name, None)

    def text(self, name: str) -> str | None:
        """A string."""
        value = self.left.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise wrong(self.place(name), value, "a string")
        return value

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self.left.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.place(name), value, "true or false")
        return value

    def number(self, name: str) -> float | None:
        """Any number."""
        value = self.left.pop(name, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(self.place(name), value, "a number")
        return float(value) if abs(value) < 1e300 else _too_large(self.place(name), value)

    def whole(self, name: str, least: int | None = None, most: int | None = None) -> int | None:
        """A whole number within these bounds, even if it is written as `40.0`."""
        value = self.left.pop(name, None)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(self.place(name), value, "a whole number")
        if least is not None and value < least:
            raise wrong(self.place(name), value, f"at least {least}")
        if most is not None and value > most:
            raise wrong(self.place(name), value, f"at most {most}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        found: list[str] = []
        for value, at in self.each(name):
            if not isinstance(value, str):
                raise wrong(at, value, "a string")
            found.append(value)
        return tuple(found)

    def each(self, name: str) -> list[tuple[object, str]]:
        """The members of a list, each with its place; a single one may stand for a list of it."""
        value = self.left.pop(name, None)
        if value is None:
            return []
        at = self.place(name)
        if isinstance(value, list):
            return [(one, f"{at}[{index}]") for index, one in enumerate(value)]
        return [(value, at)]

    def inner(self, name: str) -> Fields | None:
        """The object that a field holds."""
        value = self.left.pop(name, None)
        return None if value is None else Fields(value, self.place(name))

    def rest(self, before: str = "") -> dict[str, Raw]:
        """What nobody took, as JSON by its path."""
        return {before + name: as_json(value) for name, value in self.left.items()}


def _too_large(at: str, value: object) -> float:
    raise wrong(at, value, "a number of a usual size")


def camel(name: str) -> str:
    """A field's name in camelCase."""
    first, *others = name.strip("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def as_json(value: object) -> Raw:
    """A value as the JSON of it."""
    return Raw(_encode(value))


def wrong(at: str, value: object, wanted: str, remedy: str = "") -> InvalidRequest:
    """The error that what stands at a place is not what is wanted there."""
    shown = _encode(value).decode("utf-8", "replace")
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 3] + "..."
    name = f"`{at}`" if at != "the body" else "The body"
    text = f"{name} must be {wanted}, not {shown}."
    return InvalidRequest(
        f"{text} {remedy}".strip(), param=None if at == "the body" else at.removeprefix("$.")
    )
