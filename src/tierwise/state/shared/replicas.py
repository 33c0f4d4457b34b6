"""One process among the replicas: what it shares, and the rounds in which it does."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tierwise.config.keeping import StateConfig
from tierwise.state.health import Health
from tierwise.state.shared.books import SharedBooks
from tierwise.state.shared.cached import SharedCache
from tierwise.state.shared.circle import Circle
from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.ended import SharedEnded
from tierwise.state.shared.limits import LEASE_S, SharedLimits
from tierwise.state.shared.loads import SharedLoads
from tierwise.state.shared.lookups import Lookups
from tierwise.state.shared.news import News
from tierwise.state.shared.once import SharedOnce
from tierwise.state.shared.sessions import SharedSessions
from tierwise.state.shared.voids import SharedVoids
from tierwise.types import Deployment

log = logging.getLogger("tierwise.shared")

ROUND_S = 0.25
_PRESENT_EVERY = 4
_RENEW_EVERY = int(LEASE_S / 3 / ROUND_S)


class Replicas:
    """What is shared with the others. `start` it in an event loop, `close` it there.

    Args:
        workers: of this gateway, which are known without anybody counting.

    Raises:
        ConfigError: the URL cannot be used, or the client library is not installed.
    """

    def __init__(self, config: StateConfig, workers: int = 1) -> None:
        self.name = secrets.token_hex(6)
        self.link = Link(config)
        self.news = News(self.link, self.name)
        self._circle = Circle(self.link, self.name, workers, self.news.orders_key)
        self.limits = SharedLimits(self.link, lambda: self.members, self.name)
        self.books = SharedBooks(self.link, self._circle)
        self.voids = SharedVoids(self.link, self.news.void)
        self.news.voided = self.voids.hear
        self._lookups = Lookups(self.link)
        self.cached = SharedCache(self.link, self._lookups, self.news.replace, self.news.clear)
        self.news.cleared = self.cached.heard_cleared
        self.sessions = SharedSessions(self.link, self._lookups)
        self.once = SharedOnce(self.link, self.name)
        self.ended = SharedEnded(self.link)
        self._loads = SharedLoads(self.link, self.name, self.members)
        self._tasks: set[asyncio.Task[None]] = set()
        self.link.watch(back=self._back, hear=self.news.hear)

    @property
    def members(self) -> int:
        """How many replicas there are, as far as is known: each worker of a gateway is one."""
        return self._circle.members

    def attach(self, health: Health, deployments: Sequence[Deployment]) -> None:
        """From now on these deployments are in use."""
        self._loads.attach(health, deployments)
        self.news.attach(health, deployments)

    async def start(self) -> None:
        """Joins the others, if Redis is there; else as soon as it is."""
        self.voids.start()
        await self.link.start()
        with suppress(Lost):
            await self._round(0)
        self.cached.start()
        self._spawn(self._rounds())

    async def close(self) -> None:
        """Tells what is left to be told, and leaves."""
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.cached.close()
        await self.once.close()
        await self._lookups.close()
        self._circle.depart()
        await self.link.close()

    def status(self) -> dict[str, Any]:
        """How the connection is, as JSON values. Times are Unix seconds."""
        link = self.link
        status: dict[str, Any] = {
            "status": "connected" if link.up else "lost",
            "since": link.since,
            "replicas": self.members,
        }
        if not link.up:
            status["why"] = link.why
        return status

    async def _rounds(self) -> None:
        number = 1
        while True:
            await asyncio.sleep(ROUND_S)
            if not self.link.up:
                continue
            try:
                await self._round(number)
            except Lost:
                continue  # the connection has said so
            except Exception:
                log.exception("what replicas share could not be brought up to date")
            number += 1

    async def _round(self, number: int) -> None:
        if number % _PRESENT_EVERY == 0 or self._circle.missing:
            await self._circle.present()
            self.voids.watched_by(self.members)
        if number % _PRESENT_EVERY == 0:
            await self.limits.look()
            await self.books.look()
        if number % _RENEW_EVERY == 0:
            self.limits.renew()
            self.books.renew()
            self.once.renew()
        await self._loads.count()

    def _back(self) -> None:
        """Redis is there, or there again."""
        self._circle.back()
        self.limits.back()
        self.books.back()
        self._spawn(self._catch_up())

    async def _catch_up(self) -> None:
        with suppress(Lost):
            await self.news.catch_up()
            await self.voids.catch_up()
            await self.cached.catch_up()
            await self._circle.present()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
