"""What is wrong with a request, in words that its sender can act on."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.wire.surrogates import half_character
from tierwise.wire.unreadable import UNREADABLE

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WRONG = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_REMEDIES = {
    "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
    "input": 'Send a text, or a list such as [{"role": "user", "content": "Hello"}].',
}
_decode_any = msgspec.json.Decoder(Any).decode


def explained(error: Exception, body: bytes, at: str = "") -> InvalidRequest:
    """The error that reading `body`, which is the request or the part of it at `at`, ended with."""
    if isinstance(error, msgspec.ValidationError):
        return _wrong(str(error), body, at)
    if isinstance(error, RecursionError):
        return InvalidRequest(
            "The body is nested too deeply. Send a JSON object with `model` and `input`."
        )
    half = half_character(body)
    if half is not None:
        return InvalidRequest(
            f"The body contains half a character: `{half}` is one half of a surrogate pair, "
            "and the other half is missing. Send the whole character, or leave it out."
        )
    return InvalidRequest(
        f"The body is not valid JSON: {error}. Send a JSON object with `model` and `input`."
    )


def _wrong(text: str, body: bytes, at: str) -> InvalidRequest:
    found = _PATH.search(text)
    inside = found["path"] if found else ""
    text = _PATH.sub("", text)
    missing = _MISSING.match(text)
    path = joined(at, inside)
    if missing:
        path = joined(path, missing[1])
        remedy = _REMEDIES.get(path, "Add it.")
        return InvalidRequest(f"`{path}` is missing. {remedy}", param=path)
    wrong = _WRONG.match(text)
    said = f"must be {_named(wrong[1])}, not {_named(wrong[2])}" if wrong else f"is wrong: {text}"
    if not path:
        return InvalidRequest(
            f"The body {said}. Send a JSON object with `model` and `input`.", param=None
        )
    value = _value_at(body, inside)
    shown = f" (got {value})" if value else ""
    return InvalidRequest(f"`{path}` {said}{shown}. {_REMEDIES.get(path, '')}".strip(), param=path)


def joined(at: str, inside: str) -> str:
    """The path of what is at `inside` of what is at `at`."""
    return f"{at}.{inside}" if at and inside and not inside.startswith("[") else at + inside


def _named(types: str) -> str:
    known = [_TYPES.get(one, one) for one in types.split(" | ") if one != "null" or types == "null"]
    return " or ".join(known)


def _value_at(body: bytes, path: str) -> str:
    """The offending value, shortened."""
    try:
        value = _decode_any(body)
    except UNREADABLE:
        return ""
    for step in re.findall(r"\w+", path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ""
    shown = msgspec.json.encode(value).decode()
    return shown if len(shown) <= 60 else shown[:57] + "..."
