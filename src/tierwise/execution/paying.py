"""Has a request set aside what it may well cost, before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.analysis import Measured, classify
from tierwise.catalog import cost
from tierwise.errors import BudgetExceeded
from tierwise.execution.run import Run
from tierwise.routing import PriorPredictor
from tierwise.types import Model, Usage


async def set_aside(run: Run, measured: Measured, models: Mapping[str, Model]) -> None:
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
    expected = _expected(run, measured, models)
    if expected > 0:
        await purse.reserve(expected)
        return
    plan, read = run.decision.plan, run.decision.profile.input_tokens
    asked = [tier.model for tier in plan.tiers] + [*plan.fallbacks]
    usage = Usage(input_tokens=read, output_tokens=1)
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


def _expected(run: Run, measured: Measured, models: Mapping[str, Model]) -> float:
    """What a request may well cost, in USD: each of its tiers, at the 90th percentile.

    Where the caller named the model nothing was estimated: what they allow it to say is priced, or
    what rules expect it to.
    """
    known = {c.model: c.estimate for c in run.decision.candidates}
    allowed, seen = run.task.max_output_tokens, measured.profile
    total = 0.0
    for tier in run.decision.plan.tiers:
        model, estimate = models[tier.model], known.get(tier.model)
        if estimate is None and allowed is not None:
            written = allowed * seen.choices
            usage = Usage(input_tokens=seen.input_tokens, output_tokens=written)
            total += cost(usage, model.prices)
            continue
        if estimate is None:
            by_rules = PriorPredictor().estimates(classify(measured), None, (model,), {})
            estimate = by_rules[model.id]
        total += estimate.cost_p90_usd
    return total
