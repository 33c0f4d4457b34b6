"""Which of several places of a model is asked first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tierwise.state.deployment import DeploymentState
from tierwise.types import Deployment

STALE_S = 30.0
"""A latency that was seen longer ago says nothing: it may be as quick as the others again."""
_LEAST_S = 0.001


def by_load(
    ready: list[Deployment],
    states: Mapping[str, DeploymentState],
    now: float,
    draw: Callable[[], float],
) -> list[Deployment]:
    """The same deployments, the one to ask first in front.

    That is the better of two drawn ones (M. Mitzenmacher, The power of two choices in randomized
    load balancing, 2001): by figures that are a moment old, everybody would find the same one best.
    The others follow by latency times calls, per weight; a latency that is not known is taken to be
    the best that is.
    """
    fresh = {
        d.id: max(latency, _LEAST_S)
        for d in ready
        if (latency := states[d.id].pace.heard_s) is not None
        and now - states[d.id].pace.seen_at < STALE_S
    }
    unknown = min(fresh.values(), default=1.0)
    ready.sort(key=lambda d: fresh.get(d.id, unknown) * (states[d.id].in_flight + 1) / d.weight)
    count = len(ready)
    if count > 2:
        one, other = int(draw() * count), int(draw() * (count - 1))
        better = min(one, other + (other >= one))
        if better:
            ready.insert(0, ready.pop(better))
    return ready
