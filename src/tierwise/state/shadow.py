"""Shadow prices: what one more request to a busy model costs all others, in quality.

A model whose capacity is wanted by more requests than it can take gets a price, which counts
against it like its cost. Tasks that lose least by going elsewhere go first; those that need the
model stay. That is the dual of giving scarce capacity to whom it helps most, and the price is found
by dual ascent: it rises with demand over capacity and falls with what is left free (online linear
programming; Agrawal, Wang, Ye, Operations Research 62(4), 2014, section 3; Li, Sun, Ye, NeurIPS
2020, "Simple and fast algorithm for binary integer and online linear programming").

Demand is what requests want once prices have been counted, be there room for them or not. Its
running mean damps the ascent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

AIM = 0.9
"""The share of a model's capacity that prices aim at; the rest is for what comes in bursts."""
STEP = 0.05
"""How much a price moves in a second, in quality, at a demand that is off by the whole capacity."""
SMOOTHING_S = 1.0
"""Time constant of the running mean of demand, in seconds. With `STEP` it keeps the ascent from
swinging as long as a price of 0.1 moves no more than the whole capacity: the damping ratio of the
linearised loop is 1 / (2 √(STEP · SMOOTHING_S · 10)), about 0.7."""
MOST_DEMAND = 4.0
"""Demand counts up to this many times the capacity, so that a burst does not overshoot."""
MOST = 0.5
"""A higher price would send away even those whom no other model serves half as well."""
PERIOD_S = 0.1
_TOKENS = 0.05
"""Weight of the newest request in the mean tokens of one."""


@dataclass(slots=True)
class _Resource:
    wanted: int = 0
    tokens: float = 0.0
    rate: float = 0.0
    price: float = 0.0


class ShadowPrices:
    """Prices of all models that have a capacity.

    Args:
        clock: monotonic, in seconds.
        capacity: requests a second that a model can take now, if each takes so many tokens; None
            where nobody knows a limit.
    """

    def __init__(
        self, clock: Callable[[], float], capacity: Callable[[str, float], float | None]
    ) -> None:
        self._clock = clock
        self._capacity = capacity
        self._resources: dict[str, _Resource] = {}
        self._moved = clock()
        self.prices: Mapping[str, float] = {}
        """By model, in quality; those that have none are left out."""

    def wanted(self, model: str, tokens: int) -> None:
        """A request would ask this model, and take so many tokens, be there room or not."""
        resource = self._resources.get(model)
        if resource is None:
            if self._capacity(model, tokens) is None:
                return
            resource = self._resources[model] = _Resource(tokens=float(tokens))
        resource.wanted += 1
        resource.tokens += _TOKENS * (tokens - resource.tokens)

    def now(self) -> Mapping[str, float]:
        """The prices at this moment; moves them if it is time."""
        if self._resources and self._clock() - self._moved >= PERIOD_S:
            self._move()
        return self.prices

    def _move(self) -> None:
        now = self._clock()
        passed, self._moved = now - self._moved, now
        keep = math.exp(-passed / SMOOTHING_S)
        prices: dict[str, float] = {}
        for model, resource in list(self._resources.items()):
            seen, resource.wanted = resource.wanted / passed, 0
            resource.rate = keep * resource.rate + (1.0 - keep) * seen
            capacity = self._capacity(model, resource.tokens)
            if capacity is None:
                del self._resources[model]
                continue
            # In long pauses everything ebbs: a single step must not do more than that.
            demand = min(resource.rate / capacity, MOST_DEMAND) if capacity > 0 else MOST_DEMAND
            step = STEP * min(passed, SMOOTHING_S) * (demand - AIM)
            resource.price = min(MOST, max(0.0, resource.price + step))
            if resource.price > 0:
                prices[model] = resource.price
        self.prices = prices
