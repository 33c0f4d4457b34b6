"""The ledger's SQLite file. A store for another database has the same public methods."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tierwise.errors import ConfigError, LedgerUnreachable
from tierwise.ledger import bundles, rollup, schema
from tierwise.ledger.asides import Aside, attempt_rows, owner_of, read_asides, row_of
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.rows import Key, Rows, rows_of
from tierwise.storage import sqlite_ledger
from tierwise.types import Record

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger("tierwise.ledger")

MEMORY = ":memory:"
BUSY_TIMEOUT_S = 1.0
"""How long one statement waits for another process's transaction."""
OPEN_PATIENCE_S = 10.0
"""How long `open` waits for another process that is creating the same file."""
PAGE_BYTES = 8192
WAL_PAGES = 1000
"""After so many pages the log is copied into the file."""
ROWS_PER_STATEMENT: tuple[int, ...] = (128, 16, 1)
"""A few sizes, so that every statement is prepared once and kept."""
_MAX_KNOWN = 10_000
_FEEDBACK_FIELDS = Feedback.__struct_fields__
_MOST_COLUMNS = max(
    map(len, (schema.REQUEST_COLUMNS, schema.ATTEMPT_COLUMNS, schema.OWNED_ASIDE_COLUMNS))
)


class Store:
    """One ledger file, or one ledger in memory. Appends come from one thread at a time."""

    def __init__(self, path: str, *, compress: bool = True) -> None:
        self.path = path
        self._compress = compress
        self._shapes: dict[Key, int] = {}
        self._checks: dict[Key, int] = {}
        self._owners: dict[Key, int] = {}
        self._backlog = rollup.Backlog()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._statement_sizes = ROWS_PER_STATEMENT

    def open(self) -> None:
        """Creates or migrates the file.

        Raises:
            ConfigError: it cannot be created or written, or is not a ledger of this version.
        """
        connection: sqlite3.Connection | None = None
        try:
            if self.path != MEMORY:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            _prepare(connection, self.path)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise _unusable(self.path, error) from error
            raise
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // _MOST_COLUMNS
        self._statement_sizes = tuple(size for size in ROWS_PER_STATEMENT if size <= most)
        self._forget_numbers()
        self._writer = connection

    def append(self, entries: Sequence[Record | Feedback | Aside]) -> None:
        """Writes entries in one transaction: all of them, or none and an exception.

        Raises:
            sqlite3.Error: the database is locked, full or broken.
        """
        with self._writing:
            connection = self._writer
            if connection is None:
                raise sqlite3.ProgrammingError("the ledger is closed")
            # All that needs no lock comes before BEGIN: other processes are waiting.
            records = [entry for entry in entries if isinstance(entry, Record)]
            opinions = [msgspec.structs.astuple(e) for e in entries if isinstance(e, Feedback)]
            asides = [entry for entry in entries if isinstance(entry, Aside)]
            aside_rows = [(row_of(aside), owner_of(aside)) for aside in asides]
            aside_attempts = [row for aside in asides for row in attempt_rows(aside)]
            packed = [
                (group, bundles.pack(group, compress=self._compress))
                for group in bundles.bundled(records)
            ]
            rows = [[rows_of(record) for record in group] for group, _ in packed]
            try:
                # IMMEDIATE takes the write lock now. A read lock that wants to become a write
                # lock fails at once when another process writes, whatever the timeout.
                connection.execute("BEGIN IMMEDIATE")
                self._insert(connection, [bundle for _, bundle in packed], rows)
                self._insert_rows(connection, "feedback", schema.FEEDBACK_COLUMNS, opinions)
                owned = [(*row, self._owner(connection, whose)) for row, whose in aside_rows]
                self._insert_rows(connection, "asides", schema.OWNED_ASIDE_COLUMNS, owned)
                self._insert_rows(connection, "attempts", schema.ATTEMPT_COLUMNS, aside_attempts)
                connection.execute("COMMIT")
                self._backlog.add(len(records) + len(asides))
            except BaseException:
                self._forget_numbers()  # some may be of the transaction that is undone
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def may_pass(self, error: Exception) -> bool:
        """Whether the same batch can succeed later: the database is at fault, not a record."""
        return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError

    def roll(self, rows: int | None = None) -> int:
        """Adds some new rows up, if there are many or it is long ago; see `rollup`.

        Args:
            rows: so many at once, whenever that was done last.

        Returns:
            how many are left, as far as was looked.

        Raises:
            sqlite3.Error: the database is locked, full or broken; nothing was changed.
        """
        if rows is None and not self._backlog.due:
            return 0
        with self._writing:
            connection = self._writer
            if connection is None:
                return 0
            self._backlog.tried(left=1)
            left = 0
            connection.execute("BEGIN IMMEDIATE")
            try:
                for table, steps in rollup.statements(rollup.SQLITE).items():
                    low, last = connection.execute(rollup.newest(table)).fetchone()
                    high = min(last, low + (rows or rollup.ROWS_AT_ONCE))
                    for step in steps if high > low else ():
                        connection.execute(step, {"low": low, "high": high})
                    left = max(left, last - high)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._backlog.tried(left)
            return left

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of SQLAlchemy's to read from; sees one moment of the ledger.

        Raises:
            ConfigError: there is no ledger.
        """
        # Only here: it takes longer to import than all that a plain server needs.
        from tierwise.ledger import reading

        if self.path != MEMORY:
            with reading.reading(self.path) as connection:
                yield connection
            return
        with self._looking() as raw, reading.one_moment(reading.raw_engine(raw)) as connection:
            yield connection

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from, for one thread at a time; sees one moment of the ledger.

        Raises:
            ConfigError: there is no ledger.
            LedgerUnreachable: it was taken away, or cannot be read.
        """
        try:
            with self._raw() as connection:
                yield connection
        except sqlite3.Error as error:
            log.warning("the ledger %s cannot be read: %s", self.path, error)
            raise LedgerUnreachable(
                f"The ledger cannot be read just now ({type(error).__name__}). Ask again in a "
                "moment; the gateway's log has the details."
            ) from error

    @contextmanager
    def _raw(self) -> Iterator[sqlite3.Connection]:
        if self.path == MEMORY:
            with self._writing:
                if self._writer is None:
                    raise sqlite3.ProgrammingError("the ledger is closed")
                yield self._writer
            return
        with self._reading:
            if self._reader is None:
                self._reader = self._connected()
            with one_moment(self._reader):
                yield self._reader

    def _connected(self) -> sqlite3.Connection:
        try:
            return connect_to_read(self.path)
        except ConfigError as error:
            if self._writer is None:
                raise
            raise sqlite3.OperationalError(str(error)) from error  # it was there once

    def get(self, decision_id: str) -> Record | None:
        """The record of a decision; the latest, should an id ever come twice.

        Raises:
            DecisionUnreadable: it is there and damaged.
        """
        with self._looking() as connection:
            row = connection.execute(
                "SELECT bundles.id, bundles.codec, bundles.records, requests.slot FROM requests"
                " JOIN bundles ON bundles.id = requests.bundle"
                " WHERE requests.id = ? ORDER BY requests.seq DESC LIMIT 1",
                (decision_id,),
            ).fetchone()
        return None if row is None else bundles.wanted(decision_id, *row)

    def feedback(self, decision_id: str) -> list[Feedback]:
        """All opinions of a decision's answer, the oldest first."""
        with self._looking() as connection:
            return feedback_of(connection, decision_id)

    def aside(self, wanted: str) -> Aside | None:
        """The request of this id that is for no answer; None if there is none."""
        with self._looking() as connection:
            found = read_asides(connection, "asides.id = ?", (wanted,), 1)
        return found[0] if found else None

    def asides(self, *, since: float, limit: int | None) -> list[Aside]:
        """Requests that are for no answer, newest first."""
        with self._looking() as connection:
            return read_asides(connection, "asides.at >= ?", (since,), limit)

    def page(
        self, *, since: float, before: tuple[float, int] | None, limit: int
    ) -> list[tuple[tuple[float, int], Record | None]]:
        """Up to `limit` records, newest first, each with the place to continue `before`.

        None stands for a record that cannot be read.
        """
        bound = before or (float("inf"), 0)
        with self._looking() as connection:
            rows = connection.execute(
                "SELECT at, seq, bundle, slot FROM requests"
                " WHERE at >= ? AND (at, seq) < (?, ?) ORDER BY at DESC, seq DESC LIMIT ?",
                (since, *bound, limit),
            ).fetchall()
            wanted = {bundle for _, _, bundle, _ in rows}
            packed = {
                number: connection.execute(
                    "SELECT codec, records FROM bundles WHERE id = ?", (number,)
                ).fetchone()
                for number in wanted
            }
        unpacked = {number: bundles.readable(number, *packed[number]) for number in wanted}
        return [
            ((at, seq), bundles.record(unpacked[bundle], bundle, slot))
            for at, seq, bundle, slot in rows
        ]

    def close(self) -> None:
        """Closes all connections; SQLite then folds the log into the file."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _insert(
        self,
        connection: sqlite3.Connection,
        packed: Sequence[tuple[str, bytes]],
        rows: Sequence[Sequence[Rows]],
    ) -> None:
        shapes = self._shapes
        requests: list[tuple[object, ...]] = []
        attempts: list[tuple[object, ...]] = []
        for bundle, group in zip(packed, rows, strict=True):
            number = connection.execute(
                "INSERT INTO bundles (codec, records) VALUES (?, ?)", bundle
            ).lastrowid
            for slot, (key, figures, check, calls, whose) in enumerate(group):
                shape = shapes.get(key) or self._number(
                    connection, shapes, "shapes", schema.SHAPE_COLUMNS, key
                )
                said = self._check(connection, check)
                owner = self._owner(connection, whose)
                requests.append((*figures, shape, number, slot, said, owner))
                for values, text in calls:
                    attempts.append((*values, self._check(connection, text)))
        self._insert_rows(connection, "requests", schema.REQUEST_COLUMNS, requests)
        self._insert_rows(connection, "attempts", schema.ATTEMPT_COLUMNS, attempts)

    def _insert_rows(
        self,
        connection: sqlite3.Connection,
        table: str,
        columns: tuple[str, ...],
        rows: Sequence[tuple[object, ...]],
    ) -> None:
        """Inserts many rows a statement.

        `sqlite3` gives up the GIL at every statement, also within `executemany`, and a busy event
        loop is slow to hand it back: a row a statement could keep the writer waiting for hours.
        """
        begin = 0
        for size in self._statement_sizes:
            while len(rows) - begin >= size:
                values = list(chain.from_iterable(rows[begin : begin + size]))
                connection.execute(_insert_statement(table, columns, size), values)
                begin += size

    def _check(self, connection: sqlite3.Connection, said: str | None) -> int | None:
        """The number of what gates said, None if they said nothing."""
        if said is None:
            return None
        key = (said,)
        return self._checks.get(key) or self._number(
            connection, self._checks, "checks", ("said",), key
        )

    def _owner(self, connection: sqlite3.Connection, key: Key | None) -> int | None:
        """The number of whoever asked, None if nobody knows."""
        if key is None:
            return None
        return self._owners.get(key) or self._number(
            connection, self._owners, "owners", schema.OWNER_COLUMNS, key
        )

    def _number(
        self,
        connection: sqlite3.Connection,
        known: dict[Key, int],
        table: str,
        columns: tuple[str, ...],
        key: Key,
    ) -> int:
        """The number of a shape, a check or an owner, new or not."""
        if len(known) >= _MAX_KNOWN:
            known.clear()
        names = ", ".join(columns)
        places = ", ".join("?" * len(key))
        connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608
            key,
        )
        row = connection.execute(
            f"SELECT id FROM {table} WHERE ({names}) = ({places})",  # noqa: S608
            key,
        ).fetchone()
        number: int = row[0]
        known[key] = number
        return number

    def _forget_numbers(self) -> None:
        self._shapes.clear()
        self._checks.clear()
        self._owners.clear()


@cache
def _insert_statement(table: str, columns: tuple[str, ...], rows: int) -> str:
    one = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names of our own schema
        f" VALUES {', '.join([one] * rows)}"
    )


def feedback_of(connection: sqlite3.Connection, decision_id: str) -> list[Feedback]:
    """All opinions of a decision's answer, the oldest first."""
    rows = connection.execute(
        f"SELECT {', '.join(schema.FEEDBACK_COLUMNS)} FROM feedback"  # noqa: S608
        " WHERE request_id = ? ORDER BY at, seq",
        (decision_id,),
    )
    return [Feedback(**dict(zip(_FEEDBACK_FIELDS, row, strict=True))) for row in rows]


def check_exists(path: str) -> None:
    """Refuses to look into a ledger, or to add to one, that nothing was ever written to.

    Raises:
        ConfigError: there is no file at `path`.
    """
    if not Path(path).is_file():
        raise ConfigError(
            f"there is no ledger at {path}",
            field="ledger.path",
            remedy="`tierwise serve` creates it with the first request that it serves.",
        )


def connect_to_read(path: str) -> sqlite3.Connection:
    """A connection that can only read, and that never keeps a writer waiting.

    Raises:
        ConfigError: there is no ledger of this version at `path`.
    """
    check_exists(path)
    uri = Path(path).absolute().as_uri()
    connection = sqlite3.connect(
        f"{uri}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        version = sqlite_ledger.check_version(connection, path)
        if version < sqlite_ledger.VERSION:
            raise ConfigError(
                f"{path} is empty or a ledger of an older version ({version})",
                field="ledger.path",
                remedy="Start `tierwise serve` once: it brings the ledger up to date.",
            )
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except ConfigError:
        connection.close()
        raise
    return connection


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read inside is of the same moment, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Settings and tables; waits while another process does the same."""
    give_up = time.monotonic() + OPEN_PATIENCE_S
    while True:
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            # Readers and the writer do not keep each other waiting.
            connection.execute("PRAGMA journal_mode = WAL")
            # NORMAL syncs when the log is copied into the file, not at each commit. If the
            # process is killed, what was committed stays, and at most the queue is lost. If the
            # power fails, the last transactions may be lost; the file stays consistent.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            connection.execute("PRAGMA cache_size = -16000")
            sqlite_ledger.migrate(connection, path)
            sqlite_ledger.give_logarithm(connection)
        except sqlite3.OperationalError as error:
            # The busy timeout does not cover the change to WAL.
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return


def _unusable(path: str, error: Exception) -> ConfigError:
    if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
        return ConfigError(
            f"{path} is not a ledger: {error}",
            field="ledger.path",
            remedy="Name another file, or move this one away.",
        )
    return ConfigError(
        f"the ledger {path} cannot be opened: {error}",
        field="ledger.path",
        remedy="Name a file in a directory that exists and that this user may write.",
    )
