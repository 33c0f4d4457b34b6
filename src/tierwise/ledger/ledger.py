"""The ledger: takes records at once, writes them soon, in a thread of its own."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tierwise.ledger.asides import Aside
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.report import Report, summarise
from tierwise.ledger.store import MEMORY, Store
from tierwise.ledger.watched import Watched
from tierwise.types import Record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tierwise.ledger.postgres import PostgresStore

log = logging.getLogger("tierwise.ledger")

BATCH_SIZE = 500
"""Records in one transaction, at most, and what a SIGKILL loses, at most, while the disk keeps up.

Half as many set the writer to work, so that those in its hands and those that come meanwhile are
not more than this together.
"""
FLUSH_INTERVAL_S = 0.2
"""How long a record waits to be written, in seconds, while the disk keeps up."""
FIRST_RETRY_S = 0.05
MAX_RETRY_S = 5.0
CLOSE_PATIENCE_S = 15.0
"""How long `close` goes on trying, in seconds. Who stops us seldom gives more than 30 in all."""
_PAGE = 500
_NEVER_OPENED = (
    "%d records were not written to the ledger %s, as nobody opened it (`Orchestrator.start`)"
)

Maker = Callable[[], Record]
"""Makes a record. Called in the writer's thread, so that requests do not wait for it, unless the
ledger has no room: then in the caller's, which costs the caller time and the ledger no memory."""
Entry = Record | Feedback | Aside
"""What is written: how a request went, or what somebody thought of its answer later."""


class Ledger(Watched):
    """The append-only record of every request.

    Args:
        place: the SQLite file, created if it does not exist; ":memory:" for none; or the URL of
            a PostgreSQL database.
        beside: a path beside which others may keep files, where `place` is none; none are kept
            beside ":memory:".
        queue_size: records and feedback that may wait to be written; any more are dropped and
            counted.
        batch_size: records in one transaction, at most.
        flush_interval_s: how long a record waits at most, in seconds, if the disk keeps up.
        compress: a seventh of the disk space for some more CPU time in the writer thread.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        beside: str | None = None,
        queue_size: int = 10_000,
        batch_size: int = BATCH_SIZE,
        flush_interval_s: float = FLUSH_INTERVAL_S,
        compress: bool = True,
    ) -> None:
        super().__init__()
        self._store = open_store(str(place), compress=compress)
        self._beside = beside or (MEMORY if "://" in str(place) else str(place))
        self._queue: deque[tuple[str, Maker | Feedback | Aside]] = deque()
        self._made: deque[Entry] = deque()
        self._unwritten: dict[str, Maker | Record] = {}
        self._queue_size = queue_size
        self._room = queue_size
        self._batch_size = batch_size
        self._wake_at = batch_size // 2
        self._flush_interval_s = flush_interval_s
        self._thread: threading.Thread | None = None
        self._process = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._give_up_at = float("inf")
        self._settled = threading.Condition()
        self._dropping = threading.Lock()
        self._in_hand = 0
        self._written = 0
        self._dropped = 0
        self._lost = 0
        self._given_up = False
        self._failed_batches = 0
        self._last_error: str | None = None

    @classmethod
    def memory(cls) -> Ledger:
        """A ledger that is gone when it is closed."""
        return cls(MEMORY)

    @property
    def path(self) -> str:
        """Where the ledger is: a file, or a URL without user and password."""
        return self._store.path

    @property
    def beside(self) -> str:
        """The path beside which files that belong to the ledger are kept."""
        return self._beside

    @property
    def written(self) -> int:
        """Records and feedback that are in the database."""
        return self._written

    @property
    def dropped(self) -> int:
        """What was lost: no room for a record, impossible to store, or no time at the end."""
        return self._dropped + self._lost

    @property
    def pending(self) -> int:
        """Records and feedback that wait to be written."""
        return len(self._queue) + self._in_hand

    @property
    def failed_batches(self) -> int:
        """How often writing a batch failed; the batch is tried again until it succeeds."""
        return self._failed_batches

    @property
    def last_error(self) -> str | None:
        """Why the last batch could not be written; None when it could."""
        return self._last_error

    def open(self) -> None:
        """Creates or migrates the database and starts the writer. Does nothing if open.

        Raises:
            ConfigError: the database cannot be used.
        """
        if self._thread is not None:
            return
        self._store.open()
        self._room = self._queue_size
        self._stop.clear()
        self._given_up = False
        self._give_up_at = float("inf")
        # A daemon, so that a program that forgets `close` can end; what waits is then written
        # by the exit handler.
        thread = threading.Thread(target=self._run, name="tierwise-ledger", daemon=True)
        thread.start()
        self._thread = thread
        self._process = os.getpid()
        atexit.register(self.close)

    def record(self, make: Maker, decision_id: str = "") -> bool:
        """Takes what makes a record, to be written soon.

        Never waits; False if it had to be dropped. With its `decision_id`, `get` knows it at once,
        and it may be made twice.
        """
        queue = self._queue
        waiting = len(queue)
        if waiting + len(self._made) >= self._room:
            self._drop(make)
            return False
        if decision_id:
            self._unwritten[decision_id] = make
        queue.append((decision_id, make))
        if waiting == self._wake_at:
            self._wake.set()
        return True

    def rated(self, feedback: Feedback) -> bool:
        """Takes what somebody thought of an answer, to be written soon, whenever that was.

        Never waits; False if there is no room for it: then it is not kept.
        """
        if len(self._queue) + len(self._made) >= self._room:
            return False
        self._queue.append(("", feedback))
        return True

    def noted(self, aside: Aside) -> bool:
        """Takes a request that is for no answer, to be written soon.

        Never waits; False if it had to be dropped.
        """
        if len(self._queue) + len(self._made) >= self._room:
            self._count_dropped()
            self._show_aside(aside)
            return False
        self._queue.append(("", aside))
        return True

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until all that was recorded before is in the database.

        Returns:
            False if that took longer than `timeout_s` seconds, or if the ledger is not open.
        """
        with self._settled:
            target = self._written + self._lost + self.pending
            if self._thread is None:
                return self.pending == 0
            self._wake.set()
            return self._settled.wait_for(lambda: self._written + self._lost >= target, timeout_s)

    def close(self, timeout_s: float = CLOSE_PATIENCE_S) -> None:
        """Writes what waits and stops. Does nothing if not open, or opened by another process.

        If the database does not take it within `timeout_s` seconds, the rest counts as dropped.
        The log says how many records were lost since the ledger was made, if any.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            if self._queue:
                log.error(_NEVER_OPENED, len(self._queue), self.path)
            return
        if self._process != os.getpid():
            return  # a fork has neither the writer nor a database that it may touch
        atexit.unregister(self.close)
        self._room = 0
        self._give_up_at = time.monotonic() + timeout_s
        self._stop.set()
        self._wake.set()
        thread.join()
        self._store.close()
        if self.dropped:
            log.error(
                "%d records were not written to the ledger %s (%d were): %s",
                self.dropped, self.path, self._written, self._last_error or "no room for them",
            )  # fmt: skip

    def get(self, decision_id: str) -> Record | None:
        """The record of a decision, None if there is none (yet: see `record` and `flush`).

        Raises:
            DecisionUnreadable: it is there and damaged.
        """
        # In this order: what is gone from here meanwhile is in the database.
        unwritten = self._unwritten.get(decision_id)
        if unwritten is None:
            return self._store.get(decision_id)
        return unwritten if isinstance(unwritten, Record) else unwritten()

    def feedback(self, decision_id: str) -> list[Feedback]:
        """What was said of a decision's answer and is in the database, the oldest first."""
        return self._store.feedback(decision_id)

    def aside(self, wanted: str) -> Aside | None:
        """The request of this id that is for no answer, once it is in the database."""
        return self._store.aside(wanted)

    def asides(self, limit: int | None = 100, *, since: float = 0.0) -> list[Aside]:
        """Those for no answer that are in the database, newest first, as in `recent`."""
        return self._store.asides(since=since, limit=limit)

    def recent(self, limit: int | None = 100, *, since: float = 0.0) -> Iterator[Record]:
        """Records that are in the database, newest first, read as they are asked for.

        One that cannot be read is left out, and the log says so.

        Args:
            limit: how many at most; None for all.
            since: Unix time of the oldest decision wanted, in seconds.
        """
        place: tuple[float, int] | None = None
        left = float("inf") if limit is None else limit
        while left > 0:
            page = self._store.page(since=since, before=place, limit=int(min(left, _PAGE)))
            if not page:
                return
            for place, record in page:  # noqa: B007 - the last place is where to go on
                if record is not None:
                    left -= 1
                    yield record

    def report(self, *, since_s: float | None = None, now: float) -> Report:
        """The figures of the last `since_s` seconds before Unix time `now`; of all if None."""
        with self._store.reading() as connection:
            return summarise(connection, since_s=since_s, now=now)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of SQLAlchemy's to read from; sees one moment of the ledger. Blocks."""
        with self._store.reading() as connection:
            yield connection

    def __enter__(self) -> Ledger:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        """The writer thread. It polls, because waking it would cost each request more."""
        while True:
            if not self._stop.is_set():
                self._wake.wait(self._flush_interval_s)
                self._wake.clear()
            stopping = self._stop.is_set()
            while self._queue or self._made:
                self._make()
                count = min(len(self._made), self._batch_size)
                if batch := [self._made.popleft() for _ in range(count)]:
                    self._write(batch)
            if stopping:
                return
            self._roll()

    def _roll(self) -> None:
        """Adds up rows in a quiet moment. If that fails it is done later, and nobody misses it."""
        try:
            self._store.roll()
        except Exception as error:  # noqa: BLE001 - the writer must outlive it
            log.warning(
                "rows of the ledger %s cannot be added up yet: %s", self.path, _words(error)
            )

    def _make(self) -> None:
        """Makes the records of up to a batch that waits, and shows them."""
        with self._settled:
            count = min(len(self._queue), self._batch_size)
            batch = [self._queue.popleft() for _ in range(count)]
            self._in_hand += count
        for decision_id, make in batch:
            if isinstance(make, (Feedback, Aside)):
                self._made.append(make)
                if isinstance(make, Aside):
                    self._show_aside(make)
                continue
            try:
                record = make()
            except Exception as error:
                self._settle([decision_id], written=False)
                self._last_error = f"{type(error).__name__}: {error}"
                log.exception("a record cannot be made")
                continue
            if decision_id:
                self._unwritten[decision_id] = record
            self._made.append(record)
            self._show(record)

    def _drop(self, make: Maker) -> None:
        """Counts a record for which there is no room, and shows it all the same."""
        self._count_dropped()
        if not self._observers:
            return
        try:
            record = make()
        except Exception:
            log.exception("a record cannot be made")
        else:
            self._show(record)

    def _count_dropped(self) -> None:
        with self._dropping:
            self._dropped += 1
            count = self._dropped
        if _is_power_of_two(count):
            log.warning(
                "the ledger %s has no room: %d records were dropped so far (%s)",
                self.path, count, self._last_error or "it takes them too slowly, or is closed",
            )  # fmt: skip

    def _write(self, batch: Sequence[Entry]) -> None:
        """Writes a batch, however often it takes, until `close` runs out of time."""
        delay, failed = FIRST_RETRY_S, 0
        while not self._given_up:
            try:
                self._store.append(batch)
            except Exception as error:  # noqa: BLE001 - the writer must outlive any bad record
                if not self._store.may_pass(error):
                    self._isolate(batch, error)
                    return
                self._failed_batches += 1
                failed += 1  # since it could be written: each time that it cannot is told again
                self._last_error = _words(error)
                if _is_power_of_two(failed):
                    log.warning("the ledger %s cannot be written: %s", self.path, self._last_error)
            else:
                self._settle(_decisions(batch), written=True)
                if failed:
                    log.warning("the ledger %s is written again, after %d tries", self.path, failed)
                return
            self._wait(delay)
            delay = min(delay * 2, MAX_RETRY_S)
        self._settle(_decisions(batch), written=False)

    def _wait(self, delay: float) -> None:
        """Waits for the next try, while what comes meanwhile is made and shown.

        `close` makes the next try come at once, and sets the time after which there is none.
        """
        until = time.monotonic() + delay
        stopping = self._stop.is_set()
        while (left := min(until, self._give_up_at) - time.monotonic()) > 0:
            if self._queue:
                self._make()
            self._wake.wait(min(left, self._flush_interval_s))
            self._wake.clear()
            if self._stop.is_set() and not stopping:
                break
        self._given_up = time.monotonic() >= self._give_up_at

    def _isolate(self, batch: Sequence[Entry], error: Exception) -> None:
        """Finds the entry that can never be stored, and writes all others."""
        if len(batch) == 1:
            (decision_id,) = _decisions(batch)
            self._settle([decision_id], written=False)
            self._last_error = f"{decision_id}: {type(error).__name__}: {error}"
            log.error("a record cannot be stored: %s", self._last_error)
            return
        middle = len(batch) // 2
        self._write(batch[:middle])
        self._write(batch[middle:])

    def _settle(self, decisions: Sequence[str], *, written: bool) -> None:
        """The entries of these decisions wait no more. Feedback never overtakes its record."""
        count = len(decisions)
        for decision_id in decisions:
            self._unwritten.pop(decision_id, None)
        with self._settled:
            self._in_hand -= count
            if written:
                self._written += count
                self._last_error = None
            else:
                self._lost += count
            self._settled.notify_all()


def open_store(place: str, *, compress: bool = True) -> Store | PostgresStore:
    """Where entries go, not open yet. SQLAlchemy and the driver are only loaded for a server."""
    if "://" not in place:
        return Store(place, compress=compress)
    from tierwise.ledger.postgres import PostgresStore

    return PostgresStore(place, compress=compress)


def _decisions(batch: Sequence[Entry]) -> list[str]:
    return [_id(entry) for entry in batch]


def _id(entry: Entry) -> str:
    if isinstance(entry, Record):
        return entry.decision.id
    return entry.id if isinstance(entry, Aside) else entry.decision_id


def _words(error: Exception) -> str:
    """What is wrong, in a line: the statement that failed, and what it was to write, left out."""
    own = getattr(error, "orig", None) or error
    return next(iter(str(own).strip().splitlines()), type(own).__name__)


def _is_power_of_two(count: int) -> bool:
    """Whether to tell: at 1, 2, 4, 8, ... a log says how bad it is and is never flooded."""
    return count & (count - 1) == 0
