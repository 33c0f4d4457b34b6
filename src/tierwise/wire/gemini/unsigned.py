"""Calls that no Gemini has signed, because another model made them.

Gemini 3 and later refuse the first call of a step without a signature, and take a certain word in
its place: ai.google.dev/gemini-api/docs/thought-signatures, "FAQs". Those before know neither.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from tierwise.wire.unreadable import UNREADABLE

UNSIGNED = base64.b64encode(b"skip_thought_signature_validator").decode()
"""What stands in place of the signature of a call that another model made."""
_WORD = UNSIGNED.encode()
# Google's own client writes base64 in the alphabet for URLs, in which this word is the same.
_AS_WRITTEN = b',"thoughtSignature":"' + _WORD + b'"'
_NAMES = ("thoughtSignature", "thought_signature")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def without_unsigned(body: bytes) -> bytes:
    """A request without that word, for models that do not know it."""
    if _WORD not in body:
        return body
    body = body.replace(_AS_WRITTEN, b"")
    if _WORD not in body:
        return body
    try:
        asked = _decode(body)
        for content in asked["contents"]:
            for part in content.get("parts") or ():
                _unmark(part)
    except (*UNREADABLE, AttributeError, KeyError, TypeError):
        return body  # the provider will say what is wrong with it
    return _encode(asked)


def _unmark(part: dict[str, Any]) -> None:
    for name in _NAMES:
        if part.get(name) == UNSIGNED:
            del part[name]
