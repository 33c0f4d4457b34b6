"""The tables of the ledger, and how older ledgers become newer ones.

    requests    one row a request: the figures that reports add up, and where its record lies
    shapes      the labels of a request (model, tier, kind, ...), each combination once: a ledger
                of millions of requests has some hundreds of shapes, so a row of `requests` stays
                short, and a report groups by one integer
    attempts    the calls behind a request, only where they say more than `requests` does: a single
                accepted call that bears the whole cost (`shapes.plain` = 1) has no row here
    bundles     the complete records, some dozens together, as one MessagePack array each
    checks      what the gates said of an answer, each combination once, as in `shapes`: `requests`
                points to what they said of the answer that the client got, `attempts` to what
                they said of that attempt's; NULL where nobody judged, and before version 2
    feedback    how good answers were, as somebody said later; all is kept, and the latest of each
                source counts
    asides      requests that are for no answer: embeddings, whose calls are in `attempts`, and what
                was passed through to a provider; NULL where nobody knows what it cost

In `shapes`, '' and -1 stand for "none", because NULLs are never equal and a UNIQUE index would
let the same shape in twice. Money is USD, times are seconds, `at` is Unix time.
"""

from __future__ import annotations

import sqlite3

from tierwise.errors import ConfigError

APPLICATION_ID = 0x7469_6572
"""Marks a SQLite file as a ledger ("tier" in ASCII)."""

SHAPE_COLUMNS = (
    "status",
    "policy",
    "model",
    "deployment",
    "tier",
    "kind",
    "domain",
    "small",
    "plain",
    "escalated",
    "failovers",
    "error",
)
REQUEST_COLUMNS = (
    "id",
    "at",
    "cost_usd",
    "reference_cost_usd",
    "wasted_usd",
    "latency_s",
    "ttft_s",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "shape",
    "bundle",
    "slot",
    "checks",
)
ATTEMPT_COLUMNS = (
    "request_id",
    "idx",
    "at",
    "deployment",
    "model",
    "tier",
    "outcome",
    "status",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_s",
    "ttft_s",
    "error",
    "gate",
    "checks",
)
FEEDBACK_COLUMNS = ("request_id", "at", "source", "score", "label", "comment", "caller")
ASIDE_COLUMNS = (
    "id",
    "at",
    "kind",
    "asked",
    "status",
    "latency_s",
    "caller",
    "provider",
    "model",
    "deployment",
    "code",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "failovers",
    "error_kind",
    "error",
)

_VERSION_1 = (
    """
    CREATE TABLE shapes (
        id INTEGER PRIMARY KEY,
        status TEXT NOT NULL,
        policy TEXT NOT NULL,
        model TEXT NOT NULL,
        deployment TEXT NOT NULL,
        tier INTEGER NOT NULL,
        kind TEXT NOT NULL,
        domain TEXT NOT NULL,
        small INTEGER NOT NULL,
        plain INTEGER NOT NULL,
        escalated INTEGER NOT NULL,
        failovers INTEGER NOT NULL,
        error TEXT NOT NULL,
        UNIQUE (status, policy, model, deployment, tier, kind, domain,
                small, plain, escalated, failovers, error)
    )
    """,
    """
    CREATE TABLE bundles (
        id INTEGER PRIMARY KEY,
        codec TEXT NOT NULL,
        records BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE requests (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        at REAL NOT NULL,
        cost_usd REAL NOT NULL,
        reference_cost_usd REAL NOT NULL,
        wasted_usd REAL NOT NULL,
        latency_s REAL NOT NULL,
        ttft_s REAL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL,
        shape INTEGER NOT NULL REFERENCES shapes (id),
        bundle INTEGER NOT NULL REFERENCES bundles (id),
        slot INTEGER NOT NULL
    )
    """,
    "CREATE INDEX requests_by_id ON requests (id)",
    "CREATE INDEX requests_by_time ON requests (at)",
    """
    CREATE TABLE attempts (
        request_id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        at REAL NOT NULL,
        deployment TEXT NOT NULL,
        model TEXT NOT NULL,
        tier INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        status INTEGER,
        cost_usd REAL NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        latency_s REAL NOT NULL,
        ttft_s REAL,
        error TEXT
    )
    """,
    "CREATE INDEX attempts_by_time ON attempts (at)",
)

_VERSION_2 = (
    """
    CREATE TABLE feedback (
        seq INTEGER PRIMARY KEY,
        request_id TEXT NOT NULL,
        at REAL NOT NULL,
        source TEXT NOT NULL,
        score REAL NOT NULL,
        label TEXT,
        comment TEXT,
        caller TEXT
    )
    """,
    "CREATE INDEX feedback_by_request ON feedback (request_id)",
    "CREATE TABLE checks (id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE)",
    # SQLite adds such columns without rewriting a row, however many there are.
    "ALTER TABLE requests ADD COLUMN checks INTEGER REFERENCES checks (id)",
    "ALTER TABLE attempts ADD COLUMN gate TEXT",
    "ALTER TABLE attempts ADD COLUMN checks INTEGER REFERENCES checks (id)",
)

_VERSION_3 = (
    """
    CREATE TABLE asides (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        asked TEXT NOT NULL,
        status TEXT NOT NULL,
        latency_s REAL NOT NULL,
        caller TEXT,
        provider TEXT,
        model TEXT,
        deployment TEXT,
        code INTEGER,
        cost_usd REAL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        failovers INTEGER NOT NULL,
        error_kind TEXT NOT NULL,
        error TEXT
    )
    """,
    "CREATE INDEX asides_by_id ON asides (id)",
    "CREATE INDEX asides_by_time ON asides (at)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2, _VERSION_3)
"""`MIGRATIONS[n]` takes a ledger from version n to n + 1. Append; never edit what was released."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Creates the tables, or brings an older ledger up to this version.

    Raises:
        ConfigError: the ledger is newer than this version, or the database is something else.
        sqlite3.Error: the database cannot be written.
    """
    # A current ledger is recognised without a lock, so that many processes may start at once.
    if check_version(connection, path) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[check_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_version(connection: sqlite3.Connection, path: str) -> int:
    """The version of a ledger; 0 for an empty database.

    Raises:
        ConfigError: the ledger is newer than this version, or the database is something else.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables or version or application:
            raise ConfigError(
                f"{path} is a database of another program",
                field="ledger.path",
                remedy="Name a file of its own; Tierwise creates it.",
            )
    if version > VERSION:
        raise ConfigError(
            f"{path} is a ledger of version {version}, and this Tierwise knows up to {VERSION}",
            field="ledger.path",
            remedy="Upgrade Tierwise, or name another file.",
        )
    return version
