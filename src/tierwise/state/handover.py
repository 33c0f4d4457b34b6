"""What is known of deployments, taken over by the set-up that follows after another one."""

from __future__ import annotations

from tierwise.config import Setup
from tierwise.state.deployment import INFINITE, DeploymentState
from tierwise.state.limits import Limiter
from tierwise.types import Deployment, Limits

_NO_LIMITS = Limits()


def hand_over(
    known: dict[str, DeploymentState],
    before: Setup,
    states: dict[str, DeploymentState],
    setup: Setup,
    now: float,
) -> None:
    """Puts what is `known` in the place of new `states` where it is about the same deployment.

    The states are shared from then on: calls that began under the old set-up end under the new one.
    A deployment with another address or another key is another one, and begins afresh; but one that
    an operator has drained stays so by its name.

    Args:
        before: the set-up that `known` is about.
        setup: the one that follows it.
        now: a time of the monotonic clock, in seconds.
    """
    olds = {deployment.id: deployment for deployment in before.everywhere()}
    for deployment in setup.everywhere():
        old = olds.get(deployment.id)
        if old is None:
            continue
        if _place(old) != _place(deployment):
            if known[old.id].drained:
                states[deployment.id].drained, states[deployment.id].clear = True, False
            continue
        state = states[deployment.id] = known[old.id]
        if old.limits != deployment.limits:
            _limit(state, deployment.limits, now)


def _place(deployment: Deployment) -> tuple[object, ...]:
    """What makes it answer as it does."""
    d = deployment
    return d.base_url, d.upstream_model, d.dialect, d.api_key, d.headers, d.model


def _limit(state: DeploymentState, limits: Limits, now: float) -> None:
    """Other limits from now on; what was taken stays taken."""
    if limits == _NO_LIMITS:
        state.limiter, state.cap = None, state.adaptive.limit
        return
    if state.limiter is None:
        state.limiter = Limiter(limits)
        state.limiter.running = state.in_flight
    else:
        state.limiter.change(limits, now)
    state.cap, state.clear = INFINITE, False
