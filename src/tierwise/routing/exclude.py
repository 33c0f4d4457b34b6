"""Why a model cannot serve a task under a policy, in words; None if it can."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tierwise.types import Deployment, Estimate, Model, Policy, Profile


def by_policy(policy: Policy, model: Model, deployments: Sequence[Deployment]) -> str | None:
    """The policy's lists and regions."""
    permitted = permitted_deployments(policy, deployments)
    if permitted:
        return None
    if model.id in policy.deny:
        return "denied by the policy"
    denied = {*policy.deny} & {name for d in deployments for name in (d.provider, d.region)}
    if denied:
        return f"denied by the policy: {', '.join(sorted(denied))}"
    if policy.allow and not any({d.model, d.provider} & {*policy.allow} for d in deployments):
        return "not on the policy's allow list"
    return f"not served in {', '.join(policy.regions)}, where the policy wants it"


def permitted_deployments(
    policy: Policy, deployments: Sequence[Deployment]
) -> tuple[Deployment, ...]:
    """The deployments that the policy's allow and deny lists and regions leave."""
    return tuple(
        d
        for d in deployments
        if d.model not in policy.deny
        and d.provider not in policy.deny
        and d.region not in policy.deny
        and (not policy.allow or d.model in policy.allow or d.provider in policy.allow)
        and (not policy.regions or d.region in policy.regions)
    )


def by_caller(allowed: Collection[str], model: Model) -> str | None:
    """The models that the caller's key may use; none named: all."""
    if allowed and model.id not in allowed:
        return "not one of the models that the key may use"
    return None


def by_capability(profile: Profile, model: Model, *, spared: bool = False) -> str | None:
    """Capabilities and the context window.

    Args:
        spared: whether it is not asked to think, though the task asks for it.
    """
    lacking = profile.requires - model.capabilities
    if spared:
        lacking -= {"reasoning"}
    if "json_mode" in lacking and "json_schema" in model.capabilities:
        lacking -= {"json_mode"}
    if lacking:
        return f"lacks {', '.join(sorted(lacking))}"
    needed = profile.input_tokens + profile.output_tokens
    if needed > model.context_window:
        return f"needs {needed:,} tokens, its window has {model.context_window:,}"
    return None


def by_ceiling(policy: Policy, estimate: Estimate) -> str | None:
    """The policy's ceilings on cost and latency."""
    if policy.max_cost_usd is not None and estimate.cost_p90_usd > policy.max_cost_usd:
        return f"may cost {estimate.cost_p90_usd:.6f} USD, over {policy.max_cost_usd:g}"
    if policy.max_latency_s is not None and estimate.latency_s > policy.max_latency_s:
        return f"takes about {estimate.latency_s:.1f} s, over {policy.max_latency_s:g}"
    return None
