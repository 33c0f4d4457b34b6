"""How long requests took, as counts in buckets: percentiles of millions from some hundred numbers.

Bucket n holds what took from `LEAST_S` · `RATIO`**n seconds up to `RATIO` times that. A percentile
is said to lie in the geometric middle of its bucket, so it is wrong by 2.5 % at most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

LEAST_S = 0.001
"""What took less counts as this, in seconds."""
RATIO = 1.05
ERROR = math.sqrt(RATIO) - 1
"""How far a percentile may be from the true one, as a fraction of it."""


def middle(bucket: int) -> float:
    """The time that stands for a bucket, in seconds."""
    return float(LEAST_S * RATIO ** (bucket + 0.5))


def percentiles(counts: Mapping[int, int], fractions: Sequence[float]) -> list[float | None]:
    """Nearest-rank percentiles of times of which so many are in each bucket, None of nothing."""
    total = sum(counts.values())
    if not total:
        return [None] * len(fractions)
    return [middle(_bucket_at(counts, max(1, math.ceil(f * total)))) for f in fractions]


def _bucket_at(counts: Mapping[int, int], place: int) -> int:
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= place:
            return bucket
    raise ValueError(f"there is no place {place} among {seen}")
