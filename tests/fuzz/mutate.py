"""Spoils JSON, as bytes and as values. All that is random comes from what is passed in."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

_NASTY = (
    *(b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xef\xbb\xbf", b"\x1f\x8b"),
    *(b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":"),
    *(b"null", b"NaN", b"Infinity", b"-", b"-0", b"0x1", b"1e999", b"1e-999", b"1" * 400),
    *(b"1" * 5000, b"\n\n", b"\r", b"data: ", b"event: x\n", b"[DONE]"),
)
_NUMBERS = (
    *(0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400),
    *(0.5, -0.0, 1e308, float("nan"), float("inf")),
)
_TEXTS = (
    *("", " ", "\x00", "\ud800", "a\udfff", "🙂", "\n", "null", "auto", "user", "assistant"),
    *("tool", "function", "data:;base64,", "https://", "data:image/png;base64,%%%"),
)
_OBJECTS: tuple[Any, ...] = (
    *({}, {"": None}, {"type": None}, {"type": "text"}, {"type": "text", "text": None}),
    *({"text": 1}, {"url": "x"}, {"url": "data:,"}, {"url": "data:image/png;base64,%%%"}),
    *({"role": "tool"}, {"a": {"b": {"c": []}}}, {"type": "object", "properties": None}),
    *({"$ref": "#"}, {"type": ["string", "null"]}),
)
_LISTS: tuple[Any, ...] = ([], [[]], [{}], [None])
_VALUES = (None, True, False, *_NUMBERS, *_TEXTS, *_OBJECTS, *_LISTS)
_NAMES = (
    *("x", "type", "id", "name", "content", "text", "role", "n", "", "\ud800", "stream"),
    *("url", "data", "index", "model", "usage", "error"),
)
_MOST_REPEATED = 20_000
_LONG = (1000, 10_000, 100_000)
_DEPTHS = (20, 200, 600, 1100, 5000, 60_000)


def spoiled(value: Any, random: Random) -> bytes:
    """The JSON of a value, spoiled once or more; one in twenty is left as it was."""
    way = random.random()
    if way < 0.05:
        return encoded(value, random.choice((None, 1)))
    if way < 0.45:
        return spoiled_bytes(encoded(value), random)
    for _ in range(_few(random)):
        value = spoiled_value(value, random)
    body = encoded(value, random.choice((None, None, None, 1)))
    return spoiled_bytes(body, random) if way > 0.9 else body


def encoded(value: Any, indent: int | None = None) -> bytes:
    """A value as JSON; half surrogates are written as escapes, as a careless client would."""
    return json.dumps(value, indent=indent).encode()


def spoiled_bytes(data: bytes, random: Random) -> bytes:
    """Bytes of which a few were changed."""
    for _ in range(_few(random)):
        data = random.choice(_WAYS)(data, random)
    return data


def spoiled_value(value: Any, random: Random) -> Any:
    """A copy of a value in which one place is another."""
    places = list(_places(value))
    return _replaced(value, random.choice(places), random)


def cuts(data: bytes, random: Random) -> list[bytes]:
    """Bytes as they may come from a socket."""
    if random.random() < 0.2:
        return [data]
    most = max(1, len(data) // random.choice((1, 3, 10, 50)))
    pieces: list[bytes] = []
    place = 0
    while place < len(data):
        end = place + random.randint(1, most)
        pieces.append(data[place:end])
        place = end
    return pieces


def _few(random: Random) -> int:
    return random.choice((1, 1, 1, 2, 3, 8))


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _drop(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randint(1, 30) :]


def _repeat(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    piece = data[at : at + random.randint(1, 60)]
    return data[:at] + piece * random.choice((2, 3, 50)) + data[at:]


def _insert(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(_NASTY) + data[at:]


def _overwrite(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    piece = random.choice(_NASTY)
    return data[:at] + piece + data[at + len(piece) :]


def _splice(data: bytes, random: Random) -> bytes:
    one, other = random.randrange(len(data) + 1), random.randrange(len(data) + 1)
    return data[:one] + data[other:]


def _nest(data: bytes, random: Random) -> bytes:
    depth = random.choice(_DEPTHS)
    opens, closes = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"parts":[', b"]}")))
    inner = b"1" if random.random() < 0.5 else b'"x"'
    nested = opens * depth + inner + (closes * depth if random.random() < 0.8 else b"")
    at = data.find(b": ", random.randrange(len(data) + 1))
    if at < 0:
        return nested
    end = random.choice(
        [i for i in (data.find(b", ", at), data.find(b"}", at), len(data)) if i > 0]
    )
    return data[: at + 2] + nested + data[end:]


def _twice(data: bytes, random: Random) -> bytes:
    """A key that is there twice."""
    begin = data.find(b'"', random.randrange(len(data) + 1))
    end = data.find(b'": ', begin)
    if begin < 0 or not 0 <= end - begin < 40:
        return data
    key = data[begin : end + 3]
    return (
        data[:begin]
        + key
        + random.choice((b"1, ", b"null, ", b'"x", ', b"[], ", b"{}, "))
        + data[begin:]
    )


_Way = Callable[[bytes, Random], bytes]
_WAYS: tuple[_Way, ...] = (
    _flip, _flip, _cut, _drop, _repeat, _insert, _insert, _overwrite, _splice, _nest, _twice,
)  # fmt: skip

_Place = tuple[str | int, ...]


def _places(value: Any, here: _Place = ()) -> Any:
    """Where a value has a value."""
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*here, index))


def _replaced(value: Any, place: _Place, random: Random) -> Any:
    if not place:
        return _another(value, random)
    step, rest = place[0], place[1:]
    if isinstance(value, dict):
        if not rest and random.random() < 0.2:
            return {key: inner for key, inner in value.items() if key != step}
        return {k: _replaced(v, rest, random) if k == step else v for k, v in value.items()}
    if not rest and random.random() < 0.2:
        return [v for i, v in enumerate(value) if i != step]
    return [_replaced(v, rest, random) if i == step else v for i, v in enumerate(value)]


def _another(value: Any, random: Random) -> Any:
    way = random.random()
    if way < 0.1:
        return random.choice("x🙂\n") * random.choice(_LONG)
    if way < 0.15:
        return [value]
    if way < 0.2:
        return {"type": "text", "text": value}
    if way < 0.25 and len(encoded(value)) < _MOST_REPEATED:
        return [value] * random.choice((2, 3, 100))
    if isinstance(value, dict) and way < 0.5:
        name = random.choice(_NAMES)
        return {**value, name: random.choice(_VALUES)}
    if isinstance(value, list) and way < 0.5:
        return [*value, random.choice(_VALUES)]
    if isinstance(value, str) and way < 0.4:
        at = random.randrange(len(value) + 1)
        return (
            value[:at] + random.choice(("\ud800", "\x00", "\n\n", '"', "\u2028", "é")) + value[at:]
        )
    if isinstance(value, int | float) and way < 0.4:
        return -value if random.random() < 0.5 else str(value)
    return random.choice(_VALUES)
