"""`usage` as Bedrock counts it. Money is reckoned from it: see `wire.openai_usage`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tierwise.types import Usage
from tierwise.wire.unreadable import UNREADABLE

_Count = Annotated[int, Meta(ge=0, le=10**12)]


class _Usage(Struct, rename="camel"):
    """Older answers call the cached tokens `cacheReadInputTokenCount`; they say both."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_write_input_tokens: _Count | None = None


_decode = msgspec.json.Decoder(_Usage, strict=False).decode


def read_usage(raw: Raw) -> Usage | None:
    """The counts in Tierwise's words; None if there are none, or none that can be believed.

    Bedrock's `inputTokens` are those that were neither read from a cache nor written to one.
    """
    try:
        counts = _decode(raw)
    except UNREADABLE:
        return None
    cached = counts.cache_read_input_tokens or 0
    written = counts.cache_write_input_tokens or 0
    read = (counts.input_tokens or 0) + cached + written
    said = counts.output_tokens or 0
    if not read and not said:
        return None
    return Usage(
        input_tokens=read,
        output_tokens=said,
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )
