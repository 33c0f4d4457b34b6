"""Plans that go on by what answers say, for models whose answers were learned to be judged.

Training leaves a plan for each of many λ and what each came to on prompts that it was not fitted
to. A policy's `quality` picks the cheapest that keeps that fraction of the reference's; nothing is
fitted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.routing.artifact import Artifact, CascadeMeta
from tierwise.routing.induction import states
from tierwise.routing.planner import Ask, Plan, State
from tierwise.routing.sample import CAUTION
from tierwise.types import Estimate, Policy, Tier, Weights
from tierwise.types import Plan as TierPlan

if TYPE_CHECKING:
    from tierwise.routing.exchange import Rate

_TOLERANCE = 1e-12
_PROBES = frozenset({"agreement", "judge", "self_check"})
"""Gates that ask models themselves: they weigh their price against the next of fixed tiers."""


class Cascade:
    """The plans of one artifact.

    Args:
        artifact: one with a cascade.
        models: ids of the line-up's models as they are configured here, in its order.
    """

    def __init__(self, artifact: Artifact, meta: CascadeMeta, models: Sequence[str]) -> None:
        self.models = tuple(models)
        self.reference = self.models[meta.models.index(meta.reference)]
        self.meta = meta
        self.arrays: Mapping[str, NDArray[Any]] = artifact.arrays
        self._prices = artifact.arrays["plan_prices"]
        self._score = artifact.arrays["plan_score"]
        self._error = artifact.arrays["plan_error"]
        self._cost_usd = artifact.arrays["plan_cost"]
        self._place = meta.models.index(meta.reference)
        self._plans: dict[float, Plan] = {}

    def price(self, target: float, otherwise: float = 1.0) -> float | None:
        """λ of the cheapest plan that keeps this fraction of the reference's quality, in 1/USD.

        It must be met by `CAUTION` standard errors, as without a cascade. None if no plan does so
        for less than `otherwise`, a fraction of what the reference costs.
        """
        score, cost = self.arrays["plan_reference"]
        sure = self._score - CAUTION * self._error >= target * score - _TOLERANCE
        able = sure & (self._cost_usd < otherwise * cost)
        if not able.any():
            return None
        return float(self._prices[np.where(able, self._cost_usd, np.inf).argmin()])

    def price_in_a_peak(self, target: float, rate: Rate, busy: float) -> float:
        """λ of the plan to follow while others want the reference more than it can take, in 1/USD.

        `busy` is what its use costs them, in quality. To a plan that is as if it were dearer, and
        plans were fitted for dearer ones: that of a λ at which its usual cost counts for so much
        more. What smaller models cost counts for more as well, but that is little.

        Args:
            rate: what quality is worth where no plan is cheap or good enough for the target.
        """
        cost = float(self.arrays["plan_reference"][1])
        usual = self.price(target, rate.cost_share)
        if usual is None:
            usual = rate.per_usd * (rate.reference_cost_usd or cost) / cost
        wanted = max(usual + busy / cost, _TOLERANCE)
        nearest = np.abs(np.log(np.maximum(self._prices, _TOLERANCE) / wanted)).argmin()
        return float(self._prices[nearest])

    def plan(self, price: float) -> Plan | None:
        """The plan for a λ that `price` has named; None for another."""
        found = self._plans.get(price)
        if found is None:
            at = np.flatnonzero(self._prices == price)
            if not len(at):
                return None
            found = self._plans[price] = self._read(int(at[0]))
        return found

    def _read(self, at: int) -> Plan:
        models = len(self.models)
        later = self.arrays["plan_later"][at].astype(np.float64)
        depth = next(d for d in range(1, models + 1) if len(states(models, d)) >= len(later)) + 1
        weights = dict(zip(states(models, depth - 1), later, strict=True))
        weights[()] = self.arrays["plan_first"][at].astype(np.float64)
        return Plan(float(self._prices[at]), self._place, depth, weights)

    def start(
        self, estimates: Mapping[str, Estimate], price: float, scarce: Mapping[str, float]
    ) -> State:
        """What is known before anybody was asked; `estimates` are of every model of the line-up.

        A scarce model is dearer by what its use costs others, in USD at the plan's λ; the λ itself
        says so of the reference.
        """
        cost = [estimates[name].cost_usd for name in self.models]
        if scarce and price > 0:
            others = {name: more for name, more in scarce.items() if name != self.reference}
            extra = (others.get(name, 0.0) / price for name in self.models)
            cost = [usd + more for usd, more in zip(cost, extra, strict=True)]
        return State(
            quality=np.array([estimates[name].quality for name in self.models]),
            cost_usd=np.array(cost),
        )


def cascaded(
    cascade: Cascade,
    policy: Policy,
    estimates: Mapping[str, Estimate],
    static: TierPlan,
    rate: Rate,
    scarce: Mapping[str, float],
) -> tuple[TierPlan, float, str] | None:
    """The plan of a request whose answers are to be judged, its λ, and the reason in words.

    Its tiers are the line-up: the first is asked first, and the others when answers call for them.
    None where the cascade was learned for something else: another reference, a line-up of which a
    model may not be asked, a policy that checks nothing, buys probes or minds waiting; and where
    the prompt alone tells enough to save as much.

    While the reference is scarce answers are judged even so: an answer tells better than a prompt
    who needs it, and each that turns out to be good leaves a place to somebody else.

    Args:
        static: the plan without a cascade, which says who stands in.
        rate: what quality is worth by the prompt alone, and what plans like that one cost.
        scarce: what the use of a model costs others who want it, in quality.
    """
    fits = policy.weights == Weights() and policy.gates and _PROBES.isdisjoint(policy.gates)
    if not fits or any(name not in estimates for name in cascade.models):
        return None
    busy = scarce.get(cascade.reference)
    if busy:
        price: float | None = cascade.price_in_a_peak(policy.quality, rate, busy)
    else:
        price = cascade.price(policy.quality, rate.cost_share)
    plan = cascade.plan(price) if price is not None else None
    if plan is None or price is None:
        return None
    move = plan.next(cascade.start(estimates, price, scarce))
    if not isinstance(move, Ask):
        return None
    first = cascade.models[move.model]
    others = [name for name in cascade.models if name != first]
    order = [first, *sorted(others, key=lambda name: estimates[name].quality)]
    top = estimates[cascade.reference]
    otherwise = top.quality - price * top.cost_usd
    behind = (*(tier.model for tier in static.tiers), *static.fallbacks)
    found = replace(
        static,
        tiers=tuple(_tier(policy, name, estimates[name], otherwise) for name in order),
        fallbacks=tuple(name for name in behind if name not in order),
        adaptive=True,
    )
    reason = (
        f"{first} is worth asking first: expected to reach {estimates[first].quality:.2f} for "
        f"{estimates[first].cost_usd:.2g} USD; its answer decides whether "
        f"{' or '.join(order[1:])} is asked"
    )
    return found, price, reason


def _tier(policy: Policy, model: str, estimate: Estimate, otherwise: float) -> Tier:
    """What `accept` says is for answers that cannot be judged: the reference's value, as always."""
    return Tier(
        model=model,
        gates=policy.gates,
        accept=max(0.0, min(otherwise, estimate.quality)),
        expected=estimate.quality,
    )
