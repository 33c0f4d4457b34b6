"""What goes on when one set-up takes the place of another: counts, places, answers, orders."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from tierwise.config import Config
from tierwise.config.clients import client_limits
from tierwise.orchestrator import Orchestrator
from tierwise.server.admission import Admission
from tierwise.server.counted import Sample
from tierwise.server.exposition import sample
from tierwise.server.keys import Client
from tierwise.server.metrics import Metrics
from tierwise.server.once import Once
from tierwise.server.request import ClientWatch
from tierwise.state.allowances import Allowances
from tierwise.state.budgets import Books, Budgets
from tierwise.state.clearing import Clearing
from tierwise.state.orders import Order, Orders
from tierwise.state.promises import Crew
from tierwise.telemetry.context import heard
from tierwise.telemetry.in_hand import IN_HAND
from tierwise.telemetry.logs import learn, log_format
from tierwise.telemetry.settings import settings_of
from tierwise.types import Trace

if TYPE_CHECKING:
    from tierwise.telemetry.access import AccessLog
    from tierwise.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts
    from tierwise.dashboard.ended import Ended
    from tierwise.state.shared.replicas import Replicas


class Lasting:
    """All of it, of one process.

    `accounts` and `budgets` are None where there are none. `state` is how far the process is: the
    last one says that it is being stopped. `loaded_at` is
    when the configuration was read, a Unix time in seconds; `reloads` how often it was since the
    start, and `refused` what was wrong with it the last time, None if nothing was.
    """

    def __init__(self, orchestrator: Orchestrator, config: Config) -> None:
        server = config.server
        self.replicas = _replicas(orchestrator, config)
        """Who shares state with others in Redis; None where this gateway is by itself."""
        if self.replicas is not None:
            _share_cache(orchestrator, config, self.replicas)
        self.metrics = Metrics(orchestrator)
        orchestrator.ledger.watch(self.metrics.observe)
        orchestrator.ledger.watch_asides(self.metrics.observe_aside)
        self.telemetry = _telemetry(orchestrator, config)
        self.ids_in_log = log_format(config) == "json"
        self.access = _access_log(config)
        self.admission = Admission(server.max_requests, server.max_waiting, server.max_wait_s)
        limits, own = client_limits(server, self.parts(orchestrator))
        self.allowances = Allowances(limits, own, self.replicas.limits if self.replicas else None)
        self.watch = ClientWatch()
        self.once = Once(self.replicas.once if self.replicas is not None else None)
        self.orders = Orders(orchestrator.crew)
        self.clearing = Clearing(orchestrator.crew)
        self.accounts, self.budgets = _accounts(orchestrator.crew, config, self.replicas)
        self.session_secret = _session_secret(orchestrator.crew)
        self.ended: Ended | None = None
        """Logins that are over; None until the first page is asked for."""
        self.state: Literal["starting", "ready", "draining"] = "starting"
        self.started = time.monotonic()
        self.loaded_at = time.time()
        self.reloads = 0
        self.refused: str | None = None
        self.metrics.reads(self._figures)

    def parts(self, orchestrator: Orchestrator) -> int:
        """How many there are that each have a part of all limits. One where all count together."""
        return 1 if self.replicas is not None else orchestrator.crew.workers

    def change(self, orchestrator: Orchestrator, config: Config) -> None:
        """Another set-up takes over, under a configuration that was read just now."""
        server = config.server
        limits, own = client_limits(server, self.parts(orchestrator))
        self.metrics.follow(orchestrator)
        self._tell_as(orchestrator, config)
        learn(config)
        if self.replicas is not None:
            self.replicas.attach(orchestrator.health, orchestrator.setup.everywhere())
            self.replicas.voids.attach(orchestrator.promises)
            _share_cache(orchestrator, config, self.replicas)
        self.admission.change(server.max_requests, server.max_waiting, server.max_wait_s)
        self.allowances.change(limits, own, time.monotonic())
        for name in self.orders.drained:
            carry_out(Order(name, drained=True), orchestrator)
        self.loaded_at = time.time()
        self.reloads += 1
        self.refused = None

    def trace(
        self,
        headers: Mapping[bytes, bytes],
        given: Iterable[tuple[bytes, bytes]],
        client: Client,
    ) -> Trace | None:
        """The trace of a request with these headers, and as they were given, where some may have
        come several times; None where no traces are sent. Noted, too."""
        telemetry = self.telemetry
        trace = None if telemetry is None else telemetry.begin(headers, given)
        self.note(headers, client, trace)
        return trace

    def note(
        self, headers: Mapping[bytes, bytes], client: Client, trace: Trace | None = None
    ) -> None:
        """Notes whose request is in hand, where the log wants to know."""
        held = IN_HAND.get()
        if held is not None:
            held.caller = client.name
            held.trace = trace or heard(headers)

    def close(self) -> None:
        """Sends what is to be told of the last requests; may take some seconds."""
        if self.telemetry is not None:
            self.telemetry.close()
        if self.access is not None:
            self.access.close()
        if self.ended is not None:
            self.ended.close()

    def _figures(self) -> Iterable[Sample]:
        """What `/metrics` has of all this."""
        door, telemetry = self.admission, self.telemetry
        yield sample("tierwise_requests_inside", door.inside)
        yield sample("tierwise_requests_waiting", door.waiting)
        yield sample("tierwise_turned_away", door.turned_away)
        if self.replicas is not None:
            yield sample("tierwise_shared_state_up", self.replicas.link.up)
            yield sample("tierwise_replicas", self.replicas.members)
            for what, number in self.replicas.cached.counts().items():
                yield sample("tierwise_shared_cache", number, what)
        if telemetry is not None:
            yield sample("tierwise_spans_waiting", telemetry.exporter.waiting)
            yield sample("tierwise_spans_sent", telemetry.exporter.sent)
            yield sample("tierwise_spans_dropped", telemetry.exporter.dropped)
        if self.access is not None:
            yield sample("tierwise_access_lines_dropped", self.access.dropped)

    def _tell_as(self, orchestrator: Orchestrator, config: Config) -> None:
        """Sends telemetry as the configuration has it now."""
        old = self.telemetry
        settings = settings_of(config.telemetry)
        if old is not None and settings == old.settings:
            old.follow(orchestrator.setup.everywhere())
            return
        if old is not None:
            orchestrator.ledger.unwatch(old.observe)
            orchestrator.ledger.unwatch_asides(old.observe_aside)
            threading.Thread(target=old.close, name="tierwise-telemetry-end").start()
        self.telemetry = _telemetry(orchestrator, config)


def _telemetry(orchestrator: Orchestrator, config: Config) -> Telemetry | None:
    """What sends traces and metrics; None where they go nowhere."""
    settings = settings_of(config.telemetry)
    if settings is None:
        return None
    # Imported only here: most send nothing.
    from tierwise.telemetry.telemetry import Telemetry

    telemetry = Telemetry(settings, orchestrator.setup.everywhere())
    orchestrator.ledger.watch(telemetry.observe)
    orchestrator.ledger.watch_asides(telemetry.observe_aside)
    return telemetry


def _access_log(config: Config) -> AccessLog | None:
    if not config.server.access_log:
        return None
    from tierwise.telemetry.access import AccessLog

    return AccessLog(log_format(config))


class InUse:
    """How many requests a set-up has to finish; each is one from the start of the block on."""

    __slots__ = ("_count", "_over")

    def __init__(self) -> None:
        self._count = 0
        self._over: asyncio.Event | None = None

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._count -= 1
        if self._over is not None and not self._count:
            self._over.set()

    async def over(self) -> None:
        """Waits until none is left, for a set-up that gets no new ones."""
        while self._count:
            self._over = asyncio.Event()
            await self._over.wait()


def _accounts(
    crew: Crew, config: Config, replicas: Replicas | None
) -> tuple[Accounts | None, Budgets | None]:
    """The accounts, which are still to be opened, and their budgets; None where there are none.

    Imported only here: SQLAlchemy takes a while and some memory.
    """
    if not config.accounts.enabled:
        return None, None
    from tierwise.accounts.accounts import accounts_of
    from tierwise.ledger.spent import LedgerSpending
    from tierwise.state.books import InFolder
    from tierwise.state.books import InProcess as InMemory

    shared = crew.folder if crew.workers > 1 else None
    accounts = accounts_of(config.ledger, shared)
    books: Books
    if replicas is not None:
        books = replicas.books
    else:
        books = InMemory() if shared is None else InFolder(shared)
    return accounts, Budgets(books, LedgerSpending(accounts.database.engine))


def _session_secret(crew: Crew) -> bytes:
    """What sessions of the dashboard are signed with, the same in all workers until they stop."""
    if crew.workers <= 1 or crew.folder is None:
        return secrets.token_bytes(32)
    file = crew.folder / "session-secret"
    mine = crew.folder / f"session-secret-{os.getpid()}"
    mine.touch(mode=0o600)
    mine.write_bytes(secrets.token_bytes(32))
    with suppress(FileExistsError):
        file.hardlink_to(mine)  # whole from the first moment, and only the first worker's
    mine.unlink()
    return file.read_bytes()


def _replicas(orchestrator: Orchestrator, config: Config) -> Replicas | None:
    if config.state.url is None:
        return None
    # Imported only here, as most gateways are by themselves.
    from tierwise.state.shared.replicas import Replicas
    from tierwise.state.shared.responses import InRedis

    replicas = Replicas(config.state, orchestrator.crew.workers)
    replicas.attach(orchestrator.health, orchestrator.setup.everywhere())
    replicas.voids.attach(orchestrator.promises)
    orchestrator.kept_responses = InRedis(replicas.link)
    orchestrator.sessions.elsewhere = replicas.sessions
    return replicas


def _share_cache(orchestrator: Orchestrator, config: Config, replicas: Replicas) -> None:
    """Has the cache use what replicas keep together, if there is one and it is wanted."""
    from tierwise.state.shared.cached import Bounds

    own, shared = config.cache, replicas.cached
    cache = orchestrator.cached.cache if orchestrator.cached is not None else None
    # What is kept by this replica alone is to be forgotten as well.
    shared.cleared = cache.clear if cache is not None else _nothing
    if cache is None or own.shared_max_mb == 0:
        if cache is not None:
            cache.share(None)
        shared.listen(None)
        replicas.news.replaced = _nobody
        return
    shared.bounds = Bounds(_bytes(own.shared_max_mb), _bytes(own.shared_max_mb_each))
    cache.share(shared)
    replicas.news.replaced = cache.here.forget
    shared.listen(cache.similar.hear if cache.similar is not None else None)


def _nobody(_: bytes) -> None:
    """Nothing is kept that could be replaced."""


def _nothing() -> None:
    """Nothing is kept that could be forgotten."""


def _bytes(mib: float) -> int:
    return int(mib * 1024 * 1024)


def carry_out(order: Order, orchestrator: Orchestrator) -> None:
    """Drains or restores a deployment, if it is configured and that is not done yet."""
    health = orchestrator.health
    for deployment in orchestrator.setup.everywhere():
        if deployment.id != order.deployment:
            continue
        if not order.drained:
            health.restore(deployment)
        elif not health.states[deployment.id].drained:
            health.drain(deployment)
