"""Who is so much worse than its siblings, the other places of the same model, that it should go.

Less than what opens a breaker: a deployment that fails one call in five is a bad choice while
another fails none. Never more than half of the siblings, and never the last one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

EJECT_S = 10.0
"""The first time out, in seconds; longer by as much each further time, up to `MAX_EJECT_S`."""
MAX_EJECT_S = 60.0
LOOK_S = 1.0
"""How often the siblings are compared, in seconds."""
MIN_CALLS = 20
SIGNIFICANT = 3.0
"""Standard errors between two failure rates that are no accident: one in 700."""
FAILS_MORE = 0.1
"""And by so much must it fail more often to matter."""
SLOW_TIMES = 4.0
SLOW_BY_S = 0.25


class Sibling(Struct, frozen=True):
    """One deployment as it is compared.

    `calls` and `failed` are of the last seconds; `latency_s` is the median of its latest calls,
    in seconds.
    `up` says that it takes calls now, `ejected` that it is out because of its siblings.
    """

    calls: int
    failed: int
    latency_s: float | None
    up: bool
    ejected: bool


def outliers(siblings: Sequence[Sibling]) -> list[int]:
    """The places in `siblings` of those who should be ejected now, the worst first.

    Half of the siblings may be out, and one that is up must remain.
    """
    up = [place for place, one in enumerate(siblings) if one.up and not one.ejected]
    room = len(siblings) // 2 - sum(one.ejected for one in siblings)
    room = min(room, len(up) - 1)
    if room <= 0:
        return []
    worse = [(badness, place) for place in up if (badness := _badness(siblings, up, place)) > 0]
    return [place for _, place in sorted(worse, reverse=True)[:room]]


def _badness(siblings: Sequence[Sibling], up: Sequence[int], place: int) -> float:
    """How far one is worse than the others that are up; 0 for what may be an accident."""
    one = siblings[place]
    if one.calls < MIN_CALLS:
        return 0.0
    others = [siblings[other] for other in up if other != place]
    calls = sum(other.calls for other in others)
    failed = sum(other.failed for other in others)
    more = one.failed / one.calls - failed / calls if calls >= MIN_CALLS else 0.0
    if more >= FAILS_MORE and _standard_errors(one, calls, failed) >= SIGNIFICANT:
        return 1.0 + more
    known = sorted(
        other.latency_s for other in others if other.latency_s is not None and other.calls
    )
    if one.latency_s is None or not known:
        return 0.0
    usual = known[(len(known) - 1) // 2]
    slow = one.latency_s > max(SLOW_TIMES * usual, usual + SLOW_BY_S)
    return 1.0 - usual / one.latency_s if slow else 0.0


def _standard_errors(one: Sibling, calls: int, failed: int) -> float:
    """Two-proportion z-test with pooled variance."""
    pooled = (one.failed + failed) / (one.calls + calls)
    variance = pooled * (1.0 - pooled) * (1.0 / one.calls + 1.0 / calls)
    if variance <= 0:
        return math.inf if one.failed else 0.0
    return (one.failed / one.calls - failed / calls) / math.sqrt(variance)
