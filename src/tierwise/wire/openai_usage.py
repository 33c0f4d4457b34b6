"""`usage` as OpenAI-compatible providers send it, and how far it is believed.

It is decoded on its own, apart from the answer that it came with: that one is paid for, and good
whatever its counts look like. Money is reckoned from it, so the form is read leniently (`"5"` and
`5.0` are five) and the amounts are not: a usage with a count below zero or beyond all reason is no
usage at all, and the tokens are counted by ourselves.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tierwise.types import Usage
from tierwise.wire.unreadable import UNREADABLE

Count = Annotated[int, Meta(ge=0, le=10**12)]
_Cost = Annotated[float, Meta(ge=0, le=1e6)]
_ABSENT = Raw(b"")


class PromptDetails(Struct):
    """Of a prompt's tokens those that a cache had, and those that it keeps now."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class CompletionDetails(Struct):
    """Of an answer's tokens those that nobody sees."""

    reasoning_tokens: Count | None = None


class Counts(Struct):
    """What is counted, whatever a dialect calls it.

    Details may be a list: an empty one is what PHP makes of an empty object.
    """

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | list[Raw] | None = None
    completion_tokens_details: CompletionDetails | list[Raw] | None = None
    cost: Raw = _ABSENT


class _Usage(Counts):
    prompt_cache_hit_tokens: Count | None = None


_decode_usage = msgspec.json.Decoder(_Usage, strict=False).decode
_decode_cost = msgspec.json.Decoder(_Cost | None, strict=False).decode


def read_usage(raw: Raw, *, with_cost: bool) -> Usage | None:
    """The counts in Tierwise's words; None if there are none, or none that can be believed.

    Args:
        raw: the JSON of the field `usage`; empty if it is missing.
        with_cost: whether `cost` is what the provider bills, in USD.
    """
    try:
        usage = _decode_usage(raw)
    except UNREADABLE:
        return None
    return believed(usage, with_cost=with_cost, cached=usage.prompt_cache_hit_tokens or 0)


def believed(usage: Counts, *, with_cost: bool, cached: int = 0) -> Usage | None:
    """As `read_usage`, of counts that were read.

    Args:
        cached: how many tokens of the prompt were, unless its details say so.
    """
    try:
        cost = _decode_cost(usage.cost) if with_cost and bytes(usage.cost) else None
    except UNREADABLE:
        return None
    written = 0
    if isinstance(usage.prompt_tokens_details, PromptDetails):
        cached = usage.prompt_tokens_details.cached_tokens or cached
        written = usage.prompt_tokens_details.cache_write_tokens or 0
    reasoning = 0
    if isinstance(usage.completion_tokens_details, CompletionDetails):
        reasoning = usage.completion_tokens_details.reasoning_tokens or 0
    read, said = usage.prompt_tokens or 0, usage.completion_tokens or 0
    if cached + written > read:
        return None  # a discount on more than the whole prompt would make the cost negative
    # xAI and Gemini leave the reasoning, which they bill as output, to the total.
    unsaid = (usage.total_tokens or 0) - read - said
    if unsaid > 0:
        said += unsaid
        reasoning = max(reasoning, unsaid)
    if not read and not said:
        return None
    return Usage(
        input_tokens=read,
        output_tokens=said,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        cost_usd=cost,
    )


def write_usage(usage: Usage) -> dict[str, object]:
    """The field `usage` that says so."""
    read: dict[str, int] = {"cached_tokens": usage.cached_input_tokens}
    if usage.cache_write_tokens:
        read["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": read,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
