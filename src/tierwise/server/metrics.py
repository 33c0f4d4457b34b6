"""Prometheus metrics, fed by records; scraped at `/metrics`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from tierwise.errors import BudgetExceeded, RequestError, TierwiseError
from tierwise.ledger import Aside
from tierwise.orchestrator import Orchestrator
from tierwise.server.counted import Counts, Sample, Snapshot
from tierwise.server.exposition import Board
from tierwise.server.standing import of_parts, of_process
from tierwise.types import Record

_FOLDER = "metrics"


class Metrics:
    """Counts what records say, and tells of all workers who serve together."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._counts = Counts()
        self._readers: list[Callable[[], Iterable[Sample]]] = []
        crew = orchestrator.crew
        shared = crew.folder if crew.workers > 1 else None
        self._board = Board(None if shared is None else shared / _FOLDER)
        self.observe: Callable[[Record], None] = self._counts.observe
        """Takes in one finished request; called by the ledger's thread."""
        self.observe_aside: Callable[[Aside], None] = self._counts.observe_aside
        """The same of one that was for no answer."""

    def follow(self, orchestrator: Orchestrator) -> None:
        """Reads the parts of this orchestrator from now on; what was counted stays."""
        self._orchestrator = orchestrator

    def reads(self, reader: Callable[[], Iterable[Sample]]) -> None:
        """Has these figures in every scrape, too."""
        self._readers.append(reader)

    def refused(self, error: RequestError) -> None:
        """Counts a request that got this error; most of those never reach the ledger."""
        self._counts.add("tierwise_refused", error.code or "")
        if isinstance(error, BudgetExceeded):
            self._counts.add("tierwise_budget_refused")

    def passed(self, provider: str, status: int) -> None:
        """Counts a call that was passed through."""
        self._counts.add("tierwise_passed_through", provider, str(status))

    def embedded(self, model: str, error: TierwiseError | None, cost_usd: float = 0.0) -> None:
        """Counts a request for embeddings, and what it cost."""
        status = "ok" if error is None else type(error).__name__
        self._counts.add("tierwise_embeddings", model, status)
        if error is None:
            self._counts.add("tierwise_cost_usd", "", model, value=cost_usd)

    def counted(self, dialect: str, status: str) -> None:
        """Counts a request that only asked how many tokens it would take."""
        self._counts.add("tierwise_token_counts", dialect, status)

    def cached(self, kind: str, saved_usd: float) -> None:
        """Counts an answer out of the cache, found by this kind of it, and what it saved."""
        self._counts.add("tierwise_cache_hits", kind)
        self._counts.add("tierwise_cache_saved_usd", kind, value=saved_usd)

    def publish(self) -> None:
        """Shows the other workers what was counted here."""
        self._board.show(self._snapshot())

    def render(self) -> bytes:
        """The text of a scrape, for all workers."""
        from tierwise.server.scrape import exposed

        own = self._snapshot()
        return exposed(own, self._board.others(own.pid))

    def _snapshot(self) -> Snapshot:
        samples = [
            *self._counts.samples(),
            *of_parts(self._orchestrator),
            *of_process(),
            *(one for reader in self._readers for one in reader()),
        ]
        return Snapshot(os.getpid(), samples, self._counts.spreads())
