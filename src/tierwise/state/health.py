"""Health and load of each deployment: cooldowns, failures in a row, calls in flight, latency."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.types import Deployment

log = logging.getLogger("tierwise.health")

FAILURES_TO_COOL = 3
"""Failures in a row after which a deployment rests."""
COOL_S = 5.0
"""First rest after failures, in seconds; doubles with each further one up to `MAX_COOL_S`."""
MAX_COOL_S = 60.0
OUT_OF_SERVICE_S = 60.0
"""How long a deployment with a bad key or no quota is left alone before it is tried again."""
DEFAULT_RATE_LIMIT_S = 5.0
"""Rest after a 429 that names no delay."""
NO_DELAY_S = 1.0
"""Rest after a 429 that names a delay of 0: whole seconds rounded down, or a mistake."""
_LOGGED_CHARS = 300
_SMOOTHING = 0.2


@dataclass(slots=True)
class DeploymentState:
    """What is known of one deployment now. Times of the monotonic clock, in seconds.

    `told` is the kind of error that the log said it rests for; None once it has answered again.
    """

    in_flight: int = 0
    failures_in_row: int = 0
    resting_until: float = 0.0
    resting_because: str = ""
    told: str | None = None
    rate_limited_until: float = 0.0
    last_error: str | None = None
    requests: int = 0
    ttft_s: float | None = None
    latency_s: float | None = None


class Health:
    """The states of all deployments, fed by every attempt, asked before every attempt."""

    def __init__(self, deployments: Iterable[Deployment], clock: Callable[[], float]) -> None:
        self._clock = clock
        self.states = {deployment.id: DeploymentState() for deployment in deployments}

    def available(self, deployment: Deployment) -> bool:
        """Whether the deployment is not resting."""
        return self.states[deployment.id].resting_until <= self._clock()

    def rate_limited(self, deployment: Deployment) -> bool:
        """Whether the deployment has asked us to wait, and that time is not over."""
        return self.states[deployment.id].rate_limited_until > self._clock()

    def order(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        """The deployments that are not resting, the one with most room first."""
        now = self._clock()
        states = self.states
        if len(deployments) == 1:
            return list(deployments) if states[deployments[0].id].resting_until <= now else []
        ready = [d for d in deployments if states[d.id].resting_until <= now]
        ready.sort(key=lambda d: (states[d.id].in_flight + 1) / d.weight)
        return ready

    def last_resorts(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        """Resting deployments worth a try when all else has failed, the nearest to its end first.

        One that asked us to wait is left alone: calling it again would only prolong the limit.
        """
        now = self._clock()
        states = self.states
        resting = [
            d
            for d in deployments
            if states[d.id].resting_until > now and states[d.id].rate_limited_until <= now
        ]
        return sorted(resting, key=lambda d: states[d.id].resting_until)

    def next_return_s(self, deployments: Iterable[Deployment]) -> float:
        """Seconds until the first of the deployments is back from its rest."""
        now = self._clock()
        waits = [self.states[d.id].resting_until - now for d in deployments]
        return max(0.0, min(waits, default=1.0))

    def started(self, deployment: Deployment) -> None:
        """A call begins."""
        state = self.states[deployment.id]
        state.in_flight += 1
        state.requests += 1

    def entered(self, deployment: Deployment) -> None:
        """A call that has begun goes on, as a stream."""
        self.states[deployment.id].in_flight += 1

    def left(self, deployment: Deployment) -> None:
        """A call is over, however it went, or goes on as a stream."""
        self.states[deployment.id].in_flight -= 1

    def succeeded(self, deployment: Deployment, latency_s: float, ttft_s: float | None) -> None:
        """A call gave an answer."""
        state = self.states[deployment.id]
        state.failures_in_row = 0
        # While a rate limit lasts nobody calls, so an answer then was asked for before it.
        if state.rate_limited_until <= self._clock():
            state.resting_until = 0.0
            if state.told is not None:
                state.told = None
                log.warning("%s answers again", deployment.id)
        else:
            state.resting_until = min(state.resting_until, state.rate_limited_until)
        state.latency_s = _blend(state.latency_s, latency_s)
        if ttft_s is not None:
            state.ttft_s = _blend(state.ttft_s, ttft_s)

    def failed(self, deployment: Deployment, error: UpstreamError) -> None:
        """A call failed; what that means for the deployment depends on the error."""
        if isinstance(error, (UpstreamRejected, ContextTooLong)):
            return  # the request's fault, not the deployment's
        state = self.states[deployment.id]
        state.last_error = f"{error.kind}: {error.message}"
        now = self._clock()
        if isinstance(error, RateLimited):
            wait = DEFAULT_RATE_LIMIT_S if error.retry_after is None else error.retry_after
            wait = wait if wait > 0 else NO_DELAY_S
            state.rate_limited_until = max(state.rate_limited_until, now + wait)
        elif isinstance(error, OutOfService):
            wait = max(OUT_OF_SERVICE_S, error.retry_after or 0.0)
        else:
            state.failures_in_row += 1
            beyond = state.failures_in_row - FAILURES_TO_COOL
            wait = min(MAX_COOL_S, COOL_S * 2**beyond) if beyond >= 0 else 0.0
        if wait > 0:
            self._rest(deployment, error, now, wait)

    def _rest(
        self, deployment: Deployment, error: UpstreamError, now: float, wait_s: float
    ) -> None:
        """Leaves a deployment alone, and tells the operator unless that is known already."""
        state = self.states[deployment.id]
        known = state.resting_until > now and state.told == error.kind
        why = f"{error.kind}: {error.message}"
        if now + wait_s >= state.resting_until:
            state.resting_until = now + wait_s
            state.resting_because = why
        state.told = error.kind
        if not known:
            why = " ".join(why.split())[:_LOGGED_CHARS]
            log.warning("%s rests for %.3g s: %s", deployment.id, wait_s, why)


def _blend(old: float | None, new: float) -> float:
    """Exponentially weighted moving average."""
    return new if old is None else old + _SMOOTHING * (new - old)
