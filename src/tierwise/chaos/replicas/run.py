"""All parts, one after the other, on the same ground, each paid from a key of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import aiohttp
from msgspec import Struct

from tierwise.chaos.replicas.audit import rows_of
from tierwise.chaos.replicas.balancer import Balancer, Load
from tierwise.chaos.replicas.figures import Outage, PartFigures, ReplicasResult, figures
from tierwise.chaos.replicas.ground import STATE_TIMEOUT_S, Ground, Office, Payer, standing
from tierwise.chaos.replicas.servers import Server
from tierwise.errors import ConfigError, TierwiseError
from tierwise.fleet import Fleet, WorkItem
from tierwise.state.shared.connection import MOST_PAUSE_S

Part = Literal["budget", "redis", "postgres", "replica"]
NAMES: tuple[Part, ...] = ("budget", "redis", "postgres", "replica")
"""Nobody is killed, or the one that is named."""
USED_UP = 2 / 3
"""After this share of the requests the budget is to be used up."""
BEGINS, ENDS = 0.25, 0.45
"""Shares of the requests after which somebody is killed, and is back."""
SHORTEST_S = 2.0
SETTLED_S = MOST_PAUSE_S + 4 * STATE_TIMEOUT_S + 1.0
"""After that all replicas have told what they did without Redis, in seconds."""
_SHARE = 5
_GAUGED = 200
_KILLED = 1
Say = Callable[[str], None]
"""Is told what happens now, before each part."""


class ReplicasOptions(Struct, frozen=True, kw_only=True):
    """What to play. No names mean all. `requests` are those of the part `budget`; the others have
    a fifth of them, but 100 at least. `clients` is how many ask at a time. `database` is the URL of
    a PostgreSQL database; without, one is started."""

    parts: tuple[str, ...] = ()
    requests: int = 20_000
    clients: int = 32
    database: str | None = None
    outcomes: Path | None = None
    seed: int = 0
    speed: float = 0.05

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return len(self.chosen)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The parts to play. Raises `ConfigError` for one that there is not."""
        for name in self.parts:
            if name not in NAMES:
                raise ConfigError(
                    f"there is no part {name!r}",
                    field="--scenario",
                    remedy=f"With --replicas there are {', '.join(NAMES)}.",
                )
        return tuple(name for name in NAMES if name in self.parts or not self.parts)


def run(options: ReplicasOptions, say: Say = lambda _: None) -> ReplicasResult:
    """Plays the parts.

    Raises:
        ConfigError: there is no such part, or no Redis or PostgreSQL to start.
        TierwiseError: a process does not start, or does not do what it should.
    """
    chosen = options.chosen
    fleet = Fleet.of(options.outcomes, seed=options.seed, speed=options.speed)
    skipped: dict[str, str] = {}
    if options.database is not None and "postgres" in chosen:
        skipped["postgres"] = "the database is yours, and is not killed"
    with standing(
        fleet, options.outcomes, options.database, seed=options.seed, speed=options.speed
    ) as ground:
        found = asyncio.run(
            _Run(ground, options, say).all([name for name in chosen if name not in skipped])
        )
    return ReplicasResult(
        parts=found,
        skipped=skipped,
        simulated=fleet.simulated_answers,
        seed=options.seed,
        speed=options.speed,
        load=os.getloadavg()[0],
    )


class _Run:
    def __init__(self, ground: Ground, options: ReplicasOptions, say: Say) -> None:
        self._ground = ground
        self._options = options
        self._say = say
        self._items = ground.fleet.workload(options.requests, seed=options.seed)
        self._urls = [gateway.url for gateway in ground.gateways]

    async def all(self, names: Sequence[str]) -> list[PartFigures]:
        async with aiohttp.ClientSession() as session:
            office = Office(self._ground, session)
            await office.ready()
            mean = await self._gauged(office)
            return [await self._play(name, office, mean) for name in names]

    async def _gauged(self, office: Office) -> float:
        """What a request costs on average, in USD."""
        payer = await office.payer("gauge", None)
        step = max(1, len(self._items) // _GAUGED)
        items = self._items[::step]
        load = await self._load(payer, items, _Killing(len(items)), streams=False)
        costs = [one.cost_usd for one in load.asked if one.cost_usd is not None]
        if not costs or any(one.failed for one in load.asked):
            why = next((one.failed for one in load.asked if one.failed), "no answer has a cost")
            raise TierwiseError(f"nobody was killed yet, and still: {why}")
        return sum(costs) / len(costs)

    async def _play(self, name: str, office: Office, mean: float) -> PartFigures:
        self._say(name)
        whole = self._options.requests
        count = whole if name == "budget" else min(whole, max(100, whole // _SHARE))
        hard = round(USED_UP * count * mean, 6)
        payer = await office.payer(name, hard)
        killing = _Killing(count, self._victims.get(name), _KILLED if name == "replica" else None)
        items = self._items[:: max(1, whole // count)]
        load = await self._load(payer, items, killing, streams=name != "budget")
        await office.ready()
        await office.written()
        if name == "redis":
            await asyncio.sleep(SETTLED_S)
        told = await office.told(payer)
        rows = await asyncio.to_thread(rows_of, self._ground.database, payer.key)
        return figures(name, load, killing.outage, rows, told, hard)

    @property
    def _victims(self) -> Mapping[str, Server]:
        ground = self._ground
        victims: dict[str, Server] = {"redis": ground.redis, "replica": ground.gateways[_KILLED]}
        return victims if ground.postgres is None else {**victims, "postgres": ground.postgres}

    async def _load(
        self, payer: Payer, items: Sequence[WorkItem], killing: _Killing, *, streams: bool
    ) -> Load:
        balancer = Balancer(self._ground.fleet, self._urls, payer.secret, streams=streams)
        try:
            return await balancer.load(items, self._options.clients, killing.more)
        finally:
            await killing.over()


class _Killing:
    """Kills somebody between two requests and starts him again some requests later."""

    def __init__(
        self, requests: int, victim: Server | None = None, replica: int | None = None
    ) -> None:
        self._requests = requests
        self._victim = victim
        self._replica = replica
        self._work: asyncio.Task[None] | None = None
        self._began: float | None = None
        self._enough = asyncio.Event()
        self.outage: Outage | None = None

    async def more(self, number: int) -> bool:
        """Whether request `number` is to be sent: until there were all, and all is well again."""
        if self._victim is not None:
            if number >= BEGINS * self._requests and self._work is None:
                self._work = asyncio.create_task(self._kill(self._victim))
            if number >= ENDS * self._requests:
                self._enough.set()
        return number < self._requests or (self._victim is not None and self.outage is None)

    async def over(self) -> None:
        """Nobody asks any more."""
        self._enough.set()
        if self._work is not None:
            await self._work

    async def _kill(self, victim: Server) -> None:
        began = time.monotonic()
        await asyncio.to_thread(victim.kill)
        killed = time.monotonic()
        await self._enough.wait()
        await asyncio.sleep(max(0.0, SHORTEST_S - (time.monotonic() - began)))
        await asyncio.to_thread(victim.start)
        self.outage = Outage(killed, time.monotonic(), self._replica)
