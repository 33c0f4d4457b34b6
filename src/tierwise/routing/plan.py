"""Which models, in which order: small to large, then whoever can stand in.

Where quality was learned, the model of the highest value goes first (`weigh`). Else the cheapest
whose prior reaches the target does (among specialists of the task's domain if one of them reaches
it). The reference goes last, and gates decide in between.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tierwise.routing.weigh import NOTHING, STAY, Weighed, price_of
from tierwise.types import Estimate, Model, Plan, Policy, Profile, Tier


def make_plan(
    policy: Policy,
    profile: Profile,
    models: Mapping[str, Model],
    estimates: Mapping[str, Estimate],
    reference: str,
    reference_quality: float,
    weighed: Weighed | None = None,
    holder: str | None = None,
    scarce: Mapping[str, float] = NOTHING,
) -> tuple[Plan, str]:
    """The plan and the reason in words.

    Args:
        estimates: of every candidate that may be used; not empty.
        reference: the model that quality refers to; it may be excluded from the candidates.
        reference_quality: its predicted quality on this task.
        weighed: which model goes first where quality was learned; None leaves it to the rules.
        holder: the model that answered last in the conversation, if it may be used; the rules let
            it stay if it all but reaches the target.
        scarce: what the use of a model costs others who want it, in quality: to the rules it is
            that much worse. `weighed` knows already.
    """
    if policy.tiers:
        tiers = tuple(tier for tier in policy.tiers if tier.model in estimates)
        if tiers:
            # Nobody is left to ask after the last, so whatever its gates said would change nothing.
            tiers = (*tiers[:-1], replace(tiers[-1], gates=()))
            names = " then ".join(tier.model for tier in tiers)
            return Plan(tiers=tiers, fallbacks=_fallbacks(policy, tiers, estimates, 0.0)), (
                f"the policy pins {names}"
            )
    target = policy.quality * reference_quality
    if weighed is not None:
        return _by_value(policy, estimates, weighed, reference, target)
    if scarce:
        estimates = _less(estimates, scarce)
    # One that is scarce is no longer who stands behind the others in any case.
    top = reference if reference in estimates and reference not in scarce else _best(estimates)
    return _by_rules(policy, profile, models, estimates, reference, reference_quality, top, holder)


def _less(estimates: Mapping[str, Estimate], scarce: Mapping[str, float]) -> dict[str, Estimate]:
    """The estimates, that of a scarce model less what its use costs others."""
    return {
        name: replace(one, quality=one.quality - scarce[name]) if name in scarce else one
        for name, one in estimates.items()
    }


def _by_rules(
    policy: Policy,
    profile: Profile,
    models: Mapping[str, Model],
    estimates: Mapping[str, Estimate],
    reference: str,
    reference_quality: float,
    top: str,
    holder: str | None,
) -> tuple[Plan, str]:
    """The cheapest that reaches the target first, `top` behind it."""
    target = policy.quality * reference_quality
    able = [
        name
        for name, estimate in estimates.items()
        if estimate.quality >= target - (STAY if name == holder else 1e-9)
    ]
    if not able:
        tiers: tuple[Tier, ...] = (Tier(model=top),)
        reason = f"no candidate reaches {target:.2f}; {top} comes nearest"
        return Plan(tiers=tiers, fallbacks=_fallbacks(policy, tiers, estimates, target)), reason
    specialists = [name for name in able if profile.domain in models[name].specialises]
    first = min(
        specialists or able,
        key=lambda name: (
            price_of(estimates[name], policy.weights),
            -estimates[name].quality,
            name,
        ),
    )
    if specialists and estimates[first].cost_usd > estimates[top].cost_usd:
        # A specialist dearer than the reference must be better than it, not only good enough.
        first = first if estimates[first].quality > estimates[top].quality else top
    reason = (
        f"{first} {_why(first, specialists, reference, profile)} "
        f"and is expected to reach {estimates[first].quality:.2f} "
        f"(target {target:.2f}: {policy.quality:g} of {reference}'s {reference_quality:.2f})"
    )
    tiers = _tiers(policy, estimates, first, top)
    return Plan(tiers=tiers, fallbacks=_fallbacks(policy, tiers, estimates, target)), reason


def _by_value(
    policy: Policy,
    estimates: Mapping[str, Estimate],
    weighed: Weighed,
    reference: str,
    target: float,
) -> tuple[Plan, str]:
    """The model of the highest value first; behind it, of those that are better, who is worth most.

    The reference where nobody is better.
    """
    first = weighed.first
    values = weighed.values
    better = [name for name in estimates if estimates[name].quality > estimates[first].quality]
    if better:
        top = max(better, key=lambda name: (values[name], name == reference, name))
    else:
        top = reference if reference in estimates else _best(estimates)
    tiers = _tiers(policy, estimates, first, top)
    if len(tiers) > 1:
        tiers = (_valued(tiers[0], estimates[first], weighed.values[top]), *tiers[1:])
    reason = (
        f"{first} is worth most for its price: expected to reach {estimates[first].quality:.2f} "
        f"for {estimates[first].cost_usd:.2g} USD ({weighed.guard})"
    )
    return Plan(tiers=tiers, fallbacks=_fallbacks(policy, tiers, estimates, target)), reason


def _tiers(
    policy: Policy, estimates: Mapping[str, Estimate], first: str, top: str
) -> tuple[Tier, ...]:
    """One tier if nobody better is left to escalate to, else two with gates between."""
    if first == top or estimates[first].quality >= estimates[top].quality:
        return (Tier(model=first),)
    return (Tier(model=first, gates=policy.gates), Tier(model=top))


def _valued(tier: Tier, estimate: Estimate, otherwise: float) -> Tier:
    """The tier with what its answer must reach: the value of asking the next one instead.

    Its own cost is spent by then and does not count (cascade routing, arXiv 2410.10347, section 3).
    What was expected is enough as long as no gate has anything against it.

    Args:
        otherwise: quality less what its cost is worth, of the next tier.
    """
    accept = max(0.0, min(otherwise, estimate.quality))
    return replace(tier, accept=accept, expected=estimate.quality)


def _why(first: str, specialists: list[str], reference: str | None, profile: Profile) -> str:
    if first in specialists:
        return f"specialises in {profile.domain}"
    if not specialists:
        return "is the cheapest that is good enough"
    return "is the reference" if first == reference else "is the best"


def _best(estimates: Mapping[str, Estimate]) -> str:
    return max(estimates, key=lambda name: (estimates[name].quality, -estimates[name].cost_usd))


def _fallbacks(
    policy: Policy, tiers: tuple[Tier, ...], estimates: Mapping[str, Estimate], target: float
) -> tuple[str, ...]:
    """Who stands in when every deployment of every tier fails.

    The policy's own list first; then those that reach the target, the cheapest first; then the
    rest, the best first.
    """
    planned = {tier.model for tier in tiers}
    listed = [name for name in policy.fallbacks if name in estimates and name not in planned]
    rest = [name for name in estimates if name not in planned and name not in listed]
    able = sorted(
        (name for name in rest if estimates[name].quality >= target),
        key=lambda name: estimates[name].cost_usd,
    )
    others = sorted(
        (name for name in rest if estimates[name].quality < target),
        key=lambda name: -estimates[name].quality,
    )
    return (*listed, *able, *others)
