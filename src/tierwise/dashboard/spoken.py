"""A prompt as it was sent, as the conversation that it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from tierwise.wire.unreadable import UNREADABLE

_LISTS = ("messages", "input", "contents")
"""Where the dialects have what was said: OpenAI's two and Anthropic's, Responses', Gemini's."""
_RULES = ("system", "instructions", "systemInstruction", "system_instruction")
_PARTS = ("content", "parts", "text", "output")


class Said(Struct, frozen=True):
    """What one of those who talk said."""

    role: str
    text: str


def spoken(prompt: str) -> tuple[Said, ...]:
    """Who said what in the body of a request; all of it as one, if it is nothing of the kind."""
    try:
        body = msgspec.json.decode(prompt)
    except UNREADABLE:
        return (Said("as it was sent", prompt),)
    if not isinstance(body, dict):
        return (Said("as it was sent", prompt),)
    said = [Said("system", text) for name in _RULES if (text := _text(body.get(name)))]
    for name in _LISTS:
        said += _turns(body.get(name))
    return tuple(said) or (Said("as it was sent", _json(body)),)


def _turns(value: Any) -> Iterable[Said]:
    if isinstance(value, str):
        return [Said("user", value)]
    if not isinstance(value, list):
        return []
    return [
        Said(str(one.get("role") or one.get("type") or "user"), _text(one) or _json(one))
        if isinstance(one, dict)
        else Said("user", one if isinstance(one, str) else _json(one))
        for one in value
    ]


def _text(value: Any) -> str:
    """The words of a message or of its parts; of what has none, such as a picture, what it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(text for one in value if (text := _text(one)))
    if not isinstance(value, dict):
        return ""
    for name in _PARTS:
        if value.get(name):
            return _text(value[name])
    kind = value.get("type")
    return f"[{kind}]" if isinstance(kind, str) and "role" not in value else ""


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
