"""Requests that come when they come, whether earlier ones were answered or not (an open loop)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import aiohttp
import msgspec
from msgspec import Struct

from tierwise.bench.traffic import PATH
from tierwise.fleet import Fleet, WorkItem, answer_text

TIMEOUT_S = 60.0
_FULL = frozenset({429, 503})


class Phases(Struct, frozen=True, kw_only=True):
    """How long calm, peak and calm last, in seconds, and the requests a second in each."""

    before_s: float = 15.0
    peak_s: float = 40.0
    after_s: float = 15.0
    calm_rps: float = 16.0
    peak_rps: float = 80.0

    @property
    def seconds(self) -> float:
        """All three."""
        return self.before_s + self.peak_s + self.after_s

    def in_peak(self, at: float) -> bool:
        """Whether a moment, in seconds from the start, is in the peak."""
        return 0 <= at - self.before_s < self.peak_s


class Arrival(Struct, frozen=True):
    """A request that comes `at` so many seconds after the start."""

    at: float
    item: WorkItem


class Seen(Struct, frozen=True, kw_only=True):
    """What a client saw of one request. `score` is 0 if there was no answer."""

    arrival: Arrival
    model: str | None
    latency_s: float
    decision_id: str = ""
    cost_usd: float = 0.0
    score: float = 0.0


def arrivals(fleet: Fleet, phases: Phases, seed: int) -> list[Arrival]:
    """Arrivals of a Poisson process whose rate is that of the phase; the same for a seed."""
    draw = random.Random(seed)  # noqa: S311 - it is to be repeated
    times, at = [], 0.0
    while True:
        # Moments of the process of the peak's rate are thinned out to that of calm hours.
        at += draw.expovariate(phases.peak_rps)
        if at >= phases.seconds:
            break
        if phases.in_peak(at) or draw.random() < phases.calm_rps / phases.peak_rps:
            times.append(at)
    return [Arrival(*one) for one in zip(times, fleet.workload(len(times), seed=seed), strict=True)]


async def drive(
    port: int, fleet: Fleet, coming: Sequence[Arrival], turns: Sequence[Sequence[str]]
) -> list[Seen]:
    """Sends every request at its time.

    Args:
        turns: whom to ask, and whom next if that is full; each request takes the next of these.
    """
    seen: list[Seen] = []
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    url = f"http://127.0.0.1:{port}{PATH}"
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def client(arrival: Arrival, names: Sequence[str]) -> None:
            seen.append(await _ask(session, url, fleet, arrival, names))

        began = time.monotonic()
        async with asyncio.TaskGroup() as clients:
            for number, arrival in enumerate(coming):
                await asyncio.sleep(max(0.0, began + arrival.at - time.monotonic()))
                clients.create_task(client(arrival, turns[number % len(turns)]))
    return seen


async def _ask(
    session: aiohttp.ClientSession,
    url: str,
    fleet: Fleet,
    arrival: Arrival,
    names: Sequence[str],
) -> Seen:
    item = arrival.item
    headers = {"content-type": "application/json"}
    began = time.monotonic()
    for name in names:
        body = msgspec.json.encode({**item.request, "model": name})
        try:
            async with session.post(url, data=body, headers=headers) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            break
        if response.status == 200:
            model = response.headers["x-tierwise-model"]
            text = answer_text(msgspec.json.decode(answer)["choices"][0]["message"])
            return Seen(
                arrival=arrival,
                model=model,
                latency_s=time.monotonic() - began,
                decision_id=response.headers["x-tierwise-decision-id"],
                cost_usd=float(response.headers["x-tierwise-cost-usd"]),
                score=fleet.score(item, model, text) or 0.0,
            )
        if response.status not in _FULL:
            break
    return Seen(arrival=arrival, model=None, latency_s=time.monotonic() - began)
