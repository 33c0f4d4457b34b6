"""`usageMetadata`, and how far it is believed: as `openai_usage` does it.

What it counts of a prompt includes what was cached; thoughts, and what Google's own tools brought
in, are counted apart: ai.google.dev/api/generate-content#UsageMetadata. Thoughts are billed as
output, and what tools brought in as input: ai.google.dev/gemini-api/docs/pricing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tierwise.types import Usage
from tierwise.wire.unreadable import UNREADABLE

_Count = Annotated[int, Meta(ge=0, le=10**12)]


class _Usage(Struct, rename="camel"):
    prompt_token_count: _Count | None = None
    candidates_token_count: _Count | None = None
    thoughts_token_count: _Count | None = None
    cached_content_token_count: _Count | None = None
    tool_use_prompt_token_count: _Count | None = None
    total_token_count: _Count | None = None


_decode = msgspec.json.Decoder(_Usage, strict=False).decode


def read_usage(raw: Raw) -> Usage | None:
    """The counts in Tierwise's words; None if there are none, or none that can be believed."""
    try:
        counts = _decode(raw)
    except UNREADABLE:
        return None
    read = (counts.prompt_token_count or 0) + (counts.tool_use_prompt_token_count or 0)
    thought = counts.thoughts_token_count or 0
    said = (counts.candidates_token_count or 0) + thought
    cached = counts.cached_content_token_count or 0
    if cached > read or not (read or said):
        return None
    unsaid = (counts.total_token_count or 0) - read - said
    return Usage(
        input_tokens=read,
        output_tokens=said + max(0, unsaid),
        cached_input_tokens=cached,
        reasoning_tokens=thought,
    )


def write_usage(usage: Usage) -> dict[str, int]:
    """The counts as Google gives them."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(0, usage.output_tokens - usage.reasoning_tokens),
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_input_tokens:
        counts["cachedContentTokenCount"] = usage.cached_input_tokens
    if usage.reasoning_tokens:
        counts["thoughtsTokenCount"] = usage.reasoning_tokens
    return counts
