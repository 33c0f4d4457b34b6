"""Finds half a character in JSON: one half of a surrogate pair whose other half is missing.

Texts that were cut in the middle of an emoji are full of them, and msgspec's own words for it
("input data was truncated") lead elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tierwise.wire.unreadable import UNREADABLE

# Pairs come first, so that what is left of surrogates is alone.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_LONGEST = 1 << 20
"""In longer bodies nobody looks: it would take as long as all others would have to wait."""
_decode = msgspec.json.Decoder(Any).decode


def half_character(body: bytes) -> str | None:
    """The first one, if such are all that is wrong with the JSON; None too if it is very long."""
    if len(body) > _LONGEST:
        return None
    found: list[bytes] = []

    def mend(escape: re.Match[bytes]) -> bytes:
        if escape["half"] is None:
            return escape[0]
        found.append(escape[0])
        return rb"\ufffd"

    mended = _ESCAPE.sub(mend, body)
    if not found:
        return None
    try:
        _decode(mended)
    except UNREADABLE:
        return None
    return found[0].decode()
