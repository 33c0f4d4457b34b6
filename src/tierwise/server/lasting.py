"""What goes on when one set-up takes the place of another: counts, places, answers, orders."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from tierwise.config import Config
from tierwise.config.clients import client_limits
from tierwise.orchestrator import Orchestrator
from tierwise.server.admission import Admission
from tierwise.server.metrics import Metrics
from tierwise.server.once import Once
from tierwise.server.request import ClientWatch
from tierwise.state.allowances import Allowances
from tierwise.state.budgets import Budgets
from tierwise.state.orders import Order, Orders
from tierwise.state.promises import Crew

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts


class Lasting:
    """All of it, of one process.

    `accounts` and `budgets` are None where there are none. `state` is how far the process is: the
    last one says that it is being stopped. `loaded_at` is
    when the configuration was read, a Unix time in seconds; `reloads` how often it was since the
    start, and `refused` what was wrong with it the last time, None if nothing was.
    """

    def __init__(self, orchestrator: Orchestrator, config: Config) -> None:
        server = config.server
        self.metrics = Metrics(orchestrator)
        orchestrator.ledger.watch(self.metrics.observe)
        self.admission = Admission(server.max_requests, server.max_waiting, server.max_wait_s)
        self.allowances = Allowances(*client_limits(server, orchestrator.crew.workers))
        self.watch = ClientWatch()
        self.once = Once()
        self.orders = Orders(orchestrator.crew)
        self.accounts, self.budgets = _accounts(orchestrator.crew, config)
        self.state: Literal["starting", "ready", "draining"] = "starting"
        self.started = time.monotonic()
        self.loaded_at = time.time()
        self.reloads = 0
        self.refused: str | None = None

    def change(self, orchestrator: Orchestrator, config: Config) -> None:
        """Another set-up takes over, under a configuration that was read just now."""
        server = config.server
        limits, own = client_limits(server, orchestrator.crew.workers)
        self.metrics.follow(orchestrator)
        self.admission.change(server.max_requests, server.max_waiting, server.max_wait_s)
        self.allowances.change(limits, own, time.monotonic())
        for name in self.orders.drained:
            carry_out(Order(name, drained=True), orchestrator)
        self.loaded_at = time.time()
        self.reloads += 1
        self.refused = None


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


def _accounts(crew: Crew, config: Config) -> tuple[Accounts | None, Budgets | None]:
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
    books = InMemory() if shared is None else InFolder(shared)
    return accounts, Budgets(books, LedgerSpending(accounts.database.engine))


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
