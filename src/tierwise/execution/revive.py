"""Looks at deployments that are out, so that no request has to find out that they are back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tierwise.errors import UpstreamError
from tierwise.providers import Adapter, Transport
from tierwise.providers.base import ShowsLife
from tierwise.state.health import Health
from tierwise.types import Deployment

LOOK_S = 0.25
"""How often it is asked who is due, in seconds."""
PATIENCE_S = 2.0
"""Who lists its models more slowly than that is not well."""


class Reviver:
    """A background task. Start it in a running event loop, stop it before the transport closes."""

    def __init__(
        self, adapters: Mapping[str, Adapter], transport: Transport, health: Health
    ) -> None:
        self._adapters = adapters
        self._transport = transport
        self._health = health
        self._running: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to look; does nothing if it does already."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends all that is under way."""
        tasks = [*self._looks, *([self._running] if self._running is not None else [])]
        self._running = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while (deployment := self._health.due_probe()) is not None:
                look = asyncio.create_task(self._look(deployment))
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)
            await asyncio.sleep(LOOK_S)

    async def _look(self, deployment: Deployment) -> None:
        """Asks for a sign of life; that none comes is nothing new."""
        adapter: object = self._adapters.get(deployment.id)
        if not isinstance(adapter, ShowsLife):
            return
        try:
            reply = await self._transport.send(adapter.sign_of_life(), PATIENCE_S)
        except UpstreamError:
            return
        if 200 <= reply.status < 300:
            self._health.answers_probe(deployment)
