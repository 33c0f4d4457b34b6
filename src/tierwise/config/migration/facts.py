"""What a LiteLLM configuration says of a model itself: prices, sizes, capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tierwise.config.migration.values import number_of

_PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
_CAPABILITIES = {
    "supports_function_calling": ("tools",),
    "supports_vision": ("vision",),
    "supports_response_schema": ("json_mode", "json_schema"),
    "supports_reasoning": ("reasoning",),
}
_PRESUMED = ("tools", "json_mode")
"""What a model can do of which nothing is said, here as in the catalogue."""


def prices_of(*written: Mapping[str, Any]) -> dict[str, float]:
    """USD per million tokens, empty where input or output has no price; what comes first counts."""
    found: dict[str, float] = {}
    for section in written:
        for ours, theirs in _PRICES.items():
            price = number_of(section.get(theirs))
            if price is not None:
                found.setdefault(ours, round(float(price) * 1e6, 6))
    return found if {"input", "output"} <= found.keys() else {}


def facts_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """What `models` has of a model that nobody here knows, but for its prices."""
    facts: dict[str, Any] = {}
    for ours, theirs in (
        ("context_window", "max_input_tokens"),
        ("max_output_tokens", "max_output_tokens"),
    ):
        tokens = number_of(info.get(theirs))
        if isinstance(tokens, int) and tokens > 0:
            facts[ours] = tokens
    said = {word: info[word] for word in _CAPABILITIES if isinstance(info.get(word), bool)}
    if said:
        able = set(_PRESUMED)
        for word, can in said.items():
            able = able | set(_CAPABILITIES[word]) if can else able - set(_CAPABILITIES[word])
        facts["capabilities"] = sorted(able)
    return facts
