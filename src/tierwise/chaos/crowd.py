"""Many streams at a time, with clients that read slowly and clients that go away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from msgspec import Struct

from tierwise.chaos.client import request_body
from tierwise.chaos.figures import CrowdFigures, ScenarioFigures
from tierwise.chaos.ground import PATIENT, Ground, Inside, look_inside, standing
from tierwise.chaos.outage import verdict
from tierwise.chaos.scenarios import Scenario
from tierwise.chaos.seen import Seen
from tierwise.fleet import Fleet, FleetControl, WorkItem
from tierwise.fleet.faults import Faults, Slow

if TYPE_CHECKING:
    from tierwise.chaos.run import Options

MOST = 2000
ROUNDS = 2
"""The same crowd twice: what the first leaves in memory is there for the second, a leak adds up."""
RAMP_PER_S = 100.0
"""Streams that begin a second."""
STREAM_S = 30.0
"""About how long one lasts, so that all of them run together."""
SLOW_READ_S = 0.5
LEAVE_AFTER_S = (2.0, 15.0)
GONE_S = 10.0
"""How long the last of them may take to be gone."""
_EVERY = 5
"""Of so many clients one reads slowly, and one leaves."""


class _Done(Struct, frozen=True):
    """One client's stream; None where it has left."""

    seen: Seen | None


def crowd(scenario: Scenario, fleet: Fleet, options: Options) -> ScenarioFigures:
    """Plays the scenario; `options.requests` streams, but no more than `MOST`."""
    with standing(
        fleet, options.outcomes, seed=options.seed, speed=options.speed, timeouts=PATIENT
    ) as ground:
        return asyncio.run(_Crowd(scenario, ground, options).play())


class _Crowd:
    def __init__(self, scenario: Scenario, ground: Ground, options: Options) -> None:
        self._scenario = scenario
        self._ground = ground
        self._streams = min(options.requests, MOST)
        self._items, self._model, factor = _long_ones(ground.fleet, self._streams, options.speed)
        self._slow = Faults(slow=Slow(factor=factor))
        self._open = 0
        self._peak = 0
        self._most_mb = 0.0

    async def play(self) -> ScenarioFigures:
        """All rounds."""
        began = time.monotonic()
        done: list[_Done] = []
        after: list[float] = []
        async with FleetControl(self._ground.control_url) as control:
            for name in self._ground.fleet.providers:
                await control.set_faults(name, self._slow)
            async with aiohttp.ClientSession() as session:
                before = await look_inside(session, self._ground.url)
                before_mb = resident_mb(before.pid)
                watch = asyncio.create_task(self._watch(before.pid))
                for _ in range(ROUNDS):
                    done += await self._round()
                    inside = await self._until_quiet(session)
                    after.append(resident_mb(before.pid))
                watch.cancel()
            shown = await control.show()
        return self._figures(
            done, began, shown, inside,
            before_mb=before_mb, after_mb=after, connections=connections_to(self._ground.url),
        )  # fmt: skip

    async def _round(self) -> list[_Done]:
        timeout = aiohttp.ClientTimeout(total=PATIENT["total"])
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=timeout
        ) as session:
            began = time.monotonic()
            clients = []
            for number in range(self._streams):
                clients.append(asyncio.create_task(self._client(session, number)))
                wait = began + (number + 1) / RAMP_PER_S - time.monotonic()
                await asyncio.sleep(max(0.0, wait))
            return list(await asyncio.gather(*clients))

    async def _client(self, session: aiohttp.ClientSession, number: int) -> _Done:
        leaves, reads_slowly = number % _EVERY == 1, number % _EVERY == 2
        if not leaves:
            return _Done(await self._read(session, number, SLOW_READ_S if reads_slowly else 0.0))
        first, last = LEAVE_AFTER_S
        try:
            async with asyncio.timeout(first + (last - first) * (number / self._streams)):
                return _Done(await self._read(session, number, 0.0))
        except TimeoutError:
            return _Done(None)

    async def _read(self, session: aiohttp.ClientSession, number: int, pause_s: float) -> Seen:
        item = self._items[number % len(self._items)]
        at = time.monotonic()
        status, headers, parts, broke = 0, dict[str, str](), list[bytes](), None
        self._open += 1
        self._peak = max(self._peak, self._open)
        try:
            async with session.post(
                f"{self._ground.url}/v1/chat/completions",
                data=request_body(item, self._model, stream=True),
                headers={"content-type": "application/json"},
            ) as response:
                status = response.status
                headers = {name.lower(): value for name, value in response.headers.items()}
                while part := await response.content.read(256 if pause_s else 65_536):
                    parts.append(part)
                    await asyncio.sleep(pause_s)
        except aiohttp.ClientError as error:
            broke = f"{type(error).__name__}: {error}"
        finally:
            self._open -= 1
        return Seen(
            number=number, item=item, stream=True, at=at, latency_s=time.monotonic() - at,
            status=status, headers=headers, body=b"".join(parts), broke=broke,
        )  # fmt: skip

    async def _watch(self, pid: int) -> None:
        while True:
            self._most_mb = max(self._most_mb, resident_mb(pid))
            await asyncio.sleep(0.25)

    async def _until_quiet(self, session: aiohttp.ClientSession) -> Inside:
        """Waits until nothing is under way, or too long; what the gateway says then."""
        give_up = time.monotonic() + GONE_S
        while True:
            inside = await look_inside(session, self._ground.url)
            if not (inside.in_flight or inside.pending) or time.monotonic() > give_up:
                return inside
            await asyncio.sleep(0.1)

    def _figures(
        self,
        done: Sequence[_Done],
        began: float,
        shown: Sequence[dict[str, Any]],
        inside: Inside,
        *,
        before_mb: float,
        after_mb: list[float],
        connections: int,
    ) -> ScenarioFigures:
        stayed = [one.seen for one in done if one.seen is not None]
        judged = [verdict(self._ground.fleet, seen) for seen in stayed]
        failures = sorted({one.failed for one in judged if one.failed is not None})
        wrong = [", ".join(one.wrong) for one in judged if one.wrong]
        counts = [one["counts"] for one in shown]
        return ScenarioFigures(
            name=self._scenario.name,
            what=self._scenario.what,
            path_alive=True,
            requests=len(done),
            failed=sum(one.failed is not None for one in judged),
            wrong=len(wrong),
            seconds=time.monotonic() - began,
            errors=[*failures, *sorted(set(wrong))][:5],
            crowd=CrowdFigures(
                peak=self._peak,
                left=len(done) - len(stayed),
                cancelled=sum(count["disconnected"] for count in counts),
                rss_before_mb=before_mb,
                rss_most_mb=self._most_mb,
                rss_after_mb=after_mb,
                calls_left=inside.in_flight,
                upstream_left=sum(one["requests"] - sum(one["counts"].values()) for one in shown),
                connections_left=connections,
            ),
        )


def _long_ones(fleet: Fleet, streams: int, speed: float) -> tuple[list[WorkItem], str, float]:
    """Tasks with long answers of one model, the model, and how much slower it has to be."""
    model = min(fleet.models.values(), key=lambda one: one.ttft_s)
    items = fleet.workload(max(1000, streams))
    items.sort(key=lambda item: -len(fleet.expected(item, model.id)))
    kept = items[: max(1, min(streams, len(items) // 4))]
    typical = len(fleet.expected(kept[len(kept) // 2], model.id)) / 4 / model.tokens_per_s
    usual = max(0.001, (typical + model.ttft_s) * speed)
    return kept, model.id, min(10_000.0, max(1.0, STREAM_S / usual))


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, in MB of 10^6 bytes; 0 where nobody tells."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0")
    return int(line.split()[1]) * 1024 / 1e6


def connections_to(url: str) -> int:
    """Established connections to the port of a URL on this machine; 0 where nobody tells."""
    port = int(url.rpartition(":")[2])
    try:
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return 0
    ends = [(fields[1], fields[3]) for fields in (line.split() for line in lines)]
    return sum(int(local.rpartition(":")[2], 16) == port and state == "01" for local, state in ends)
