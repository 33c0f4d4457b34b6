"""Points of a distribution."""

from __future__ import annotations

from collections.abc import Iterable


def percentile(values: Iterable[float], part: int) -> float:
    """The smallest value that `part` per cent of at least one value do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
