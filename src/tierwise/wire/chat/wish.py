"""OpenRouter's `reasoning`: how much a model is to think, as an object.

https://openrouter.ai/docs/guides/best-practices/reasoning-tokens. It says the same as OpenAI's
`reasoning_effort`, or counts tokens (`max_tokens`), or leaves it to the model (`enabled`);
`exclude` hides what was thought.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.conversation import Thinking
from tierwise.wire.effort import effort_of
from tierwise.wire.glance import thinks
from tierwise.wire.unreadable import UNREADABLE


class Wish(Struct):
    """The object. One of `effort` and `max_tokens` is meant to be there."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: str | None = None


decode_wish = msgspec.json.Decoder(Wish).decode


def thinking_of(wish: Wish | None, effort: str | None) -> Thinking | None:
    """What a request says of thinking; None for nothing.

    Args:
        effort: its `reasoning_effort`, which comes first.
    """
    if wish is None:
        return Thinking(effort=effort) if effort is not None else None
    budget = wish.max_tokens
    named = None
    if effort is None and wish.effort is not None:
        effort, named = wish.effort, "reasoning.effort"
    if wish.enabled is not None and budget is None and effort is None:
        budget = -1 if wish.enabled else 0
    shown = None if wish.exclude is None else not wish.exclude
    if (effort, budget, shown, wish.summary) == (None, None, None, None):
        return None
    return Thinking(effort=effort, budget=budget, shown=shown, detail=wish.summary, named=named)


def wants_thoughts(raw: Raw) -> bool:
    """Whether a field `reasoning` asks for any thinking; one that cannot be read does not."""
    thinking = _read(raw)
    if thinking is None or (thinking.effort is None and thinking.budget is None):
        return False
    return thinks(thinking.effort, thinking.budget)


def word_for(raw: Raw | bytes) -> str | None:
    """The `reasoning_effort` that is nearest to a field `reasoning`; None: as the model likes."""
    thinking = _read(raw)
    return None if thinking is None else effort_of(thinking)


def _read(raw: Raw | bytes) -> Thinking | None:
    try:
        return thinking_of(decode_wish(raw), None)
    except UNREADABLE:
        return None
