"""What a model can take, by the limits of the places where it is served, and whether it is full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierwise.state.deployment import INFINITE, DeploymentState
from tierwise.state.limits import MINUTE_S
from tierwise.state.status import limited_s
from tierwise.types import Deployment


def capacity(
    deployments: Sequence[Deployment],
    states: Mapping[str, DeploymentState],
    now: float,
    tokens: float,
) -> float | None:
    """Requests a second; None where one of the places has no limit that is known.

    A limit on calls at a time takes so many in the time of one call (Little's law). Places that
    are out take none.

    Args:
        now: a time of the monotonic clock, in seconds.
        tokens: that a request takes in the mean, prompt and answer.
    """
    found = 0.0
    for deployment in deployments:
        state = states[deployment.id]
        if not state.is_well(now):
            continue
        rate = _rate(deployment, state, tokens)
        if rate == INFINITE:
            return None
        found += rate
    return found


def is_full(
    deployments: Sequence[Deployment],
    states: Mapping[str, DeploymentState],
    now: float,
    tokens: int,
) -> bool:
    """Whether a call finds no place because of limits alone: it need only wait for one.

    Whoever was told by a provider to stay away knows when to come back, and is not meant.
    """
    found = False
    for deployment in deployments:
        state = states[deployment.id]
        if state.is_well(now) and state.rate_limited_until <= now:
            if limited_s(state, now, tokens) <= 0 and state.in_flight < state.cap:
                return False
            found = True
    return found


def _rate(deployment: Deployment, state: DeploymentState, tokens: float) -> float:
    limits = deployment.limits
    rate = INFINITE
    if limits.rpm is not None:
        rate = limits.rpm * state.share / MINUTE_S
    if limits.tpm is not None and tokens > 0:
        rate = min(rate, limits.tpm * state.share / MINUTE_S / tokens)
    calls = state.cap if limits.concurrency is None else limits.concurrency * state.share
    # Of few calls, some long, a mean comes out too short more often than not: one of many.
    usual = state.pace.mean_s
    if calls < INFINITE and usual:
        rate = min(rate, calls / usual)
    return rate
