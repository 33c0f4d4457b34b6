"""What a caller is told whose request no permitted model can serve."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import Unsatisfiable
from tierwise.types import Candidate, Estimate, Policy, Task


def within_ceilings(task: Task, model: str, estimate: Estimate) -> None:
    """Raises `Unsatisfiable` where a model that was named would pass a ceiling."""
    most, longest = task.max_cost_usd, task.max_latency_s
    if most is not None and estimate.cost_p90_usd > most:
        raise Unsatisfiable(
            f"{model} may cost {estimate.cost_p90_usd:.6f} USD for this request, over "
            f"x-tierwise-max-cost-usd: {most:g}. Raise the ceiling, or let a "
            'policy choose with model "auto".',
            param="x-tierwise-max-cost-usd",
            code="over_max_cost",
        )
    if longest is not None and estimate.latency_s > longest:
        raise Unsatisfiable(
            f"{model} takes about {estimate.latency_s:.1f} s for this request, over "
            f"x-tierwise-max-latency-s: {longest:g}. Raise the ceiling, or let a "
            'policy choose with model "auto".',
            param="x-tierwise-max-latency-s",
            code="over_max_latency",
        )


def unsatisfiable(policy: Policy, excluded: Mapping[str, Candidate]) -> Unsatisfiable:
    """That nobody may serve a request: the reason of each candidate, and what can be done."""
    reasons = "; ".join(f"{name}: {one.why}" for name, one in sorted(excluded.items()))
    return Unsatisfiable(
        f"No model that policy {policy.name!r} may use can serve this request ({reasons}). "
        "Change the request, the policy or the ceiling.",
        param="model",
    )
