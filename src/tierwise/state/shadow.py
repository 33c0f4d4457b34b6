"""Shadow prices: what one more request to a busy model costs all others, in quality.

A model whose capacity is wanted by more requests than it can take gets a price, which counts
against it like its cost. Tasks that lose least by going elsewhere go first; those that need the
model stay. That is the dual of giving scarce capacity to whom it helps most, and the price is found
by dual ascent: it rises with demand over capacity and falls with what is left free (online linear
programming; Agrawal, Wang, Ye, Operations Research 62(4), 2014, section 3; Li, Sun, Ye, NeurIPS
2020, "Simple and fast algorithm for binary integer and online linear programming").

Demand is what requests want once prices have been counted, be there room for them or not. Its
running mean damps the ascent. How quickly a price may move depends on how much is seen in a second:
each request too many moves it by `A_REQUEST` at most, so that the price of a model that takes one
request a second is not led by chance (in online dual descent the step is one of each arrival).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec import Struct

AIM = 0.95
"""The share of a model's capacity that prices aim at; the rest is for what comes in bursts."""
STEP = 0.012
"""How much a price moves in a second, in quality, at a demand that is off by the whole capacity."""
SMOOTHING_S = 0.2
"""Time constant of the running mean of demand, in seconds. Demand answers a price late: by this,
and by the time that a smaller model takes whose answer is judged first, about half a second. Where
a price of 0.015 moves the whole capacity, as was seen of such tasks (gains lie close together), the
loop's gain times that delay is `STEP` / 0.015 · 0.7, about 0.6. (From π/2 on an integrator that is
answered late swings for ever.)"""
A_REQUEST = 0.003
"""How much one request moves a price at most. Where that makes the step smaller, the running mean
is of as much more time, so that the damping stays."""
CAPACITY_S = 5.0
"""Time constant of the running mean of the capacity, in seconds: where calls at a time are limited
it hangs on how long the latest answers took, and some are short."""
MOST_DEMAND = 4.0
"""Demand counts up to this many times the capacity, so that a burst does not overshoot."""
MOST = 0.5
"""A higher price would send away even those whom no other model serves half as well."""
START = 0.01
"""A price counts once it has come up to this, and until the peak is over: a burst in a calm hour,
some requests more than the model takes, moves nobody."""
LEAST = 0.001
"""While a price counts it is not less than this."""
CALM = 0.5
"""A peak is over when the price is down at `LEAST` and this share of the capacity suffices. Even
the least price may halve what is wanted, as answers of smaller models are then looked at first. So
where it is only just enough, all would come back at once without it, and leave again."""
LATELY = 10.0
"""Whether it is over is seen of so many times as long as prices are moved by: chance must not end
it."""
PERIOD_S = 0.1
_OUT = 1e-6
"""Requests a second. A model that takes less is out, and not scarce: it keeps the price that it
had, and has it when it is back."""
_TOKENS = 0.05
"""Weight of the newest request in the mean tokens of one."""


@dataclass(slots=True)
class _Resource:
    """`each_s` is the running mean of what one request takes of the capacity, in seconds; `rate`
    that of the requests a second that want it, and `lately` the same over a longer time."""

    wanted: int = 0
    tokens: float = 0.0
    rate: float = 0.0
    lately: float = 0.0
    each_s: float | None = None
    price: float = 0.0
    counts: bool = False

    def move(self, seen: float, capacity: float, passed: float) -> None:
        """Moves the price.

        Args:
            seen: requests a second that wanted the model of late.
            capacity: requests a second that it can take, as far as is known now.
            passed: seconds since the last move.
        """
        now_s = 1.0 / capacity
        old_s = now_s if self.each_s is None else self.each_s
        self.each_s = old_s + _share(passed, CAPACITY_S) * (now_s - old_s)
        usual = 1.0 / self.each_s
        step = min(A_REQUEST, STEP * self.each_s)
        smoothing = SMOOTHING_S * STEP / (step * usual)
        self.rate += _share(passed, smoothing) * (seen - self.rate)
        rise = min(step * (self.rate - AIM * usual), STEP * (MOST_DEMAND - AIM))
        # In long pauses everything ebbs: a single step must not do more than that.
        self.price = min(MOST, max(0.0, self.price + rise * min(passed, smoothing)))
        self.lately += _share(passed, LATELY * smoothing) * (seen - self.lately)
        busy = self.price > LEAST or self.lately > CALM * usual
        self.counts = busy if self.counts else self.price >= START


class Seen(Struct, frozen=True):
    """A model's price by what one process sees: whether it counts, and the requests a second that
    want the model."""

    model: str
    price: float
    counts: bool
    rate: float


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

    def seen(self) -> list[Seen]:
        """What this process has seen of each model, for those that see others' requests."""
        return [
            Seen(model, resource.price, resource.counts, resource.rate)
            for model, resource in self._resources.items()
        ]

    def agree(self, seen: Seen, price: float, counts: bool) -> None:
        """All together have come to this price, when this was seen here. What has moved it here
        since stays."""
        resource = self._resources.get(seen.model)
        if resource is not None:
            moved = resource.price - seen.price
            resource.price = min(MOST, max(0.0, price + moved))
            resource.counts = counts

    def _move(self) -> None:
        now = self._clock()
        passed, self._moved = now - self._moved, now
        prices: dict[str, float] = {}
        for model, resource in list(self._resources.items()):
            seen, resource.wanted = resource.wanted / passed, 0
            capacity = self._capacity(model, resource.tokens)
            if capacity is None:
                del self._resources[model]
                continue
            if capacity > _OUT:
                resource.move(seen, capacity, passed)
            if resource.counts:
                prices[model] = max(LEAST, resource.price)
        self.prices = prices


def _share(passed: float, constant: float) -> float:
    """The weight of the newest value in a running mean, after so many seconds."""
    return 1.0 - math.exp(-passed / constant)
