"""All scenarios, one after the other, each with a fleet and a gateway of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
from msgspec import Struct

from tierwise.chaos.detect import Detected, calls_in, detected
from tierwise.chaos.figures import Result, ScenarioFigures, figures
from tierwise.chaos.ground import DEADLINE_S, TIMEOUTS, Ground, look_inside, standing
from tierwise.chaos.outage import Played, places, play
from tierwise.chaos.scenarios import CROWD, HEALTHY_RUN, Scenario, chosen
from tierwise.fleet import Fleet, WorkItem

LEDGER_S = 10.0
"""How long the gateway's ledger may take to write what it has, in seconds."""
Say = Callable[[str], None]
"""Is told what happens now, before each scenario."""


class Options(Struct, frozen=True, kw_only=True):
    """What to play. No names mean all; `rate` is in requests a second, `speed` a factor on the
    models' latency."""

    scenarios: tuple[str, ...] = ()
    requests: int = 500
    outcomes: Path | None = None
    seed: int = 0
    speed: float = 0.2
    rate: float = 25.0

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return len(chosen(self.scenarios))


def run(options: Options, say: Say = lambda _: None) -> Result:
    """Plays the scenarios.

    Raises:
        ConfigError: there is no such scenario, or the recordings cannot be read.
        TierwiseError: a process does not start.
    """
    wanted = chosen(options.scenarios)
    fleet = Fleet.of(options.outcomes, seed=options.seed, speed=options.speed)
    items = fleet.workload(options.requests, seed=options.seed)
    found: list[ScenarioFigures] = []
    healthy: dict[int, float] = {}
    order = list(fleet.providers)
    for scenario in wanted:
        say(scenario.name)
        if scenario.name == CROWD:
            from tierwise.chaos.crowd import crowd

            found.append(crowd(scenario, fleet, options))
            continue
        with standing(fleet, options.outcomes, seed=options.seed, speed=options.speed) as ground:
            played, left_alone = asyncio.run(_play(scenario, ground, items, options.rate, order))
            if scenario.name == HEALTHY_RUN:
                order = places(fleet, [judged for _, judged in played.seen])
                healthy = {s.number: s.latency_s for s, j in played.seen if j.failed is None}
            found.append(figures(played, healthy, left_alone, DEADLINE_S))
    return Result(
        scenarios=found,
        simulated=fleet.simulated_answers,
        seed=options.seed,
        speed=options.speed,
        rate=options.rate,
        timeouts=TIMEOUTS,
        deadline_s=DEADLINE_S,
        load=os.getloadavg()[0],
    )


async def _play(
    scenario: Scenario,
    ground: Ground,
    items: Sequence[WorkItem],
    rate: float,
    order: Sequence[str],
) -> tuple[Played, Detected | None]:
    """Plays a scenario; how it went, and how soon it was found out."""
    played = await play(scenario, ground, items, rate, order)
    if played.began is None or played.ended is None:
        return played, None
    await _written(ground)
    calls = calls_in(ground.ledger, played.wall_s)
    return played, detected(calls, played.rests, played.hit, played.began, played.ended)


async def _written(ground: Ground) -> None:
    """Waits until the ledger has every record."""
    give_up = time.monotonic() + LEDGER_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < give_up:
            if not (await look_inside(session, ground.url)).pending:
                return
            await asyncio.sleep(0.05)
