"""What is wrong with a request, in words that a caller of any dialect can act on."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.surrogates import half_character
from tierwise.wire.unreadable import UNREADABLE

_PATH = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_STEP = re.compile(r"\[(?P<index>\d+)\]|(?P<name>[^.\[\]]+)")
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
_SHOWN = 60

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode


class Mistakes:
    """Explains what decoders find wrong in one dialect's requests.

    Args:
        whole: what a body has to be, such as "a JSON object with `model`".
        remedies: what to send in place of what is wrong or missing, by field.
    """

    def __init__(self, whole: str, remedies: Mapping[str, str]) -> None:
        self._whole = whole
        self._remedies = remedies

    def explained(self, error: Exception, value: bytes | Raw, at: str = "") -> InvalidRequest:
        """The error that reading a request, or a part of it, ended with.

        Args:
            error: one of `UNREADABLE`.
            value: the JSON that was read.
            at: its path in the request, such as `messages[2].content`; empty for all of it.
        """
        body = bytes(value)
        if isinstance(error, msgspec.ValidationError):
            return self._explain(str(error), body, at)
        name, param = (f"`{at}`", at) if at else ("The body", None)
        remedy = "" if at else f" Send {self._whole}."
        if isinstance(error, RecursionError):
            return InvalidRequest(f"{name} is nested too deeply.{remedy}", param=param)
        if not body.strip():
            return InvalidRequest(f"{name} is empty.{remedy}", param=param)
        half = half_character(body)
        if half is not None:
            return InvalidRequest(
                f"{name} contains half a character: `{half}` is one half of a surrogate pair, and "
                "the other half is missing. Send the whole character, or leave it out.",
                param=param,
            )
        return InvalidRequest(f"{name} is not valid JSON: {error}.{remedy}", param=param)

    def _explain(self, text: str, body: bytes, at: str) -> InvalidRequest:
        """Turns msgspec's words into ones that a caller can act on."""
        found = _PATH.search(text)
        # msgspec has "..." where a key of a mapping would be.
        inside = found["path"].replace("[...]", ".*").lstrip(".") if found else ""
        text = _PATH.sub("", text)
        path = _joined(at, inside)
        missing = _MISSING.match(text)
        if missing:
            path = _joined(path, missing[1])
            remedy = self._remedies.get(path, "Add it.")
            return InvalidRequest(f"`{path}` is missing. {remedy}", param=path)
        wrong = _WRONG.match(text)
        if not path:
            said = (
                f"must be {self._whole}, not {_named(wrong[2])}" if wrong else f"is wrong: {text}"
            )
            return InvalidRequest(f"The body {said}.")
        said = (
            f"must be {_named(wrong[1])}, not {_named(wrong[2])}" if wrong else f"is wrong: {text}"
        )
        shown = _value_at(body, inside)
        if shown:
            said += f" (got {shown})"
        return InvalidRequest(
            f"`{path}` {said}. {self._remedies.get(path, '')}".strip(), param=path
        )


def shortened(value: bytes | Raw) -> str:
    """JSON as an error shows it."""
    shown = bytes(value)[: 4 * _SHOWN].decode("utf-8", "replace")
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


def _joined(path: str, more: str) -> str:
    return f"{path}.{more}" if path and more and more[0] != "[" else path + more


def _named(types: str) -> str:
    known = [_TYPES.get(one, one) for one in types.split(" | ") if one != "null" or types == "null"]
    return " or ".join(known)


def _value_at(body: bytes, path: str) -> str:
    """The offending value, shortened; empty where it is not found."""
    value: bytes | Raw = body
    try:
        for step in _STEP.finditer(path):
            if step["index"] is not None:
                value = _decode_items(value)[int(step["index"])]
            else:
                value = _decode_fields(value)[step["name"]]
    except (*UNREADABLE, LookupError):
        return ""
    return shortened(value)
