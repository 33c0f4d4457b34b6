"""The steps by which a ledger in SQLite comes about, without SQLAlchemy or alembic.

A plain `tierwise serve` needs neither: both together take longer to import than all the rest. The
migrations in `migrations/versions` take the same steps, so whichever comes first, the other finds
them done: SQLite's own `user_version` says which. `ledger.tables` says what the tables mean.
"""

from __future__ import annotations

import math
import sqlite3

from tierwise.errors import ConfigError

APPLICATION_ID = 0x7469_6572
"""Marks a SQLite file as a ledger ("tier" in ASCII)."""

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

_ROLLUP_FIGURES = """
        requests INTEGER NOT NULL,
        cost_usd REAL NOT NULL,
        cost_squares REAL NOT NULL,
        reference_cost_usd REAL NOT NULL,
        reference_squares REAL NOT NULL,
        saving_squares REAL NOT NULL,
        wasted_usd REAL NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL,
        latency_s REAL NOT NULL,
        latency_squares REAL NOT NULL,"""

_VERSION_4 = (
    """
    CREATE TABLE owners (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        "user" TEXT NOT NULL,
        team TEXT NOT NULL,
        org TEXT NOT NULL,
        tags TEXT NOT NULL,
        UNIQUE (key, "user", team, org, tags)
    )
    """,
    "ALTER TABLE requests ADD COLUMN owner INTEGER REFERENCES owners (id)",
    # Copied from the request some time later, so that nobody has to look each of them up.
    "ALTER TABLE feedback ADD COLUMN asked_at REAL",
    "ALTER TABLE feedback ADD COLUMN shape INTEGER REFERENCES shapes (id)",
    "ALTER TABLE feedback ADD COLUMN checks INTEGER REFERENCES checks (id)",
    # A number for each row, by which rollups know how far they came: SQLite cannot add one.
    "ALTER TABLE attempts RENAME TO attempts_before",
    """
    CREATE TABLE attempts (
        seq INTEGER PRIMARY KEY,
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
        error TEXT,
        gate TEXT,
        checks INTEGER REFERENCES checks (id)
    )
    """,
    """
    INSERT INTO attempts (request_id, idx, at, deployment, model, tier, outcome, status, cost_usd,
        input_tokens, output_tokens, latency_s, ttft_s, error, gate, checks)
    SELECT request_id, idx, at, deployment, model, tier, outcome, status, cost_usd,
        input_tokens, output_tokens, latency_s, ttft_s, error, gate, checks
    FROM attempts_before ORDER BY rowid
    """,
    "DROP TABLE attempts_before",
    "CREATE INDEX attempts_by_time ON attempts (at)",
    f"""
    CREATE TABLE hourly (
        part INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        shape INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        checks INTEGER NOT NULL,{_ROLLUP_FIGURES}
        PRIMARY KEY (part, hour, shape, owner, checks)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TABLE daily (
        part INTEGER NOT NULL,
        day INTEGER NOT NULL,
        shape INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        checks INTEGER NOT NULL,{_ROLLUP_FIGURES}
        PRIMARY KEY (part, day, shape, owner, checks)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE hourly_calls (
        hour INTEGER NOT NULL,
        deployment TEXT NOT NULL,
        outcome TEXT NOT NULL,
        gate TEXT NOT NULL,
        checks INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        cost_usd REAL NOT NULL,
        PRIMARY KEY (hour, deployment, outcome, gate, checks)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE hourly_times (
        hour INTEGER NOT NULL,
        measure TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        PRIMARY KEY (hour, measure, bucket)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE marks (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO marks (name, value) VALUES ('requests', 0), ('attempts', 0), ('feedback', 0),"
    " ('pruned', 0)",
    """
    CREATE TABLE writers (
        writer TEXT PRIMARY KEY NOT NULL,
        batch INTEGER NOT NULL,
        at REAL NOT NULL
    ) WITHOUT ROWID
    """,
)

_VERSION_5 = ("ALTER TABLE asides ADD COLUMN owner INTEGER REFERENCES owners (id)",)

_VERSION_6 = ("ALTER TABLE asides ADD COLUMN guardrails TEXT",)

OWNERS_OF_FEEDBACK = (
    "UPDATE feedback SET owner = (SELECT r.owner FROM requests AS r"
    " WHERE r.id = feedback.request_id ORDER BY r.seq DESC LIMIT 1) WHERE shape IS NOT NULL"
)
"""Whose answers were rated, of those whose other labels are there already; for migrations."""
_WHOLE = (
    "JOIN owners AS o ON o.id = owner AND o.org <> ''"
    " JOIN owners AS g ON g.key = '' AND g.\"user\" = '' AND g.team = '' AND g.org = o.org"
    " AND g.tags = ''"
)
_SUMMED = (
    *("requests", "cost_usd", "cost_squares", "reference_cost_usd", "reference_squares"),
    *("saving_squares", "wasted_usd", "input_tokens", "output_tokens", "cached_input_tokens"),
    *("cache_write_tokens", "latency_s", "latency_squares"),
)


def sums_of_organisations(hour: str) -> tuple[str, ...]:
    """Adds what is there up by whole organisations (`ledger.rollup.Part.ORGS`), for migrations.

    Days are added up from those by owner, also of rows that are gone; hours from rows.

    Args:
        hour: the beginning of a row's hour, in the database's words.
    """
    names = ", ".join(_SUMMED)
    saving = "(reference_cost_usd - cost_usd)"
    squares = {
        "requests": "count(*)",
        "cost_squares": "sum(cost_usd * cost_usd)",
        "reference_squares": "sum(reference_cost_usd * reference_cost_usd)",
        "saving_squares": f"sum({saving} * {saving})",
        "latency_squares": "sum(latency_s * latency_s)",
    }
    of_rows = ", ".join(squares.get(name, f"sum({name})") for name in _SUMMED)
    of_days = ", ".join(f"sum({name})" for name in _SUMMED)
    return (
        "INSERT INTO owners (key, \"user\", team, org, tags) SELECT DISTINCT '', '', '', org, ''"
        " FROM owners WHERE org <> '' ON CONFLICT DO NOTHING",
        f"INSERT INTO daily (part, day, shape, owner, checks, {names})"  # noqa: S608
        f" SELECT 3, day, shape, g.id, 0, {of_days} FROM daily {_WHOLE}"
        " WHERE part = 2 GROUP BY 2, 3, 4",
        f"INSERT INTO hourly (part, hour, shape, owner, checks, {names})"  # noqa: S608
        f" SELECT 3, {hour}, shape, g.id, 0, {of_rows} FROM requests {_WHOLE}"
        " WHERE seq <= (SELECT value FROM marks WHERE name = 'requests') GROUP BY 2, 3, 4",
    )


_ASIDE_SUMS = """
        kind TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        deployment TEXT NOT NULL,
        status TEXT NOT NULL,
        failovers INTEGER NOT NULL,
        error_kind TEXT NOT NULL,
        requests INTEGER NOT NULL,
        cost_usd REAL NOT NULL,
        unknown_cost INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,"""

_VERSION_7 = (
    f"""
    CREATE TABLE hourly_asides (
        hour INTEGER NOT NULL,{_ASIDE_SUMS}
        PRIMARY KEY (hour, kind, provider, model, deployment, status, failovers, error_kind)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TABLE daily_asides (
        day INTEGER NOT NULL,
        owner INTEGER NOT NULL,{_ASIDE_SUMS}
        PRIMARY KEY (day, owner, kind, provider, model, deployment, status, failovers, error_kind)
    ) WITHOUT ROWID
    """,
    "INSERT OR REPLACE INTO marks (name, value) VALUES ('asides', 0), ('pruning', 0)",
    "ALTER TABLE feedback ADD COLUMN owner INTEGER REFERENCES owners (id)",
    OWNERS_OF_FEEDBACK,
    *sums_of_organisations("CAST(at / 3600 AS INTEGER) * 3600"),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    _VERSION_5,
    _VERSION_6,
    _VERSION_7,
)
"""`MIGRATIONS[n]` takes a ledger from version n to n + 1. Append; never edit what was released."""

VERSION = len(MIGRATIONS)


_OTHER_TABLES = (
    "SELECT count(*) FROM sqlite_master"
    " WHERE name <> 'alembic_version' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"
)


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
        reach(connection, path, VERSION)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def give_logarithm(connection: sqlite3.Connection) -> None:
    """Gives SQLite the function `ln`, which some builds lack."""
    try:
        connection.execute("SELECT ln(1.0)")
    except sqlite3.OperationalError:
        connection.create_function("ln", 1, math.log, deterministic=True)


def reach(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Brings a ledger to a version, in the caller's transaction; a newer one stays as it is.

    Raises:
        ConfigError: the database is something else.
        sqlite3.Error: the database cannot be written.
    """
    for number in range(check_version(connection, path), version):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number + 1}")


def check_version(connection: sqlite3.Connection, path: str) -> int:
    """The version of a ledger; 0 for an empty database.

    Raises:
        ConfigError: the ledger is newer than this version, or the database is something else.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        tables = connection.execute(_OTHER_TABLES).fetchone()[0]
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
