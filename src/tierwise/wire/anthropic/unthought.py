"""Turns off thinking where Anthropic would refuse to go on from what is not thought.

With a count of tokens to think with, the answer that a result of a tool belongs to has to begin
with the thoughts that led to the call: "Expected `thinking` or `redacted_thinking`, but found
`tool_use` ... To avoid this requirement, disable `thinking`". Clients of other dialects have kept
none, and those of another provider are none. Where the model itself decides whether to think
(`adaptive`), nothing of that is asked.
https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.openai_chat import field_of, with_fields
from tierwise.wire.unreadable import UNREADABLE

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class _Message(Struct):
    role: str
    content: Raw


class _Typed(Struct):
    type: str


_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_types = msgspec.json.Decoder(list[_Typed]).decode
_decode_type = msgspec.json.Decoder(_Typed).decode


def without_thinking(body: bytes) -> bytes:
    """The body without `thinking`, if it counts and an unthought call stands at the end."""
    if b'"budget_tokens"' not in body or b'"tool_use"' not in body:
        return body
    try:
        thinking = field_of(body, "thinking")
        if thinking is None or _decode_type(thinking).type != "enabled":
            return body
        messages = _decode_messages(field_of(body, "messages") or b"[]")
        return with_fields(body, {"thinking": None}) if _is_unthought(messages) else body
    except UNREADABLE:
        return body  # the provider will say what is wrong with it


def _is_unthought(messages: list[_Message]) -> bool:
    """Whether calls were made since the user last spoke, and no thoughts before them."""
    called = False
    for message in reversed(messages):
        if bytes(message.content)[:1] != b"[":
            return called
        kinds = [block.type for block in _decode_types(message.content)]
        if message.role != "assistant":
            if "tool_result" not in kinds:
                return called
        elif not _THOUGHTS.isdisjoint(kinds):
            return False
        else:
            called = called or "tool_use" in kinds
    return called
