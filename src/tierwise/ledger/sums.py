"""What a report is made from: rows that are alike, added up by the database (see `figures`)."""

from __future__ import annotations

from typing import NamedTuple

from tierwise.ledger.rows import Check, Shape

Span = tuple[float, float]
"""First and last Unix time of a period, in seconds."""


class Sum(NamedTuple):
    """All requests of one shape, of whose answers gates said the same."""

    shape: Shape
    check: Check | None
    requests: int
    cost_usd: float
    reference_cost_usd: float
    wasted_usd: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int


class Calls(NamedTuple):
    """The rows of `attempts` of one deployment and outcome, of which gates said the same."""

    deployment: str
    outcome: str
    gate: str | None
    check: Check | None
    attempts: int
    cost_usd: float

    @property
    def is_probe(self) -> bool:
        """Whether they only helped to judge other answers."""
        return self.outcome == "probe"

    @property
    def failed(self) -> bool:
        """Whether they ended in an upstream error."""
        return self.outcome not in ("accepted", "rejected", "abandoned", "cancelled", "probe")


class Labels(NamedTuple):
    """Rated answers of one shape of which gates said the same; `total` is the sum of scores."""

    shape: Shape
    check: Check | None
    answers: int
    total: float
