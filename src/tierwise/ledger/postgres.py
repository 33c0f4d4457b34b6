"""The ledger in PostgreSQL, which any number of gateways may share.

It has the public methods of `store.Store`. What differs: numbers of labels are given in short
transactions of their own, so that gateways which meet the same new label do not wait for each other
longer than that; and a batch is written once, even if the answer to its COMMIT was lost.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import psycopg
from sqlalchemy import Connection, Engine, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import delete, select

from tierwise.errors import ConfigError, LedgerUnreachable
from tierwise.ledger import bundles, lookup, rollup, schema, tables
from tierwise.ledger.asides import Aside, attempt_rows, owner_of, row_of
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.reading import one_moment
from tierwise.ledger.rows import Key, Rows, rows_of
from tierwise.storage import migrate
from tierwise.storage.engine import open_engine, shown
from tierwise.storage.metadata import metadata
from tierwise.types import Record

log = logging.getLogger("tierwise.ledger")

OPEN_PATIENCE_S = 10.0
"""How long `open` waits for a server that is only starting."""
STATEMENT_S = 30
"""A statement that takes longer is given up and tried again, in seconds."""
LOCK_S = 0.5
"""How long adding up may keep appends waiting, in seconds."""
_APPENDING = 0x7469_6572_0002
"""Of PostgreSQL's advisory locks: shared by all appends that are under way."""
_FORGOTTEN_S = 30 * 86_400
_MAX_KNOWN = 10_000
_NUL = "\x00"


class PostgresStore:
    """One database. Appends come from one thread at a time, reading from any."""

    def __init__(self, url: str, *, compress: bool = True) -> None:
        self.path = shown(url)
        self._url = url
        self._compress = compress
        self._engine: Engine | None = None
        self._writing = threading.Lock()
        self._known: dict[str, dict[Key, int]] = {"shapes": {}, "checks": {}, "owners": {}}
        self._backlog = rollup.Backlog()
        self._writer = secrets.token_hex(8)
        self._batch = 0
        self._unsettled: Sequence[Record | Feedback | Aside] | None = None

    def open(self) -> None:
        """Creates or migrates the tables; waits a while for a server that is starting.

        Raises:
            ConfigError: the database cannot be used.
        """
        engine = open_engine(self._url)
        give_up = time.monotonic() + OPEN_PATIENCE_S
        while True:
            try:
                migrate.upgrade_engine(engine)
            except ConfigError:
                if time.monotonic() > give_up or _answers(engine):
                    engine.dispose()
                    raise
                time.sleep(0.2)
            else:
                break
        self._engine = engine

    def append(self, entries: Sequence[Record | Feedback | Aside]) -> None:
        """Writes entries in one transaction: all of them, or none and an exception.

        If nobody knows whether that went through, give the same sequence again: it is written
        once.

        Raises:
            sqlalchemy.exc.DBAPIError, psycopg.Error: the database is away, or refuses.
        """
        with self._writing:
            engine = self._opened()
            if entries is not self._unsettled:
                self._unsettled = entries
                self._batch += 1
            records = [entry for entry in entries if isinstance(entry, Record)]
            opinions = [msgspec.structs.astuple(e) for e in entries if isinstance(e, Feedback)]
            asides = [entry for entry in entries if isinstance(entry, Aside)]
            groups = list(bundles.bundled(records))
            packed = [bundles.pack(group, compress=self._compress) for group in groups]
            rows = [[_checked(rows_of(record)) for record in group] for group in groups]
            try:
                self._number(engine, rows, asides)
                with engine.begin() as connection:
                    if self._is_first(connection):
                        _patiently(connection)
                        self._insert(connection, packed, rows)
                        _copy(connection, "feedback", schema.FEEDBACK_COLUMNS, opinions)
                        owned = map(self._owned, asides)
                        _copy(connection, "asides", schema.OWNED_ASIDE_COLUMNS, owned)
                        calls = (call for aside in asides for call in attempt_rows(aside))
                        _copy(connection, "attempts", schema.ATTEMPT_COLUMNS, calls)
            except BaseException:
                self._forget_numbers()  # the database may be back with less than it had
                raise
            self._unsettled = None
            self._backlog.add(len(records) + len(asides))

    def may_pass(self, error: Exception) -> bool:
        """Whether the same batch can succeed later: the database is at fault, not a record."""
        found = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(found, psycopg.IntegrityError):
            return isinstance(found, psycopg.errors.ForeignKeyViolation)
        # The second is a row that is too large, such as a label that no index holds.
        unfit = psycopg.DataError, psycopg.errors.ProgramLimitExceeded
        return isinstance(found, psycopg.Error) and not isinstance(found, unfit)

    def roll(self, rows: int | None = None) -> int:
        """Adds some new rows up, if there are many or it is long ago; see `rollup`.

        Args:
            rows: so many at once, whenever that was done last.

        Returns:
            how many are left, as far as was looked.

        Raises:
            sqlalchemy.exc.DBAPIError: the database is away, or busy; nothing was changed.
        """
        if rows is None and not self._backlog.due:
            return 0
        self._backlog.tried(left=1)
        engine = self._opened()
        settled = _settled(engine)
        left = 0
        with engine.begin() as connection:
            for table, steps in rollup.statements(rollup.POSTGRESQL).items():
                mark = select(tables.marks.c.value).where(tables.marks.c.name == table)
                low = connection.scalar(mark.with_for_update(skip_locked=True))
                if low is None:
                    return 0  # another gateway does it just now
                high = min(settled[table], low + (rows or rollup.ROWS_AT_ONCE))
                for step in steps if high > low else ():
                    connection.execute(text(step), {"low": low, "high": high})
                left = max(left, settled[table] - high)
        self._backlog.tried(left)
        return left

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from; sees one moment of the ledger.

        Raises:
            LedgerUnreachable: the database does not answer.
        """
        try:
            with one_moment(self._opened()) as connection:
                yield connection
        except DBAPIError as error:
            # Where it is, which the driver's words have too, is none of clients' business.
            log.warning("the ledger %s cannot be read: %s", self.path, error.orig)
            raise LedgerUnreachable(
                f"The ledger cannot be read just now ({type(error.orig).__name__}). Ask again in a "
                "moment; the gateway's log has the details."
            ) from error

    def get(self, decision_id: str) -> Record | None:
        """The record of a decision; the latest, should an id ever come twice."""
        with self.reading() as connection:
            return lookup.record(connection, _as_stored(decision_id))

    def feedback(self, decision_id: str) -> list[Feedback]:
        """All opinions of a decision's answer, the oldest first."""
        with self.reading() as connection:
            return lookup.opinions(connection, _as_stored(decision_id))

    def aside(self, wanted: str) -> Aside | None:
        """The request of this id that is for no answer; None if there is none."""
        with self.reading() as connection:
            found = lookup.asides(connection, tables.asides.c.id == _as_stored(wanted), 1)
        return found[0] if found else None

    def asides(self, *, since: float, limit: int | None) -> list[Aside]:
        """Requests that are for no answer, newest first."""
        with self.reading() as connection:
            return lookup.asides(connection, tables.asides.c.at >= since, limit)

    def page(
        self, *, since: float, before: tuple[float, int] | None, limit: int
    ) -> list[tuple[tuple[float, int], Record | None]]:
        """Up to `limit` records, newest first, each with the place to continue `before`.

        None stands for a record that cannot be read.
        """
        with self.reading() as connection:
            return lookup.page(connection, since=since, before=before, limit=limit)

    def close(self) -> None:
        """Closes all connections."""
        with self._writing:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _opened(self) -> Engine:
        """Where the database is. Reading needs no `open`, which a file does not need either."""
        if self._engine is None:
            self._engine = open_engine(self._url)
        return self._engine

    def _is_first(self, connection: Connection) -> bool:
        """Claims the batch; False if it was written before, and only the answer was lost.

        Should that transaction be under way still, this waits for its end.
        """
        table = tables.writers
        claim = insert(table).values(writer=self._writer, batch=self._batch, at=time.time())
        newer = claim.on_conflict_do_update(
            index_elements=[table.c.writer],
            set_={"batch": claim.excluded.batch, "at": claim.excluded.at},
            where=table.c.batch < claim.excluded.batch,
        )
        claimed = connection.scalar(newer.returning(table.c.batch))
        if self._batch == 1:
            connection.execute(delete(table).where(table.c.at < time.time() - _FORGOTTEN_S))
        return claimed is not None

    def _insert(
        self,
        connection: Connection,
        packed: Sequence[tuple[str, bytes]],
        rows: Sequence[Sequence[Rows]],
    ) -> None:
        shapes, checks, owners = (self._known[name] for name in ("shapes", "checks", "owners"))
        requests: list[tuple[object, ...]] = []
        attempts: list[tuple[object, ...]] = []
        for (codec, data), group in zip(packed, rows, strict=True):
            made = insert(tables.bundles).values(codec=codec, records=data)
            number = connection.scalar(made.returning(tables.bundles.c.id))
            for slot, (key, figures, check, calls, owner) in enumerate(group):
                said = None if check is None else checks[(check,)]
                whose = None if owner is None else owners[owner]
                requests.append((*figures, shapes[key], number, slot, said, whose))
                attempts += [
                    (*values, None if one is None else checks[(one,)]) for values, one in calls
                ]
        _copy(connection, "requests", schema.REQUEST_COLUMNS, requests)
        _copy(connection, "attempts", schema.ATTEMPT_COLUMNS, attempts)

    def _owned(self, aside: Aside) -> tuple[object, ...]:
        whose = owner_of(aside)
        return (*row_of(aside), None if whose is None else self._known["owners"][whose])

    def _number(
        self, engine: Engine, rows: Sequence[Sequence[Rows]], asides: Sequence[Aside]
    ) -> None:
        """Learns the numbers of all labels in these rows, new or not."""
        flat = [row for group in rows for row in group]
        said: set[Key] = {(row.check,) for row in flat if row.check is not None}
        said |= {(c.check,) for row in flat for c in row.attempts if c.check is not None}
        owners = {row.owner for row in flat} | {owner_of(aside) for aside in asides}
        wanted: dict[str, set[Key]] = {
            "shapes": {row.key for row in flat},
            "checks": said,
            "owners": {owner for owner in owners if owner is not None},
        }
        columns = {
            "shapes": schema.SHAPE_COLUMNS,
            "checks": ("said",),
            "owners": schema.OWNER_COLUMNS,
        }
        for name, keys in wanted.items():
            known = self._known[name]
            if len(known) > _MAX_KNOWN:
                known.clear()
            # In one order everywhere, so that two gateways never wait for each other.
            missing = sorted(keys - known.keys())
            if missing:
                with engine.begin() as connection:
                    known.update(_numbers(connection, name, columns[name], missing))

    def _forget_numbers(self) -> None:
        for known in self._known.values():
            known.clear()


def _numbers(
    connection: Connection, name: str, columns: Sequence[str], keys: Sequence[Key]
) -> dict[Key, int]:
    table = metadata.tables[name]
    # PostgreSQL's text holds no NUL; the key with one is looked up by what is stored for it.
    stored = {key: tuple(_storable(value) for value in key) for key in keys}
    values = [dict(zip(columns, one, strict=True)) for one in dict.fromkeys(stored.values())]
    connection.execute(insert(table).on_conflict_do_nothing(), values)
    wanted = tuple_(*(table.c[column] for column in columns)).in_(list(stored.values()))
    chosen = select(table.c.id, *(table.c[column] for column in columns)).where(wanted)
    found = {tuple(row[1:]): row[0] for row in connection.execute(chosen)}
    return {key: found[one] for key, one in stored.items()}


def _copy(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[object, ...]],
) -> None:
    rows = list(rows)
    if not rows:
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - the only driver there is
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row([_storable(value) for value in row])


def _storable(value: object) -> object:
    return _as_stored(value) if isinstance(value, str) else value


def _as_stored(text: str) -> str:
    return text.replace(_NUL, "\ufffd")


def _checked(rows: Rows) -> Rows:
    """Refuses figures that would spoil every sum that they go into. SQLite does so by itself."""
    if not all(math.isfinite(x) for x in rows.figures if isinstance(x, float)):
        raise ValueError(f"a figure is not finite: {rows.figures}")
    return rows


def _patiently(connection: Connection) -> None:
    """Bounds how long what follows may take, and says that an append is under way."""
    connection.execute(
        text(
            "SELECT set_config('statement_timeout', :limit, true),"
            " set_config('idle_in_transaction_session_timeout', :limit, true),"
            " pg_advisory_xact_lock_shared(:lock)"
        ),
        {"limit": f"{STATEMENT_S}s", "lock": _APPENDING},
    )


def _settled(engine: Engine) -> dict[str, int]:
    """The last row of each table up to which no append is under way.

    Rows get their numbers before they are seen, and not in the order in which they are seen.
    """
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT set_config('lock_timeout', :limit, true),"
                " set_config('idle_in_transaction_session_timeout', '5s', true)"
            ),
            {"limit": f"{int(LOCK_S * 1000)}ms"},
        )
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPENDING})
        return {
            table: connection.execute(text(rollup.newest(table))).one()[1]
            for table in rollup.statements(rollup.POSTGRESQL)
        }


def _answers(engine: Engine) -> bool:
    """Whether the server can be reached, so that waiting would not help."""
    try:
        with engine.connect():
            return True
    except DBAPIError:
        return False
