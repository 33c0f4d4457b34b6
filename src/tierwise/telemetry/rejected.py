"""What a collector says that it has not taken of what it has answered with 200.

The answers are `ExportTraceServiceResponse` and `ExportMetricsServiceResponse` of
https://github.com/open-telemetry/opentelemetry-proto (v1), which are alike:

    partial_success = 1 { rejected = 1 (int64), error_message = 2 (string) }
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MOST_BITS = 63
_MOST_CHARS = 200


def rejected(answer: bytes) -> tuple[int, str]:
    """How many spans or points were rejected, and what is said of it. What cannot be read as such
    an answer says nothing; some collectors answer in JSON, whatever they are sent."""
    count, said = 0, ""
    try:
        for field, partial in _fields(answer):
            if field == 1 and isinstance(partial, bytes):
                for inner, value in _fields(partial):
                    if inner == 1 and isinstance(value, int):
                        count = 0 if value >> _MOST_BITS else value  # below 0 it says nothing
                    elif inner == 2 and isinstance(value, bytes):
                        said = value.decode("utf-8", "replace")[:_MOST_CHARS]
    except (IndexError, ValueError):
        return 0, ""
    return count, said


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value.

    Raises:
        IndexError, ValueError: it is none of protobuf's messages.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_EIGHT, _FOUR):
            size = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(wire)
        if at + size > len(data):
            raise IndexError(size)
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = 0
    for place in range(10):
        byte = data[at + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError("a number of more than ten bytes")
