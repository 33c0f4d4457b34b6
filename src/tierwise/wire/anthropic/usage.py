"""`usage` of the Messages API, both ways.

Anthropic counts what was read from its cache and written to it beside `input_tokens`, where
Tierwise counts them in. A stream says it twice, cumulatively: what the end does not repeat stays as
the beginning said it (docs.anthropic.com, "Streaming Messages").
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tierwise.types import Usage
from tierwise.wire.unreadable import UNREADABLE

_Count = Annotated[int, Meta(ge=0, le=10**12)]


class _Details(Struct):
    thinking_tokens: _Count | None = None


class _Usage(Struct):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    output_tokens_details: _Details | None = None


_decode_usage = msgspec.json.Decoder(_Usage, strict=False).decode


def read_usage(raw: Raw, before: Usage | None = None) -> Usage | None:
    """The counts in Tierwise's words; `before` if there are none, or none that can be believed.

    Args:
        raw: the JSON of the field `usage`; empty if it is missing.
        before: what the stream said earlier.
    """
    try:
        said = _decode_usage(raw)
    except UNREADABLE:
        return before
    old = before or Usage()
    cached = _or(said.cache_read_input_tokens, old.cached_input_tokens)
    written = _or(said.cache_creation_input_tokens, old.cache_write_tokens)
    fresh = old.input_tokens - old.cached_input_tokens - old.cache_write_tokens
    output = _or(said.output_tokens, old.output_tokens)
    details = said.output_tokens_details
    thought = _or(details.thinking_tokens if details is not None else None, old.reasoning_tokens)
    read = _or(said.input_tokens, fresh) + cached + written
    if not read and not output:
        return before
    return Usage(
        input_tokens=read,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(thought, output),
    )


def _or(said: int | None, known: int) -> int:
    return known if said is None else said


def write_usage(usage: Usage | None) -> dict[str, object]:
    """The counts as a client of the Messages API reads them; zeros if nothing is known."""
    known = usage or Usage()
    cached, written = known.cached_input_tokens, known.cache_write_tokens
    out: dict[str, object] = {
        "input_tokens": max(0, known.input_tokens - cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": known.output_tokens,
    }
    if known.reasoning_tokens:
        out["output_tokens_details"] = {"thinking_tokens": known.reasoning_tokens}
    return out
