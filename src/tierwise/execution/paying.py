"""Has a request set aside what it may well cost, before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.catalog import cost
from tierwise.errors import BudgetExceeded
from tierwise.execution.billing import expected_cost
from tierwise.execution.run import Run
from tierwise.types import Model, Usage


async def set_aside(run: Run, models: Mapping[str, Model]) -> None:
    """Sets aside what the plan of a request may well cost; nothing where nothing pays for it.

    What costs nothing is served even where nothing is left. But a model that stands in for it, or
    another place of its own, may have a price: where there is no room for that, only those are
    asked that have none.

    Raises:
        BudgetExceeded: a hard budget has no room for it.
    """
    purse = run.task.purse
    if purse is None:
        return
    expected = expected_cost(run.decision, models)
    if expected > 0:
        await purse.reserve(expected)
        return
    asked = [tier.model for tier in run.decision.plan.tiers] + [*run.decision.plan.fallbacks]
    profile = run.decision.profile
    usage = Usage(input_tokens=profile.input_tokens, output_tokens=profile.output_tokens)
    costs = [cost(usage, place.prices) for name in asked for place in run.paths.get(name, ())]
    try:
        await purse.reserve(min((usd for usd in costs if usd > 0), default=0.0))
    except BudgetExceeded:
        run.paths = {
            name: [place for place in places if cost(usage, place.prices) == 0]
            for name, places in run.paths.items()
        }
        if not any(run.paths.get(name) for name in asked):
            raise
        await purse.reserve(0.0)
