"""Takes thoughts that Anthropic did not sign out of a request that passes as it is.

A client of the Messages API that was answered by another provider holds that one's thoughts as
`thinking` blocks with an empty signature, and sends them back with the conversation. Anthropic
refuses them.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

_EMPTY = re.compile(rb'"signature"\s*:\s*""')

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_messages = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_blocks = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


class _Block(Struct):
    type: str
    signature: str | None = None


_decode_block = msgspec.json.Decoder(_Block).decode


def without_unsigned(body: bytes) -> bytes:
    """The body without such blocks, and without messages that held nothing else."""
    if b'"signature"' not in body or _EMPTY.search(body) is None:
        return body
    fields = _decode_fields(body)
    kept: list[dict[str, Raw]] = []
    for message in _decode_messages(fields["messages"]):
        content = bytes(message["content"])
        if content[:1] == b"[":
            blocks = [block for block in _decode_blocks(content) if not _unsigned(block)]
            if not blocks:
                continue
            message["content"] = Raw(_encode(blocks))
        kept.append(message)
    return _encode({**fields, "messages": kept})


def _unsigned(block: Raw) -> bool:
    if _EMPTY.search(bytes(block)) is None:
        return False
    read = _decode_block(block)
    return read.type == "thinking" and read.signature == ""
