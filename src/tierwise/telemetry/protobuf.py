"""OTLP's messages, written as bytes.

What a span of OpenTelemetry's SDK costs, from its start to its bytes, is 50 µs, half of what a
whole request costs the gateway; written directly and with what repeats kept, it is a twentieth.
Field numbers are those of https://github.com/open-telemetry/opentelemetry-proto (v1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

DOUBLE = struct.Struct("<d").pack
"""The eight bytes of a floating-point number."""
_FIXED64 = struct.Struct("<Q").pack
BYTES, FIXED64 = 2, 1
"""Wire types: of what has a length, and of eight bytes."""
_MOST_TEXT = 65_536
"""Characters of a text; collectors refuse what is much larger as a whole."""

Value = str | bool | int | float | Sequence[str]


@lru_cache(maxsize=8_192)
def varint(number: int) -> bytes:
    """A number that is not negative, in as few bytes as it takes; kept, as sizes repeat."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def tag(field: int, wire: int = BYTES) -> bytes:
    """What a field begins with."""
    return varint(field << 3 | wire)


def message(field: int, *parts: bytes) -> bytes:
    """A field that is a message, or bytes."""
    body = b"".join(parts)
    return beginning(field, len(body)) + body


def beginning(field: int, size: int) -> bytes:
    """What a field that is a message of so many bytes begins with."""
    return tag(field) + varint(size)


def text(field: int, value: str) -> bytes:
    """A field that is a string."""
    return message(field, value[:_MOST_TEXT].encode("utf-8", "replace"))


def number(field: int, value: int) -> bytes:
    """A field that is a number, an enum or a bool."""
    return tag(field, 0) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    """A field of eight bytes."""
    return tag(field, FIXED64) + _FIXED64(value)


def double(field: int, value: float) -> bytes:
    """A field that is a floating-point number."""
    return tag(field, FIXED64) + DOUBLE(value)


def packed(field: int, values: Iterable[bytes]) -> bytes:
    """A repeated field of numbers in one piece."""
    return message(field, *values)


def packed_fixed64(field: int, values: Iterable[int]) -> bytes:
    """Whole numbers of eight bytes each."""
    return packed(field, (_FIXED64(value) for value in values))


def packed_doubles(field: int, values: Iterable[float]) -> bytes:
    """Floating-point numbers."""
    return packed(field, (DOUBLE(value) for value in values))


def attribute(field: int, key: str, value: Value) -> bytes:
    """A `KeyValue` as a field of the message that has attributes."""
    return message(field, text(1, key), message(2, _any(value)))


def attributes(field: int, pairs: Iterable[tuple[str, Value | None]]) -> bytes:
    """Those that have a value."""
    return b"".join(attribute(field, key, value) for key, value in pairs if value is not None)


@lru_cache(maxsize=65_536)
def count_attribute(field: int, key: str, value: int) -> bytes:
    """As `attribute`; kept, as counts of tokens repeat."""
    return attribute(field, key, value)


@lru_cache(maxsize=256)
def double_head(field: int, key: str) -> bytes:
    """An attribute that is a floating-point number, all but the number's eight bytes."""
    # A double's value is 9 bytes with its tag, whatever it is; so all before it is always the same.
    return attribute(field, key, 0.0)[:-8]


def double_attribute(field: int, key: str, value: float) -> bytes:
    """As `attribute`, for a floating-point number."""
    return double_head(field, key) + DOUBLE(value)


@lru_cache(maxsize=4096)
def _text_head(field: int, key: str, size: int) -> bytes:
    """All of an attribute but the text itself, which has so many bytes."""
    inner = message(1, bytes(size))
    whole = message(field, text(1, key), message(2, inner))
    return whole[:-size] if size else whole


def text_attribute(field: int, key: str, value: str) -> bytes:
    """As `attribute`, for texts of a few lengths, such as ids."""
    data = value[:_MOST_TEXT].encode("utf-8", "replace")
    return _text_head(field, key, len(data)) + data


def _any(value: Value) -> bytes:
    """The fields of an `AnyValue`."""
    if isinstance(value, str):
        return text(1, value)
    if isinstance(value, bool):
        return number(2, value)
    if isinstance(value, int):
        return number(3, value & 0xFFFF_FFFF_FFFF_FFFF)  # below 0 as two's complement
    if isinstance(value, float):
        return double(4, value)
    return message(5, *(message(1, _any(one)) for one in value))
