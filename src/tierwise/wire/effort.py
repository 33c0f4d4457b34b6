"""How much to think in a word, for dialects that have words for it and no counts of tokens."""

from __future__ import annotations

from tierwise.wire.conversation import Thinking

_BUDGETS = ((0, "none"), (2048, "low"), (8192, "medium"))
"""Words for budgets of at most so many tokens; `high` beyond."""


def effort_of(thinking: Thinking) -> str | None:
    """OpenAI's word for it; for a budget, the one that is nearest. None: as the model likes."""
    if thinking.effort is not None:
        return thinking.effort
    budget = thinking.budget
    if budget is None or budget < 0:
        return None
    return next((word for most, word in _BUDGETS if budget <= most), "high")
