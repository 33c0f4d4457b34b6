"""The gateway as one ASGI application: its start, its end, and what serves in between.

What serves is one set-up, built from one configuration. When the configuration is read again
another set-up takes its place: new requests go to the new one, and the old one finishes what it has
begun and is closed when that is over.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Coroutine, MutableMapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from tierwise.config import Config
from tierwise.config.changes import changes
from tierwise.errors import ConfigError, TierwiseError
from tierwise.orchestrator import Orchestrator
from tierwise.providers.http import warm_up_tls
from tierwise.server.admin import Reloaded
from tierwise.server.door import Door
from tierwise.server.endpoints import Endpoints
from tierwise.server.lasting import Lasting, carry_out
from tierwise.server.observed import observed
from tierwise.server.old_rows import take_out_old
from tierwise.server.request import Receive, Scope, Send
from tierwise.server.signals import listen
from tierwise.server.source import Source
from tierwise.state.orders import Order

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts
    from tierwise.state.shared.news import News

log = logging.getLogger("tierwise.server")

_GC_YOUNG = 20_000
_UNWIND_S = 5.0
"""How long cancelled requests get at shutdown to close their calls and to book themselves."""
_HEAR_S = 0.25
"""How often a worker looks whether another one was given an order, in seconds."""
_KEEP_UP_S = 1.0
"""How often the database is asked whether accounts have changed elsewhere, in seconds."""
_SHOW_EVERY = 4
"""Every so many looks it shows the others what it has counted."""


class Gateway:
    """Serves, and exchanges the set-up that serves.

    Args:
        source: where the configuration can be read again; None: nowhere.
        supervisor: the id of the process that looks after this worker and the others; None where
            there is none.
        door: the port, if this process is to shut it; None where others listen there too.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        config: Config,
        source: Source | None = None,
        supervisor: int | None = None,
        door: Door | None = None,
    ) -> None:
        self._orchestrator = orchestrator
        self._config = config
        self._source = source or Source()
        self._supervisor = supervisor
        self._door = door
        self._notice_s = config.server.notice_s
        self._announced = False
        self._lasting = Lasting(orchestrator, config)
        self._endpoints = Endpoints(orchestrator, config, self._lasting, self._reload_all)
        self._one_at_a_time = asyncio.Lock()
        self._retiring: dict[asyncio.Task[None], Orchestrator] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection event, as ASGI has it."""
        if scope["type"] == "http":
            if self._lasting.state == "draining":
                send = partial(_send_last, send)
            lasting = self._lasting
            if lasting.access is not None or lasting.ids_in_log:
                await observed(self._endpoints, scope, receive, send, lasting.access)
            else:
                await self._endpoints(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def reload(self) -> Reloaded:
        """Reads the configuration again; returns when new requests are served by it.

        Raises:
            ConfigError: it cannot be used. The old one goes on serving.
        """
        async with self._one_at_a_time:
            try:
                return await self._reload()
            except ConfigError as error:
                self._lasting.refused = str(error)
                log.error(
                    "the configuration was not reloaded, the old one goes on serving: %s", error
                )
                raise

    def drain(self) -> None:
        """The gateway is being stopped: it is not ready any more, and keeps no connections."""
        self._lasting.state = "draining"

    async def leave(self) -> None:
        """Goes on for as long as balancers have to notice it, then lets nobody new in.

        Where somebody over this worker has announced the end, he has waited and shut the port.
        """
        if not self._announced:
            await asyncio.sleep(self._notice_s)
        if self._door is not None:
            await self._door.shut()

    def _announce(self) -> None:
        """All workers will be stopped."""
        self._announced = True
        self.drain()

    async def _reload(self) -> Reloaded:
        old = self._orchestrator
        # Building takes a while, and requests need not wait for it.
        config, ignored = await asyncio.to_thread(self._source.again, self._config)
        build = partial(Orchestrator.from_config, config, crew=old.crew, after=old)
        new = await asyncio.to_thread(build)
        endpoints = Endpoints(new, config, self._lasting, self._reload_all)
        await new.follow(old)
        # From here on nothing can fail, and nobody comes in between.
        self._lasting.change(new, config)
        differs = changes(self._config, config)
        before, self._endpoints = self._endpoints, endpoints
        self._orchestrator, self._config = new, config
        task = asyncio.create_task(self._retire(before, old))
        self._retiring[task] = old
        task.add_done_callback(self._retired)
        if ignored:
            log.warning("a change of %s needs a restart and was left out", ", ".join(ignored))
        told = "".join(f"\n  {change}" for change in differs) or ", and nothing in it differs"
        log.warning("the configuration %s was reloaded%s", self._source.file, told)
        return Reloaded(self._source.file, self._lasting.loaded_at, ignored)

    async def _reload_all(self) -> Reloaded:
        """As `reload`, in all workers."""
        done = await self.reload()
        if self._supervisor is not None:
            # It tells all of them, this one too, and those that it starts later.
            os.kill(self._supervisor, signal.SIGHUP)
        return done

    async def _retire(self, endpoints: Endpoints, orchestrator: Orchestrator) -> None:
        """Closes a set-up when its last request is over."""
        await endpoints.in_use.over()
        await orchestrator.retire()

    def _retired(self, task: asyncio.Task[None]) -> None:
        """Frees a set-up that is closed. It is in cycles, and the collector seldom looks so far."""
        del self._retiring[task]
        gc.unfreeze()
        asyncio.get_running_loop().call_soon(_collect)  # the task is still in our hands

    def _hang_up(self) -> None:
        """SIGHUP: reloads, unless the gateway is being stopped."""
        if self._lasting.state == "ready":
            self._spawn(self._reload_quietly())

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except ConfigError:
            pass  # the log has it
        except Exception:
            log.exception("the configuration was not reloaded, the old one goes on serving")

    async def _hear(self) -> None:
        """Carries out what other workers were ordered, and ends with the process over them."""
        turn = 0
        while True:
            if os.getppid() != self._supervisor:  # or it was gone before this one began
                log.error("the process over this worker is gone; it stops as if asked to")
                os.kill(os.getpid(), signal.SIGTERM)
                return
            for order in self._lasting.orders.hear():
                carry_out(order, self._orchestrator)
            cached = self._orchestrator.cached
            if self._lasting.clearing.heard() and cached is not None:
                cached.cache.clear()
            if turn % _SHOW_EVERY == 0:
                await asyncio.to_thread(self._lasting.metrics.publish)
            turn += 1
            await asyncio.sleep(_HEAR_S)

    def _ordered(self, order: Order) -> None:
        """Carries out what another replica was ordered."""
        if self._lasting.orders.heard(order):
            carry_out(order, self._orchestrator)

    def _tell_of_accounts(self, accounts: Accounts, news: News) -> None:
        """Tells other replicas when accounts have changed here, and hears it of them."""
        loop = asyncio.get_running_loop()

        def changed(_: int) -> None:  # in any thread
            loop.call_soon_threadsafe(news.change_accounts)

        def elsewhere() -> None:
            self._spawn(asyncio.to_thread(accounts.directory.poll))

        accounts.database.told.append(changed)
        news.accounts_changed = elsewhere

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        accounts = self._lasting.accounts
        try:
            self._orchestrator.start()
            if accounts is not None:
                await asyncio.to_thread(accounts.open)
            self._orchestrator.look_after()
        except TierwiseError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        # Reading the certificates takes a while, and only the first call to a provider needs them.
        threading.Thread(target=warm_up_tls, name="warm-up", daemon=True).start()
        # What is alive now stays alive: the collector need not look at it again, and the little
        # garbage that requests leave in cycles can wait for larger batches.
        gc.freeze()
        gc.set_threshold(_GC_YOUNG, 20, 50)
        listen(self.drain, self.leave, self._hang_up, self._announce)
        replicas = self._lasting.replicas
        if replicas is not None:
            replicas.news.ordered = self._ordered
            if accounts is not None:
                self._tell_of_accounts(accounts, replicas.news)
            await replicas.start()
        if self._orchestrator.crew.workers > 1:
            self._spawn(self._hear())
        if accounts is not None:
            self._spawn(_keep_up(accounts))
        self._spawn(take_out_old(lambda: self._config))
        self._lasting.state = "ready"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.drain()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _close(self) -> None:
        lasting = self._lasting
        await asyncio.gather(lasting.watch.all_left(_UNWIND_S), lasting.once.all_done(_UNWIND_S))
        retiring = dict(self._retiring)
        for task in [*self._tasks, *retiring]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for orchestrator in retiring.values():
            await orchestrator.retire()
        await self._orchestrator.close()
        await asyncio.to_thread(lasting.metrics.publish)
        await asyncio.to_thread(lasting.close)
        if lasting.accounts is not None:
            lasting.accounts.close()
        if lasting.replicas is not None:
            await lasting.replicas.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _keep_up(accounts: Accounts) -> None:
    """Sees what has changed in accounts elsewhere."""
    while True:
        await asyncio.sleep(_KEEP_UP_S)
        await asyncio.to_thread(accounts.directory.poll)


def _collect() -> None:
    """Collects garbage; what is alive need not be looked at again, as at the start."""
    gc.collect()
    gc.freeze()


async def _send_last(send: Send, message: MutableMapping[str, Any]) -> None:
    """Sends an answer that is the last one on its connection."""
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
    await send(message)
