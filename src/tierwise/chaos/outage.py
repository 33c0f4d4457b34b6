"""An outage as it happens: begins after a warm-up, ends, and is watched until all is well again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tierwise.chaos.client import ask_all
from tierwise.chaos.continued import Part, continuations
from tierwise.chaos.ground import Ground
from tierwise.chaos.judge import Judged, judge
from tierwise.chaos.scenarios import FLAP_S, Scenario
from tierwise.chaos.seen import Seen
from tierwise.fleet import Fleet, FleetControl, WorkItem

BEGINS, ENDS = 0.25, 0.6
"""Shares of the requests after which an outage begins, and ends."""
WATCH_S = 30.0
"""How long after its end providers are awaited to serve again."""
_POLL_S = 0.02


class Rest(Struct, frozen=True):
    """The gateway says that it leaves a deployment alone; `at` by the monotonic clock."""

    deployment: str
    at: float


class Played(Struct, frozen=True, kw_only=True):
    """One scenario, as it was. Times by the monotonic clock; None where nothing was wrong.

    `hit` are the providers that were, `path_alive` says that there were others. `recovery_s` is how
    long it took from its end until all of them served again that had served before; None if that
    took too long. `wall_s` is Unix time less the monotonic clock.
    """

    scenario: Scenario
    seen: list[tuple[Seen, Judged]]
    hit: tuple[str, ...]
    path_alive: bool
    recovery_s: float | None
    began: float | None
    ended: float | None
    rests: list[Rest]
    wall_s: float


async def play(
    scenario: Scenario,
    ground: Ground,
    items: Sequence[WorkItem],
    rate: float,
    order: Sequence[str],
) -> Played:
    """Plays one scenario.

    Args:
        items: one for each request; more are asked while a provider is awaited.
        order: the providers, by their places in `scenarios`.
    """
    async with FleetControl(ground.control_url) as control:
        outage = _Outage(scenario, control, order, len(items))
        rests: list[Rest] = []
        reading = asyncio.create_task(_watch_log(ground.log, rests))
        try:
            seen = await ask_all(ground.url, items, rate, outage.before, outage.heard)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
    return Played(
        scenario=scenario,
        seen=[(one, verdict(ground.fleet, one)) for one in seen],
        hit=tuple(outage.hits),
        path_alive=len(outage.hits) < len(order),
        recovery_s=outage.recovery_s,
        began=outage.began,
        ended=outage.ended,
        rests=rests,
        wall_s=time.time() - time.monotonic(),
    )


def verdict(fleet: Fleet, seen: Seen) -> Judged:
    """What is to be said of a request to this fleet."""
    return judge(seen, lambda model: fleet.expected(seen.item, model))


def places(fleet: Fleet, healthy: Sequence[Judged]) -> list[str]:
    """The providers by their places: who answered most, its sibling, then the others likewise."""
    busy = Counter(one.provider for one in healthy)
    left = sorted(fleet.providers, key=lambda name: -busy[name])
    order: list[str] = []
    while left:
        order.append(left.pop(0))
        models = set(fleet.providers[order[-1]].models)
        siblings = [name for name in left if models & set(fleet.providers[name].models)]
        order += siblings
        left = [name for name in left if name not in siblings]
    return order


class _Outage:
    """Breaks the fleet and mends it again, between the requests."""

    def __init__(
        self, scenario: Scenario, control: FleetControl, order: Sequence[str], requests: int
    ) -> None:
        self._scenario = scenario
        self._control = control
        self._requests = requests
        self._flapping: list[asyncio.Task[None]] = []
        self._served: set[str] = set()
        self._back: dict[str, float] = {}
        self.hits = {order[hit.place]: hit for hit in scenario.hits if hit.place < len(order)}
        self.began: float | None = None
        self.ended: float | None = None

    async def before(self, number: int) -> bool:
        """Whether request `number` is to be sent; begins and ends the outage at the right ones."""
        if not self.hits:
            return number < self._requests
        now = time.monotonic()
        if self.began is None and number >= BEGINS * self._requests:
            await self._begin()
        elif (
            self.began is not None
            and self.ended is None
            and number >= ENDS * self._requests
            and now - self.began >= self._scenario.shortest_s
        ):
            await self._mend(self._first_back)
            self.ended = time.monotonic()
        if number < self._requests or self.ended is None:
            return True
        return self.recovery_s is None and now - self.ended < WATCH_S

    def heard(self, seen: Seen) -> None:
        """Notes who has served before the outage, and who serves again after it."""
        deployment = seen.told("x-tierwise-deployment")
        if seen.status != 200 or deployment is None:
            return
        last = [Part(deployment), *continuations(seen.body if seen.stream else b"")][-1]
        provider = last.deployment.partition("/")[0]
        if self.began is None:
            self._served.add(provider)
        elif self.ended is not None and seen.until > self.ended:
            self._back.setdefault(provider, seen.until - self.ended)

    @property
    def recovery_s(self) -> float | None:
        """See `Played`."""
        if self.ended is None:
            return None
        if self._scenario.one_by_one:
            return min(self._back.values(), default=None)
        awaited = [self._back.get(name) for name in self.hits if name in self._served]
        back = [when for when in awaited if when is not None]
        return max(back, default=0.0) if len(back) == len(awaited) else None

    @property
    def _first_back(self) -> list[str]:
        return [*self.hits][: 1 if self._scenario.one_by_one else None]

    async def _begin(self) -> None:
        self.began = time.monotonic()
        for name, hit in self.hits.items():
            if hit.flaps:
                self._flapping.append(asyncio.create_task(self._flap(name)))
            elif hit.dies:
                await self._control.kill(name)
            else:
                await self._control.set_faults(name, hit.faults)

    async def _flap(self, name: str) -> None:
        while True:
            await self._control.kill(name)
            await asyncio.sleep(FLAP_S)
            await self._control.revive(name)
            await asyncio.sleep(FLAP_S)

    async def _mend(self, names: Sequence[str]) -> None:
        for task in self._flapping:
            task.cancel()
        await asyncio.gather(*self._flapping, return_exceptions=True)
        self._flapping.clear()
        for name in names:
            await self._control.revive(name)
            await self._control.clear_faults(name)


async def _watch_log(log: Path, rests: list[Rest]) -> None:
    """Notes when the gateway says that a deployment rests."""
    with log.open() as lines:
        while True:
            for line in lines:
                name, says, _ = line.partition(" rests for ")
                if says:
                    rests.append(Rest(name.rsplit(" ", 1)[-1], time.monotonic()))
            await asyncio.sleep(_POLL_S)
