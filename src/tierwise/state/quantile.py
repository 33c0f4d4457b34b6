"""A quantile of the latest values, exactly: sorted beside their order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

LATEST = 128
MIN_VALUES = 20
"""A 95th percentile of fewer values than this is no more than their largest."""


class Latest:
    """The last `LATEST` values; one costs two binary searches in a short list."""

    __slots__ = ("_arrived", "_sorted")

    def __init__(self) -> None:
        self._arrived: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, value: float) -> None:
        """One more; the oldest is forgotten."""
        if len(self._arrived) == LATEST:
            del self._sorted[bisect_left(self._sorted, self._arrived.popleft())]
        self._arrived.append(value)
        insort(self._sorted, value)

    def quantile(self, share: float) -> float | None:
        """The value that this share of them does not exceed; None while there are too few."""
        count = len(self._sorted)
        if count < MIN_VALUES:
            return None
        return self._sorted[min(count - 1, int(share * count))]
