"""Three deployments, and what befalls them."""

from __future__ import annotations

from builders import Clock, a_deployment
from tierwise.errors import UpstreamError
from tierwise.state.health import Health
from tierwise.types import Deployment, Limits

A = a_deployment(provider="a")
B = a_deployment(provider="b")
C = a_deployment(provider="c")
LIMITED = a_deployment(provider="a", limits=Limits(rpm=2, tpm=200, concurrency=5))


def rest_of(health: Health, clock: Clock, deployment: Deployment = A) -> float:
    return max(0.0, health.states[deployment.id].resting_until - clock())


def fail(health: Health, error: UpstreamError, times: int = 1) -> None:
    for _ in range(times):
        health.failed(A, error)


def answer(health: Health, deployment: Deployment = A, times: int = 1, **fields: float) -> None:
    """Calls that begin and are answered, as a stream if `ttft_s` is given."""
    for _ in range(times):
        health.started(deployment)
        health.left(deployment)
        latency = fields.get("latency_s", 1.0)
        health.succeeded(deployment, latency, fields.get("ttft_s"))
