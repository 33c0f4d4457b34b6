"""Clients behind a load balancer: so many requests at a time, to one of the replicas by chance.

A request whose connection a replica does not accept is sent to the next one, as balancers do. One
that was accepted is never sent again, whatever comes of it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from msgspec import Struct

from tierwise.chaos.client import TIMEOUT_S, ask_one
from tierwise.chaos.outage import verdict
from tierwise.chaos.seen import Seen
from tierwise.fleet import Fleet, WorkItem

REST_S = 0.5
"""How long a replica that accepts no connection is left alone, in seconds."""
PAYMENT_REQUIRED = 402
PAUSE_S = 0.05
"""How long a client waits who was refused, in seconds."""
PATIENCE_S = 30.0
"""How long a request is offered around before it counts as failed, in seconds."""
More = Callable[[int], Awaitable[bool]]
"""Told before each request which one it is; says whether it is to be sent."""


class Asked(Struct, frozen=True, kw_only=True):
    """One request that was accepted, or by nobody, and what came of it.

    `refused` says how often a connection was not. `at` and `until` are by the monotonic clock. `id`
    and `cost_usd` are what the gateway told; None where it did not, as in a stream. `failed` and
    `wrong` are as in `judge.Judged`; `broke` says that the connection ended too early.
    """

    replica: int
    refused: int
    at: float
    until: float
    status: int
    broke: bool
    id: str | None
    cost_usd: float | None
    failed: str | None
    wrong: tuple[str, ...]


class Load(Struct, frozen=True, kw_only=True):
    """What came of all requests, and the most that were under way at a time."""

    asked: list[Asked]
    most_at_a_time: int


class Balancer:
    """Sends requests to replicas.

    Args:
        urls: of the replicas.
        secret: of the key that all requests are paid from.
        streams: whether every second request is one. Clients are not told what a stream costs.
    """

    def __init__(self, fleet: Fleet, urls: Sequence[str], secret: str, *, streams: bool) -> None:
        self._fleet = fleet
        self._streams = streams
        self._urls = urls
        self._bearer = {"authorization": f"Bearer {secret}"}
        self._rests_until = [0.0] * len(urls)
        self._draw = random.Random(0)  # noqa: S311 - no secret
        self._number = 0
        self._under_way = 0
        self._most = 0

    async def load(self, items: Sequence[WorkItem], clients: int, more: More) -> Load:
        """Has so many clients ask, each its next question when it has the answer to its last,
        until `more` says that it is enough."""
        asked: list[Asked] = []
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        # Each request on a connection of its own: so it is known which of them were accepted.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=self._bearer
        ) as session:

            async def client() -> None:
                while await more(self._number):
                    number = self._number
                    self._number += 1
                    item = items[number % len(items)]
                    asked.append(await self._ask(session, number, item))
                    if asked[-1].status == PAYMENT_REQUIRED:
                        await asyncio.sleep(PAUSE_S)

            await asyncio.gather(*(client() for _ in range(clients)))
        return Load(asked=asked, most_at_a_time=self._most)

    async def _ask(self, session: aiohttp.ClientSession, number: int, item: WorkItem) -> Asked:
        refused, give_up = 0, time.monotonic() + PATIENCE_S
        self._under_way += 1
        self._most = max(self._most, self._under_way)
        try:
            while True:
                replica = self._next()
                url = self._urls[replica]
                seen = await ask_one(session, url, number, item, streams=self._streams)
                if seen.accepted or time.monotonic() > give_up:
                    return self._told(seen, replica, refused)
                refused += 1
                self._rests_until[replica] = time.monotonic() + REST_S
                if refused % len(self._urls) == 0:
                    await asyncio.sleep(0.05)
        finally:
            self._under_way -= 1

    def _next(self) -> int:
        """One of the replicas that do not rest; of all if all do."""
        now = time.monotonic()
        awake = [n for n, until in enumerate(self._rests_until) if until <= now]
        return self._draw.choice(awake or range(len(self._urls)))

    def _told(self, seen: Seen, replica: int, refused: int) -> Asked:
        judged = verdict(self._fleet, seen)
        cost = seen.told("x-tierwise-cost-usd")
        return Asked(
            replica=replica,
            refused=refused,
            at=seen.at,
            until=seen.until,
            status=seen.status,
            broke=seen.broke is not None,
            id=seen.told("x-tierwise-decision-id"),
            cost_usd=None if cost is None else float(cost),
            failed=judged.failed,
            wrong=judged.wrong,
        )
