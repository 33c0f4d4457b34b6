"""`usage` as the Responses API has it, believed as far as `openai_usage` believes the other."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Usage
from tierwise.wire.openai_usage import read_usage as read_counts
from tierwise.wire.unreadable import UNREADABLE

_NOTHING = Raw(b"")


class _Usage(Struct):
    input_tokens: Raw = _NOTHING
    output_tokens: Raw = _NOTHING
    total_tokens: Raw = _NOTHING
    input_tokens_details: Raw = _NOTHING
    output_tokens_details: Raw = _NOTHING
    cost: Raw = _NOTHING


_decode = msgspec.json.Decoder(_Usage).decode
_encode = msgspec.json.Encoder().encode
_NAMES = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "prompt_tokens_details": "input_tokens_details",
    "completion_tokens_details": "output_tokens_details",
    "cost": "cost",
}
"""The counts of Chat Completions, and what Responses calls them; parts have the same names."""


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
    found = {chat: getattr(usage, ours) for chat, ours in _NAMES.items()}
    counts = {name: value for name, value in found.items() if bytes(value)}
    return read_counts(Raw(_encode(counts)), with_cost=with_cost)


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
