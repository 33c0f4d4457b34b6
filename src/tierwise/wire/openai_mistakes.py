"""What is wrong with a request in one of OpenAI's dialects: the field, its value, what to send."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.surrogates import half_character
from tierwise.wire.unreadable import UNREADABLE

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_PATH = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "float | null": "a number",
    "bool": "true or false",
    "bool | null": "true or false",
    "int | null": "a whole number",
    "str | null": "a string",
    "array": "a list",
    "array | null": "a list",
    "object": "an object",
    "object | null": "an object",
    "str | array": "a string or a list",
    "str | array | null": "a string or a list of parts",
    "str | object": "a string or an object",
    "str | object | null": "a string or an object",
}
_REMEDIES = {
    "model": 'Name a model or a policy, for example "auto"; GET /v1/models lists them.',
    "messages": 'Send a list such as [{"role": "user", "content": "Hello"}].',
}


def mistake_in(body: bytes, error: Exception) -> InvalidRequest:
    """What a decoder of the whole body found wrong, in words that a caller of the API can act on.

    Args:
        body: the request.
        error: one of `UNREADABLE`.
    """
    if isinstance(error, msgspec.ValidationError):
        return _explain(error, body)
    if isinstance(error, RecursionError):
        return InvalidRequest(
            "The body is nested too deeply. Send a JSON object with `model` and `messages`."
        )
    half = half_character(body)
    if half is not None:
        return InvalidRequest(
            f"The body contains half a character: `{half}` is one half of a surrogate pair, "
            "and the other half is missing. Send the whole character, or leave it out."
        )
    return InvalidRequest(
        f"The body is not valid JSON: {error}. Send a JSON object with `model` and `messages`."
    )


def mistake_at(path: str, value: bytes | Raw, error: Exception) -> InvalidRequest:
    """What a decoder of one field found wrong.

    Args:
        path: where the field stands in the body, such as `messages[2].content`.
        value: its JSON.
        error: one of `UNREADABLE`.
    """
    if isinstance(error, msgspec.ValidationError):
        return _explain(error, bytes(value), within=path)
    if isinstance(error, RecursionError):
        return InvalidRequest(f"`{path}` is nested too deeply.", param=path)
    half = half_character(b'{"":' + bytes(value) + b"}")
    if half is not None:
        return InvalidRequest(
            f"`{path}` contains half a character: `{half}` is one half of a surrogate pair, and "
            "the other half is missing. Send the whole character, or leave it out.",
            param=path,
        )
    return InvalidRequest(f"`{path}` is not valid JSON: {error}.", param=path)


def _explain(error: msgspec.ValidationError, body: bytes, within: str = "") -> InvalidRequest:
    """Turns msgspec's words into ones that a caller of the API can act on."""
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    # msgspec has "..." where a key of a mapping would be.
    path = path.replace("[...]", ".*").lstrip(".")
    text = _PATH.sub("", text)
    missing = re.match(r"Object missing required field `(\w+)`", text)
    if missing:
        path = _joined(within, _joined(path, missing[1]))
        return InvalidRequest(f"`{path}` is missing. {_REMEDIES.get(path, 'Add it.')}", param=path)
    value = _value_at(body, path, whole=bool(within))
    path = _joined(within, path)
    if not path:
        return InvalidRequest(
            f"The body must be a JSON object with `model` and `messages`: {text}."
        )
    wrong = re.match(r"Expected `([^`]+)`, got `([^`]+)`", text)
    said = (
        f"must be {_TYPES.get(wrong[1], wrong[1])}, not {wrong[2]}"
        if wrong
        else f"is wrong: {text}"
    )
    shown = f" (got {value})" if value else ""
    return InvalidRequest(f"`{path}` {said}{shown}. {_REMEDIES.get(path, '')}".strip(), param=path)


def _joined(path: str, more: str) -> str:
    return f"{path}.{more}" if path and more and more[0] != "[" else path + more


def _value_at(body: bytes, path: str, *, whole: bool) -> str:
    """The offending value, shortened, for simple top-level paths."""
    if whole and not path:
        return shortened(body)
    if not path.isidentifier():
        return ""
    try:
        value = _decode_fields(body).get(path)
    except UNREADABLE:
        return ""
    return shortened(value) if value is not None else ""


def shortened(value: bytes | Raw) -> str:
    """JSON as an error shows it."""
    shown = bytes(value[:240] if isinstance(value, bytes) else value).decode("utf-8", "replace")
    return shown if len(shown) <= 60 else shown[:57] + "..."
