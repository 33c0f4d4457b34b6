"""Health and load of each deployment: cooldowns, failures in a row, calls in flight, latency."""

from __future__ import annotations

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

FAILURES_TO_COOL = 3
"""Failures in a row after which a deployment rests."""
COOL_S = 5.0
"""First rest after failures, in seconds; doubles with each further one up to `MAX_COOL_S`."""
MAX_COOL_S = 60.0
OUT_OF_SERVICE_S = 60.0
"""How long a deployment with a bad key or no quota is left alone before it is tried again."""
DEFAULT_RATE_LIMIT_S = 5.0
"""Rest after a 429 that names no delay."""
_SMOOTHING = 0.2


@dataclass(slots=True)
class DeploymentState:
    """What is known of one deployment now. Times of the monotonic clock, in seconds."""

    in_flight: int = 0
    failures_in_row: int = 0
    resting_until: float = 0.0
    resting_because: str = ""
    rate_limited: bool = False
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
            if states[d.id].resting_until > now and not states[d.id].rate_limited
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
        # While a rate limit lasts nobody calls, so this answer was asked for before it.
        if not state.rate_limited or state.resting_until <= self._clock():
            state.resting_until = 0.0
            state.rate_limited = False
        state.latency_s = _blend(state.latency_s, latency_s)
        if ttft_s is not None:
            state.ttft_s = _blend(state.ttft_s, ttft_s)

    def failed(self, deployment: Deployment, error: UpstreamError) -> None:
        """A call failed; what that means for the deployment depends on the error."""
        if isinstance(error, (UpstreamRejected, ContextTooLong)):
            return  # the request's fault, not the deployment's
        state = self.states[deployment.id]
        state.last_error = f"{error.kind}: {error.message}"
        state.rate_limited = isinstance(error, RateLimited)
        if isinstance(error, RateLimited):
            wait = DEFAULT_RATE_LIMIT_S if error.retry_after is None else error.retry_after
        elif isinstance(error, OutOfService):
            wait = max(OUT_OF_SERVICE_S, error.retry_after or 0.0)
        else:
            state.failures_in_row += 1
            beyond = state.failures_in_row - FAILURES_TO_COOL
            wait = min(MAX_COOL_S, COOL_S * 2**beyond) if beyond >= 0 else 0.0
        if wait > 0:
            state.resting_until = max(state.resting_until, self._clock() + wait)
            state.resting_because = state.last_error


def _blend(old: float | None, new: float) -> float:
    """Exponentially weighted moving average."""
    return new if old is None else old + _SMOOTHING * (new - old)
