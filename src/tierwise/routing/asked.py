"""Whom probes may ask about the answers of a plan."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tierwise.types import Estimate, Plan, Policy, Tier

AGREEMENT = "agreement"
"""The probe that wants the task answered once more."""


def with_asked(plan: Plan, policy: Policy, estimates: Mapping[str, Estimate]) -> Plan:
    """The plan with what its policy says of probes and drafts."""
    tiers = plan.tiers
    if any(AGREEMENT in tier.gates for tier in tiers):
        tiers = tuple(
            replace(tier, second=_second(tier, behind, policy, estimates))
            if AGREEMENT in tier.gates
            else tier
            for tier, behind in zip(tiers, [*tiers[1:], None], strict=True)
        )
    elif (policy.judge, policy.probe_share, policy.hand_over) == _of(plan):
        return plan
    return replace(
        plan,
        tiers=tiers,
        judge=policy.judge,
        probe_share=policy.probe_share,
        hand_over=policy.hand_over,
    )


def _of(plan: Plan) -> tuple[str | None, float, bool]:
    return plan.judge, plan.probe_share, plan.hand_over


def _second(
    tier: Tier, behind: Tier | None, policy: Policy, estimates: Mapping[str, Estimate]
) -> str:
    """The policy's, else the cheapest other candidate that costs less than the next tier.

    Where there is none, the tier's own model, which then gives a second sample.
    """
    if policy.second is not None:
        return policy.second
    limit = estimates[behind.model].cost_usd if behind is not None else 0.0
    cheaper = [
        name
        for name, estimate in estimates.items()
        if name != tier.model and estimate.cost_usd < limit
    ]
    return min(cheaper, key=lambda name: (estimates[name].cost_usd, name), default=tier.model)
