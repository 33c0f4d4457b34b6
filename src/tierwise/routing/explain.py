"""What became of every candidate, in words: the table behind a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tierwise.routing.weigh import Weighed
from tierwise.types import Candidate, Estimate, Plan


def listed(
    plan: Plan,
    estimates: Mapping[str, Estimate],
    excluded: Mapping[str, Candidate],
    target: float,
    weighed: Weighed | None,
    scarce: Mapping[str, float],
) -> tuple[Candidate, ...]:
    """Every candidate with its part in the plan, those that were excluded last.

    Args:
        excluded: those that may not be asked, as they are to be listed.
        target: the quality that was wanted, where rules decided.
        weighed: what each is worth, where quality was learned.
        scarce: what counted against models because others want them, too.
    """
    values = weighed.values if weighed is not None else {}
    first = plan.tiers[0].model
    tiers = {tier.model: index for index, tier in enumerate(plan.tiers)}
    found: list[Candidate] = []
    for name, estimate in estimates.items():
        role: Literal["tier", "fallback"] = "tier" if name in tiers else "fallback"
        why = (
            f"tier {tiers[name] + 1}"
            if name in tiers
            else f"stands in as {plan.fallbacks.index(name) + 1}: "
            + _behind(name, first, estimates, target, weighed)
        )
        found.append(
            Candidate(
                model=name,
                role=role,
                why=why,
                estimate=estimate,
                value=values.get(name),
                scarcity=scarce.get(name, 0.0),
            )
        )
    found.extend(excluded.values())
    return tuple(found)


def _behind(
    name: str,
    first: str,
    estimates: Mapping[str, Estimate],
    target: float,
    weighed: Weighed | None,
) -> str:
    """Why a candidate does not go first."""
    if weighed is not None and name not in weighed.line_up:
        return "adds nothing to what others save"
    if weighed is not None:
        less = weighed.values[first] - weighed.values[name]
        return f"worth {less:.3f} less than {first}" if less > 0 else "not sure to be worth more"
    if estimates[name].quality < target:
        return f"below the target {target:.2f}"
    if estimates[name].cost_usd > estimates[first].cost_usd:
        return f"dearer than {first}"
    return f"{first} goes before it"
