"""A long run at half of what the gateway can take: does its memory grow, does anything fail?"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

import aiohttp
from msgspec import Struct

from tierwise.chaos.client import TIMEOUT_S, ask_one
from tierwise.chaos.crowd import resident_mb
from tierwise.chaos.ground import PATIENT, Ground, look_inside, standing
from tierwise.chaos.outage import verdict
from tierwise.chaos.run import Options
from tierwise.fleet import Fleet, WorkItem

FULL_S = 10.0
"""How long the gateway is asked for all that it can take, in seconds."""
CLIENTS = 32
"""Clients at a time while that is found out."""
WARM_UP = 0.25
"""The share of the run whose memory is left out: caches fill up once."""
EVERY_S = 0.25
"""How often memory is read, in seconds."""
NOTHING = 0.01
"""Memory is read so finely that a few pages are a trend; less than this share of it is none."""
BLOCKS = 12
"""Means of so many parts of the rest are compared, as single readings hang together."""
_T95 = {8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179}
"""Two-sided 95% quantiles of Student's t, by degrees of freedom."""
_TASKS = 2000


class SoakFigures(Struct, frozen=True, kw_only=True):
    """What a long run did. Memory is the gateway's, in MB of 10^6 bytes.

    `full_rate` is what it answered when asked for all that it can take, `rate` what it was asked
    for in the long run, both in requests a second. `slope_mb_per_hour` is the trend of its memory
    after the warm-up, with a 95% interval; `flat` says that no growth shows in it, or less than
    `NOTHING` of the memory in all of the run.
    """

    minutes: float
    full_rate: float
    rate: float
    requests: int
    failed: int
    wrong: int
    rss_first_mb: float
    rss_last_mb: float
    rss_most_mb: float
    slope_mb_per_hour: float
    slope_interval: tuple[float, float]
    flat: bool
    errors: list[str]
    simulated: bool


def soak(options: Options, minutes: float) -> SoakFigures:
    """Runs for so many minutes, policy `auto`, every second request a stream.

    Raises:
        ConfigError: the recordings cannot be read.
        TierwiseError: a process does not start.
    """
    fleet = Fleet.of(options.outcomes, seed=options.seed, speed=options.speed)
    with standing(
        fleet, options.outcomes, seed=options.seed, speed=options.speed, timeouts=PATIENT
    ) as ground:
        return asyncio.run(_Soak(ground, fleet, minutes).run())


class _Soak:
    def __init__(self, ground: Ground, fleet: Fleet, minutes: float) -> None:
        self._ground = ground
        self._fleet = fleet
        self._seconds = 60.0 * minutes
        self._items: list[WorkItem] = fleet.workload(_TASKS)
        self._asked = 0
        self._failed = 0
        self._wrong = 0
        self._errors: dict[str, int] = {}

    async def run(self) -> SoakFigures:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            pid = (await look_inside(session, self._ground.url)).pid
            full = await self._full(session)
            self._asked = 0
            memory: list[tuple[float, float]] = []
            began = time.monotonic()
            watching = asyncio.create_task(_watch(pid, memory))
            await self._steady(session, full / 2)
            watching.cancel()
        readings = [(at - began, mb) for at, mb in memory]
        kept = [one for one in readings if one[0] >= WARM_UP * self._seconds]
        slope, low, high = trend(kept)
        return SoakFigures(
            minutes=self._seconds / 60.0,
            full_rate=full,
            rate=full / 2,
            requests=self._asked,
            failed=self._failed,
            wrong=self._wrong,
            rss_first_mb=kept[0][1],
            rss_last_mb=kept[-1][1],
            rss_most_mb=max(mb for _, mb in readings),
            slope_mb_per_hour=3600.0 * slope,
            slope_interval=(3600.0 * low, 3600.0 * high),
            flat=low <= 0.0 or slope * self._seconds < NOTHING * kept[0][1],
            errors=[f"{count} x {why}" for why, count in sorted(self._errors.items())[:5]],
            simulated=self._fleet.simulated_answers,
        )

    async def _full(self, session: aiohttp.ClientSession) -> float:
        """Requests a second that are answered when clients wait for nothing but answers."""
        until = time.monotonic() + FULL_S

        async def client() -> None:
            while time.monotonic() < until:
                await self._ask(session)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return self._asked / FULL_S

    async def _steady(self, session: aiohttp.ClientSession, rate: float) -> None:
        began = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        sent = 0
        while (now := time.monotonic() - began) < self._seconds:
            while sent < now * rate:
                task = asyncio.create_task(self._ask(session))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                sent += 1
            await asyncio.sleep(0.01)
        await asyncio.gather(*under_way)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        """One request, judged and forgotten: a long run has no room for all that was said."""
        number = self._asked
        self._asked += 1
        item = self._items[number % len(self._items)]
        judged = verdict(self._fleet, await ask_one(session, self._ground.url, number, item))
        self._failed += judged.failed is not None
        self._wrong += bool(judged.wrong)
        for why in [judged.failed] if judged.failed else judged.wrong:
            self._errors[why] = self._errors.get(why, 0) + 1


async def _watch(pid: int, memory: list[tuple[float, float]]) -> None:
    while True:
        memory.append((time.monotonic(), resident_mb(pid)))
        await asyncio.sleep(EVERY_S)


def trend(readings: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The slope of a least-squares line through means of `BLOCKS` parts, and its 95% interval.

    Args:
        readings: seconds and values, by time; at least `BLOCKS` of them.
    """
    size = len(readings) / BLOCKS
    blocks = [readings[round(i * size) : round((i + 1) * size)] for i in range(BLOCKS)]
    points = [
        (sum(at for at, _ in block) / len(block), sum(mb for _, mb in block) / len(block))
        for block in blocks
        if block
    ]
    count = len(points)
    if count < 10:
        raise ValueError(f"{len(readings)} readings are too few for a trend")
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    error = math.sqrt(left / (count - 2) / spread) * _T95[count - 2]
    return slope, slope - error, slope + error
