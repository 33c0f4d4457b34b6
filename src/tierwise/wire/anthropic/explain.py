"""What is wrong with a body, in words that a caller of the Messages API can act on."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.surrogates import half_character
from tierwise.wire.unreadable import UNREADABLE

_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WRONG = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_REMEDIES = {
    "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
    "messages": 'Send a list such as [{"role": "user", "content": "Hello"}].',
    "max_tokens": "Send the most tokens that the answer may have, for example 1024.",
}
_SHOWN = 60

_decode_any = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def explained(error: Exception, body: bytes, at: str = "") -> InvalidRequest:
    """The error of a decoder as one that names the field, the value and the remedy.

    Args:
        body: the JSON that was read.
        at: the path of that JSON in the request, such as `messages[0].content[1]`.
    """
    if isinstance(error, msgspec.ValidationError):
        return _wrong_field(error, body, at)
    if isinstance(error, RecursionError):
        return InvalidRequest(
            "The body is nested too deeply. Send a JSON object with `model` and `messages`."
        )
    half = half_character(body)
    if half is not None:
        return InvalidRequest(
            f"The body contains half a character: `{half}` is one half of a surrogate pair, and "
            "the other half is missing. Send the whole character, or leave it out."
        )
    return InvalidRequest(
        f"The body is not valid JSON: {error}. Send a JSON object with `model`, `max_tokens` and "
        "`messages`."
    )


def refused(path: str, wrong: str, value: object) -> InvalidRequest:
    """An error about a value that has the right type; `wrong` says what it must be."""
    shown = msgspec.json.encode(value).decode()
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
    return InvalidRequest(f"`{path}` is {shown}; {wrong}", param=path)


def _wrong_field(error: msgspec.ValidationError, body: bytes, at: str) -> InvalidRequest:
    text = str(error)
    found = _PATH.search(text)
    inner = found["path"] if found else ""
    text = _PATH.sub("", text)
    missing = _MISSING.match(text)
    if missing:
        inner = f"{inner}.{missing[1]}"
    path = (at + inner).removeprefix(".")
    if missing:
        return InvalidRequest(f"`{path}` is missing. {_REMEDIES.get(path, 'Add it.')}", param=path)
    if not path:
        return InvalidRequest(
            "The body must be a JSON object with `model`, `max_tokens` and `messages`: " + text
        )
    wrong = _WRONG.match(text)
    said = f"must be {_types(wrong[1])}, not {wrong[2]}" if wrong else text
    value = _value_at(body, inner)
    shown = f" (got {value})" if value else ""
    return InvalidRequest(f"`{path}` {said}{shown}. {_REMEDIES.get(path, '')}".strip(), param=path)


def _types(expected: str) -> str:
    known = [_TYPES.get(one, one) for one in expected.split(" | ") if one != "null"]
    return " or ".join(known)


def _value_at(body: bytes, inner: str) -> str:
    """The offending value, shortened, of a field at the top of what was read."""
    name = inner.removeprefix(".")
    if not name.isidentifier():
        return ""
    try:
        value = _decode_fields(body).get(name)
    except UNREADABLE:
        return ""
    shown = bytes(value).decode("utf-8", "replace") if value is not None else ""
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
