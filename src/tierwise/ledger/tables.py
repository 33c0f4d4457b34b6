"""The tables of the ledger, the same in SQLite and PostgreSQL.

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
                source counts; `asked_at`, `shape`, `checks` and `owner` are the request's, and are
                filled in when rows are added up
    asides      requests that are for no answer: embeddings, whose calls are in `attempts`, and what
                was passed through to a provider; NULL where nobody knows what it cost;
                `guardrails` is a JSON array of what those said, NULL for nothing
    owners      whose requests were, each combination once; `tags` is a JSON array, '' for none. One
                with nothing but an organisation stands for the whole of it in what is added up.
                NULL in `requests` where nobody had to say who they are, and before version 4; in
                `asides` also before version 5

What follows is added up from the rows above, some time after they were written: `marks` says up to
which `seq`, so whoever reads adds the rows after that (see `rollup` and `figures`).

    hourly      the figures of all requests of an hour that are alike, once by shape and checks,
                once by owner, and once by shape and organisation (see `rollup.Part`); 0 stands for
                none
    daily       the same of a day (UTC), and by shape and owner together
    hourly_calls   the rows of `attempts` of an hour that are alike
    hourly_times   how many ok requests of an hour took how long: `measure` is `latency` or `ttft`,
                `bucket` a bucket of `histogram`
    hourly_asides  the rows of `asides` of an hour that are alike; '' stands for NULL, and
                `unknown_cost` counts those of which nobody knows what they cost
    daily_asides   the same of a day (UTC), by owner, too
    marks       `requests`, `attempts`, `feedback`, `asides`: the last `seq` that is added up;
                `pruned`: the hour before which rows may be missing, so that only what is added up
                tells of them; `pruning`: the Unix time from which on old rows may be taken out by
                whoever comes first (see `tending`)
    writers     the last batch of each process that writes to PostgreSQL, by which it finds out
                whether a commit went through whose answer was lost; empty in SQLite

In `shapes` and `owners`, '' and -1 stand for "none", because NULLs are never equal and a UNIQUE
index would let the same row in twice. Money is USD, times are seconds, `at`, `hour` and `day` are
Unix times; `..._squares` are sums of squares, and a saving is reference cost less cost.
"""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

from tierwise.ledger.schema import ASIDE_LABELS, OWNER_COLUMNS, SHAPE_COLUMNS
from tierwise.storage.metadata import metadata

BIG: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
REAL_NUMBER: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
NAME: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, as SQLite does, so that an index finds what begins with something."""


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _big(name: str) -> Column[int]:
    return Column(name, BIG, nullable=False)


def _real(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, REAL_NUMBER, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


shapes = Table(
    "shapes",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("status"),
    _text("policy"),
    _text("model"),
    _text("deployment"),
    _number("tier"),
    _text("kind"),
    _text("domain"),
    _number("small"),
    _number("plain"),
    _number("escalated"),
    _number("failovers"),
    _text("error"),
    UniqueConstraint(*SHAPE_COLUMNS, name="shapes_once"),
)

owners = Table(
    "owners",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("key"),
    _text("user"),
    _text("team"),
    _text("org"),
    _text("tags"),
    UniqueConstraint(*OWNER_COLUMNS, name="owners_once"),
)

checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("said"),
    UniqueConstraint("said", name="checks_once"),
)

bundles = Table(
    "bundles",
    metadata,
    Column("id", BIG, primary_key=True),
    _text("codec"),
    Column("records", LargeBinary, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("seq", BIG, primary_key=True),
    Column("id", NAME, nullable=False),
    _real("at"),
    _real("cost_usd"),
    _real("reference_cost_usd"),
    _real("wasted_usd"),
    _real("latency_s"),
    _real("ttft_s", nullable=True),
    _big("input_tokens"),
    _big("output_tokens"),
    _big("cached_input_tokens"),
    _big("cache_write_tokens"),
    Column("shape", ForeignKey("shapes.id"), nullable=False),
    Column("bundle", BIG, ForeignKey("bundles.id"), nullable=False),
    _number("slot"),
    Column("checks", ForeignKey("checks.id")),
    Column("owner", ForeignKey("owners.id")),
    Index("requests_by_id", "id"),
    Index("requests_by_time", "at"),
)
# SQLite does without: each costs every append, and its ledgers are small enough to look through.
Index("requests_by_shape", requests.c.shape, requests.c.at).ddl_if(dialect="postgresql")
Index("requests_by_owner", requests.c.owner, requests.c.at).ddl_if(dialect="postgresql")
Index("requests_by_bundle", requests.c.bundle).ddl_if(dialect="postgresql")

attempts = Table(
    "attempts",
    metadata,
    Column("seq", BIG, primary_key=True),
    Column("request_id", NAME, nullable=False),
    _number("idx"),
    _real("at"),
    _text("deployment"),
    _text("model"),
    _number("tier"),
    _text("outcome"),
    Column("status", Integer),
    _real("cost_usd"),
    _big("input_tokens"),
    _big("output_tokens"),
    _real("latency_s"),
    _real("ttft_s", nullable=True),
    _text("error", nullable=True),
    _text("gate", nullable=True),
    Column("checks", ForeignKey("checks.id")),
    Index("attempts_by_time", "at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", BIG, primary_key=True),
    Column("request_id", NAME, nullable=False),
    _real("at"),
    _text("source"),
    _real("score"),
    _text("label", nullable=True),
    _text("comment", nullable=True),
    _text("caller", nullable=True),
    _real("asked_at", nullable=True),
    Column("shape", ForeignKey("shapes.id")),
    Column("checks", ForeignKey("checks.id")),
    Column("owner", ForeignKey("owners.id")),
    Index("feedback_by_request", "request_id"),
)

asides = Table(
    "asides",
    metadata,
    Column("seq", BIG, primary_key=True),
    Column("id", NAME, nullable=False),
    _real("at"),
    _text("kind"),
    _text("asked"),
    _text("status"),
    _real("latency_s"),
    _text("caller", nullable=True),
    _text("provider", nullable=True),
    _text("model", nullable=True),
    _text("deployment", nullable=True),
    Column("code", Integer),
    _real("cost_usd", nullable=True),
    Column("input_tokens", BIG),
    Column("output_tokens", BIG),
    _number("failovers"),
    _text("error_kind"),
    _text("error", nullable=True),
    Column("owner", ForeignKey("owners.id")),
    _text("guardrails", nullable=True),
    Index("asides_by_id", "id"),
    Index("asides_by_time", "at"),
)
Index("asides_by_owner", asides.c.owner, asides.c.at).ddl_if(dialect="postgresql")


def _rollup(name: str, time: str) -> Table:
    return Table(
        name,
        metadata,
        Column("part", Integer, primary_key=True, autoincrement=False),
        Column(time, BIG, primary_key=True, autoincrement=False),
        Column("shape", Integer, primary_key=True, autoincrement=False),
        Column("owner", Integer, primary_key=True, autoincrement=False),
        Column("checks", Integer, primary_key=True, autoincrement=False),
        _big("requests"),
        _real("cost_usd"),
        _real("cost_squares"),
        _real("reference_cost_usd"),
        _real("reference_squares"),
        _real("saving_squares"),
        _real("wasted_usd"),
        _big("input_tokens"),
        _big("output_tokens"),
        _big("cached_input_tokens"),
        _big("cache_write_tokens"),
        _real("latency_s"),
        _real("latency_squares"),
        sqlite_with_rowid=False,
    )


hourly = _rollup("hourly", "hour")
daily = _rollup("daily", "day")
Index("daily_by_owner", daily.c.owner, daily.c.day).ddl_if(dialect="postgresql")

hourly_calls = Table(
    "hourly_calls",
    metadata,
    Column("hour", BIG, primary_key=True, autoincrement=False),
    Column("deployment", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("gate", Text, primary_key=True),
    Column("checks", Integer, primary_key=True, autoincrement=False),
    _big("calls"),
    _real("cost_usd"),
    sqlite_with_rowid=False,
)

hourly_times = Table(
    "hourly_times",
    metadata,
    Column("hour", BIG, primary_key=True, autoincrement=False),
    Column("measure", Text, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    _big("requests"),
    sqlite_with_rowid=False,
)


def _aside_sums(name: str, time: str, *whose: Column[int]) -> Table:
    return Table(
        name,
        metadata,
        Column(time, BIG, primary_key=True, autoincrement=False),
        *whose,
        *(Column(one, Text, primary_key=True) for one in ASIDE_LABELS[:5]),
        Column("failovers", Integer, primary_key=True, autoincrement=False),
        Column("error_kind", Text, primary_key=True),
        _big("requests"),
        _real("cost_usd"),
        _big("unknown_cost"),
        _big("input_tokens"),
        _big("output_tokens"),
        sqlite_with_rowid=False,
    )


hourly_asides = _aside_sums("hourly_asides", "hour")
daily_asides = _aside_sums(
    "daily_asides", "day", Column("owner", Integer, primary_key=True, autoincrement=False)
)
Index("daily_asides_by_owner", daily_asides.c.owner, daily_asides.c.day).ddl_if(
    dialect="postgresql"
)

marks = Table(
    "marks",
    metadata,
    Column("name", Text, primary_key=True),
    _big("value"),
    sqlite_with_rowid=False,
)

writers = Table(
    "writers",
    metadata,
    Column("writer", Text, primary_key=True),
    _big("batch"),
    _real("at"),
    sqlite_with_rowid=False,
)
