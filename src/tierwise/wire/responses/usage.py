"""`usage` as the Responses API has it, believed as far as `openai_usage` believes the other."""

from __future__ import annotations

import msgspec
from msgspec import Raw, field

from tierwise.types import Usage
from tierwise.wire.openai_usage import CompletionDetails, Count, Counts, PromptDetails, believed
from tierwise.wire.unreadable import UNREADABLE


class _Usage(Counts):
    """The counts of Chat Completions by their names in Responses; parts have the same names."""

    prompt_tokens: Count | None = field(name="input_tokens", default=None)
    completion_tokens: Count | None = field(name="output_tokens", default=None)
    prompt_tokens_details: PromptDetails | list[Raw] | None = field(
        name="input_tokens_details", default=None
    )
    completion_tokens_details: CompletionDetails | list[Raw] | None = field(
        name="output_tokens_details", default=None
    )


_decode = msgspec.json.Decoder(_Usage, strict=False).decode


def read_usage(raw: Raw, *, with_cost: bool) -> Usage | None:
    """The counts in Tierwise's words; None if there are none, or none that can be believed.

    Args:
        raw: the JSON of the field `usage`; empty if it is missing.
        with_cost: whether `cost` is what the provider bills, in USD.
    """
    try:
        usage = _decode(raw)
    except UNREADABLE:
        return None
    return believed(usage, with_cost=with_cost)


def write_usage(usage: Usage) -> dict[str, object]:
    """The field `usage` of an answer."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
