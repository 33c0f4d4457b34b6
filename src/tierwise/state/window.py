"""What happened in the last seconds, counted in buckets of time: memory that does not grow."""

from __future__ import annotations

from collections.abc import Sequence

BUCKETS = 10
BUCKET_S = 1.0
WINDOW_S = BUCKETS * BUCKET_S
"""How far back is counted, in seconds, up to one bucket less."""


class Window:
    """Counts of a few kinds of events, each kind by its number. Times are of one clock."""

    __slots__ = ("_rows", "_slot", "_totals")

    def __init__(self, kinds: int) -> None:
        self._rows = [[0] * BUCKETS for _ in range(kinds)]
        self._totals = [0] * kinds
        self._slot = 0

    def add(self, kind: int, now: float) -> None:
        """One more event of this kind."""
        slot = int(now / BUCKET_S)
        if slot > self._slot:
            self._advance(slot)
        self._rows[kind][self._slot % BUCKETS] += 1
        self._totals[kind] += 1

    def totals(self, now: float) -> Sequence[int]:
        """The events of the last seconds, by kind."""
        slot = int(now / BUCKET_S)
        if slot > self._slot:
            self._advance(slot)
        return self._totals

    def clear(self) -> None:
        """Forgets everything."""
        for row in self._rows:
            row[:] = [0] * BUCKETS
        self._totals[:] = [0] * len(self._totals)

    def _advance(self, slot: int) -> None:
        for passed in range(max(self._slot + 1, slot - BUCKETS + 1), slot + 1):
            place = passed % BUCKETS
            for kind, row in enumerate(self._rows):
                self._totals[kind] -= row[place]
                row[place] = 0
        self._slot = slot
