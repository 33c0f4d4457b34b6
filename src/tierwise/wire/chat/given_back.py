"""Requests for a provider that wants to see again what its model thought.

DeepSeek refuses a conversation with calls of tools in which a message of the assistant has no
`reasoning_content` ("must be passed back to the API"), whoever said it. An empty one will do:
https://api-docs.deepseek.com/guides/thinking_mode, https://github.com/openclaw/openclaw/issues/73417
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tierwise.wire.unreadable import UNREADABLE

_FIELD = "reasoning_content"
_ELSEWHERE = "reasoning"
_SAID, _CALLED = b'"assistant"', b'"tool_calls"'
_NOTHING = Raw(b'""')
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_encode = msgspec.json.Encoder().encode


def with_thoughts(body: bytes) -> bytes:
    """The body with what was thought in each message of the assistant, once tools were called.

    A body in which none were, or that cannot be read, stays as it is.
    """
    if _CALLED not in body or _SAID not in body:
        return body
    try:
        fields = _decode_fields(body)
        messages = _decode_list(fields["messages"])
    except (*UNREADABLE, KeyError):
        return body
    lacking = [one for one in messages if _is_said(one) and not _is_text(one.get(_FIELD))]
    if not lacking:
        return body
    for message in lacking:
        thought = message.get(_ELSEWHERE)
        message[_FIELD] = thought if thought is not None and _is_text(thought) else _NOTHING
    fields["messages"] = Raw(_encode(messages))
    return _encode(fields)


def _is_said(message: dict[str, Raw]) -> bool:
    return bytes(message.get("role", b"")) == _SAID


def _is_text(value: Raw | None) -> bool:
    return value is not None and bytes(value)[:1] == b'"'
