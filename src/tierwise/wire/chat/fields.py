"""Takes the fields of a JSON object one by one; what is left of it is what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from tierwise.wire.openai_mistakes import explained
from tierwise.wire.unreadable import UNREADABLE

T = TypeVar("T")
ABSENT = Raw(b"")
_NULL = b"null"
_decode_text = msgspec.json.Decoder(str).decode
_decode_yes = msgspec.json.Decoder(bool).decode
_decode_whole = msgspec.json.Decoder(int).decode
_decode_number = msgspec.json.Decoder(float).decode


class Fields:
    """The fields of an object in a request, at `path` in its body ("" for the body itself)."""

    __slots__ = ("path", "rest")

    def __init__(self, fields: dict[str, Raw], path: str = "") -> None:
        self.rest = fields
        self.path = path

    def at(self, name: str) -> str:
        """Where a field stands in the body."""
        return f"{self.path}.{name}" if self.path else name

    def raw(self, name: str) -> Raw:
        """The JSON of a field; empty if it is missing or null."""
        value = self.rest.pop(name, ABSENT)
        return ABSENT if value is ABSENT or bytes(value) == _NULL else value

    def take(self, name: str, decode: Callable[[Raw], T]) -> T | None:
        """What a field holds; None if it is missing or null.

        Raises:
            InvalidRequest: it is not what the decoder wants.
        """
        if name not in self.rest:
            return None  # as most are
        value = self.raw(name)
        if value is ABSENT:
            return None
        try:
            return decode(value)
        except UNREADABLE as error:
            raise explained(error, value, self.at(name)) from None

    def text(self, name: str) -> str | None:
        """A string."""
        return self.take(name, _decode_text)

    def yes(self, name: str) -> bool | None:
        """A truth value."""
        return self.take(name, _decode_yes)

    def whole(self, name: str) -> int | None:
        """A whole number."""
        return self.take(name, _decode_whole)

    def number(self, name: str) -> float | None:
        """A number."""
        return self.take(name, _decode_number)

    def left(self) -> dict[str, Raw]:
        """What was not taken and says something."""
        return {name: value for name, value in self.rest.items() if bytes(value) != _NULL}
