"""What an operator sees of a deployment."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tierwise.state.breaker import BreakerState
from tierwise.state.deployment import INFINITE, DeploymentState
from tierwise.state.limits import Left
from tierwise.types import Deployment

Standing = Literal["ready", "drained", "resting", "open", "half_open", "ejected", "full"]
"""Whether calls go there, and if not, why: taken out by hand, told to wait or out of service, by
its breaker, for being worse than its siblings, or at a limit."""


class DeploymentStatus(Struct, frozen=True, kw_only=True):
    """One deployment at one moment. Times in seconds; None where there is nothing to say.

    `back_s` is when calls may go there again, `why` says in words what keeps them away. `calls` and
    `failed` are those of the last ten seconds. `left` is what its configured limits leave,
    `concurrency` the limit that was found where none is configured, `retries_left` how many
    requests that failed elsewhere it may take now. `p95_s` is the 95th percentile of the time until
    something of an answer is there, the whole of it or a stream's first token.
    """

    id: str
    model: str
    provider: str
    state: Standing
    why: str | None
    back_s: float | None
    breaker: BreakerState
    in_flight: int
    requests: int
    calls: int
    failed: int
    failures_in_row: int
    left: Left | None
    concurrency: float | None
    retries_left: float
    latency_s: float | None
    ttft_s: float | None
    p95_s: float | None
    p95_ttft_s: float | None
    last_error: str | None
    last_error_age_s: float | None


def status_of(deployment: Deployment, state: DeploymentState, now: float) -> DeploymentStatus:
    """The deployment's status."""
    standing = standing_of(state, now)
    calls, failed = state.breaker.seen(now)
    back = back_s(state, now)
    return DeploymentStatus(
        id=deployment.id,
        model=deployment.model,
        provider=deployment.provider,
        state=standing,
        why=None if standing == "ready" else why_out(state, now),
        back_s=None if standing == "ready" or back == INFINITE else back,
        breaker=state.breaker.state(now),
        in_flight=state.in_flight,
        requests=state.requests,
        calls=calls,
        failed=failed,
        failures_in_row=state.failures_in_row,
        left=None if state.limiter is None else state.limiter.left(now),
        concurrency=None if state.cap == INFINITE else state.cap,
        retries_left=state.retries.left(now),
        latency_s=state.latency_s,
        ttft_s=state.ttft_s,
        p95_s=state.pace.p95_heard_s,
        p95_ttft_s=state.pace.p95_ttft_s,
        last_error=state.last_error,
        last_error_age_s=None if state.last_error is None else now - state.last_error_at,
    )


def standing_of(state: DeploymentState, now: float) -> Standing:
    """The first reason, of those that hold, that an operator would have to know."""
    if state.drained:
        return "drained"
    if state.resting_until > now:
        return "resting"
    breaker = state.breaker.state(now)
    if breaker != "closed":
        return breaker
    if state.ejected_until > now:
        return "ejected"
    full = limited_s(state, now) > 0 or state.in_flight >= state.cap
    return "full" if full else "ready"


def why_out(state: DeploymentState, now: float) -> str:
    """The same in words."""
    standing = standing_of(state, now)
    wait = back_s(state, now)
    if standing == "drained":
        return "drained by an operator"
    if standing == "resting":
        return f"resting for {wait:.0f} s ({state.resting_because})"
    if standing in ("open", "half_open"):
        last = f"; {state.last_error}" if state.last_error else ""
        done = "being tried again" if standing == "half_open" else f"resting for {wait:.0f} s"
        return f"{done} ({state.breaker.why}{last})"
    if standing == "ejected":
        return f"resting for {wait:.0f} s (much worse than its siblings)"
    if standing == "full":
        return f"at its limit for {wait:.1f} s"
    return "not asked"


def limited_s(state: DeploymentState, now: float, tokens: int = 0) -> float:
    """Seconds until its configured limits allow a call."""
    if state.limiter is None:
        return 0.0
    return state.limiter.wait_s(now, tokens, state.pace.latency_s or 1.0)


def back_s(state: DeploymentState, now: float) -> float:
    """Seconds until calls may go there again, infinite for one that was drained."""
    if state.drained:
        return INFINITE
    until = max(state.resting_until, state.ejected_until)
    if not state.breaker.closed:
        until = max(until, state.breaker.until)
    return max(0.0, until - now, limited_s(state, now))
