"""Fills a database with the requests of a month.

The rows are made within the database, a day at a time. What they look like decides what is
measured, so it is no kinder than life: nights and days, 240 shapes and 200 owners of which few are
frequent, one request in ten with two rows in `attempts`, one in a hundred rated, one in ten beside
them for no answer. Records of the newest week are those that a gateway wrote of its own requests,
repeated; those of older ones are left out, since no page reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, Engine, func, insert, select, text

from tierwise.accounts.types import Key
from tierwise.ledger import bundles as packed
from tierwise.ledger import lookup, tables
from tierwise.ledger.schema import SHAPE_COLUMNS

DAY_S = 86_400
DAYS = 30
KEPT_S = 7 * DAY_S
"""Of the requests of so many seconds until now there are records."""
MODELS = ("sim-small", "sim-medium", "sim-large", "sim-code", "sim-nano")
"""Of the simulated line-up, from the most frequent on."""
_KINDS = ("chat", "qa", "code", "extraction", "summarisation", "translation")
_OUTCOMES = (("ok", 1, 1, 0, 0), ("ok", 0, 2, 1, 0), ("ok", 0, 1, 0, 1), ("error", 0, -1, 0, 2))
_SHORT_S = 60.0
"""Less than this is not topped up."""

Say = Callable[[str], None]


def an_id(engine: Engine, at: float) -> str:
    """The id of a request that was asked about then."""
    c = tables.requests.c
    with engine.connect() as connection:
        return str(connection.scalar(select(c.id).where(c.at >= at).order_by(c.at).limit(1)))


def is_empty(engine: Engine) -> bool:
    """Whether there is no request yet."""
    with engine.connect() as connection:
        return connection.scalar(select(func.max(tables.requests.c.seq))) is None


def label(engine: Engine, keys: Sequence[Key]) -> None:
    """Writes the labels that all rows share: shapes, what gates said, and whose requests are."""
    said = '[1,"accepted",{"complete":true,"json_schema":true},[]]'
    bad = '[1,"rejected",{"complete":false,"json_schema":true},[]]'
    with engine.begin() as connection:
        connection.execute(insert(tables.shapes), list(_shapes()))
        connection.execute(insert(tables.checks), [{"said": said}, {"said": bad}])
        owners = [
            {"key": k.id, "user": k.user or "", "team": k.team or "", "org": k.org, "tags": ""}
            for k in keys
        ]
        connection.execute(insert(tables.owners), owners)


def fill(engine: Engine, rows: int, until: float, say: Say) -> None:
    """Writes so many requests of the days until a Unix time; some must be there already."""
    each = rows // DAYS
    for day in range(DAYS):
        say(f"Day {day + 1} of {DAYS}: {each:,} requests.")
        begin = until - (DAYS - day) * DAY_S
        with engine.begin() as connection:
            _write(connection, each, begin, DAY_S, kept=begin >= until - KEPT_S)


def top_up(engine: Engine, rows: int, until: float, say: Say) -> None:
    """Writes what has come, at the same rate, since a database was filled."""
    with engine.connect() as connection:
        begin = connection.scalar(select(func.max(tables.requests.c.at)))
    each = int(rows * (until - (begin or until)) / (DAYS * DAY_S))
    if begin is None or until - begin < _SHORT_S or not each:
        return
    say(f"Since it was filled: {each:,} requests.")
    with engine.begin() as connection:
        _write(connection, each, begin, until - begin, kept=True)


def _write(connection: Connection, rows: int, begin: float, seconds: float, *, kept: bool) -> None:
    # Its rows refer to what is there; checking forty million times would take the longest.
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("CREATE TEMP TABLE models_of (number int, codec text, records bytea)"))
    found = _bundles(connection) if kept else [(packed.PLAIN, b"\x90")]
    connection.execute(
        text("INSERT INTO models_of VALUES (:number, :codec, :records)"),
        [{"number": n, "codec": one[0], "records": one[1]} for n, one in enumerate(found)],
    )
    given = {"rows": rows, "begin": begin, "seconds": seconds, "several": len(found)}
    # Of less than a day nobody knows whether it is a night.
    given["swing"] = 0.06 if seconds == DAY_S else 0.0
    for statement in _STATEMENTS:
        connection.execute(text(statement), given)
    connection.execute(text("DROP TABLE models_of"))


def _bundles(connection: Connection) -> list[tuple[str, bytes]]:
    """The records that a gateway has written, in full bundles."""
    places = lookup.page(connection, since=0.0, before=None, limit=4 * packed.MAX_RECORDS)
    records = [record for _, record in places if record is not None]
    groups = [one for one in packed.bundled(records) if len(one) == packed.MAX_RECORDS]
    return [packed.pack(group, compress=True) for group in groups]


def _shapes() -> Iterator[dict[str, object]]:
    """The frequent ones come first."""
    for status, plain, tier, escalated, failovers in _OUTCOMES:
        for model in MODELS:
            for kind in _KINDS:
                for policy in ("auto", "economy"):
                    values = (
                        *(status, policy, model, f"near/{model}", tier, kind, "general"),
                        *(int(model != "sim-large"), plain, escalated, failovers),
                        "AllPathsFailed" if status == "error" else "",
                    )
                    yield dict(zip(SHAPE_COLUMNS, values, strict=True))


_STATEMENTS = (
    """
    INSERT INTO bundles (codec, records)
    SELECT codec, records
    FROM generate_series(1, :rows / 64 + 1) AS n JOIN models_of ON number = n % :several
    """,
    # The cube of a random number is small most of the time: few shapes and owners are frequent.
    # By night there is less to do than by day.
    """
    INSERT INTO requests (id, at, cost_usd, reference_cost_usd, wasted_usd, latency_s, ttft_s,
        input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, shape, bundle, slot,
        checks, owner)
    SELECT md5(:begin || '-' || n) || '00000000000',
        :begin + :seconds * (n::float8 / :rows + :swing * sin(6.2832 * n / :rows)),
        cost, cost * (1 + 9 * random()), 0, exp(random() * 5 - 2), exp(random() * 3 - 2),
        (random() * 2000)::int, (random() * 500)::int, 0, 0, shape,
        (SELECT max(id) FROM bundles) - (:rows - n) / 64, n % 64,
        CASE WHEN shape % 3 = 0 THEN 1 END, 1 + floor(power(random(), 3) * 200)::int
    FROM (
        SELECT n, 0.00001 + 0.01 * power(random(), 4) AS cost,
            1 + floor(power(random(), 3) * 240)::int AS shape
        FROM generate_series(1, :rows) AS n
    ) AS made
    ORDER BY n
    """,
    """
    INSERT INTO attempts (request_id, idx, at, deployment, model, tier, outcome, status, cost_usd,
        input_tokens, output_tokens, latency_s, checks)
    SELECT id, idx, at, 'near/sim-small', 'sim-small', 1 + idx,
        CASE WHEN idx = 1 THEN 'accepted' WHEN shape % 2 = 0 THEN 'rejected' ELSE 'timeout' END,
        200, cost_usd / 2, input_tokens, output_tokens, latency_s, 1 + idx
    FROM requests, generate_series(0, 1) AS idx
    WHERE seq > (SELECT max(seq) FROM requests) - :rows AND slot % 10 = 0
    """,
    """
    INSERT INTO feedback (request_id, at, source, score)
    SELECT id, at + 60, 'user', (slot / 64.0) FROM requests
    WHERE seq > (SELECT max(seq) FROM requests) - :rows AND seq % 100 = 0
    """,
    # Nine of ten for embeddings, the others passed through.
    """
    INSERT INTO asides (id, at, kind, asked, status, latency_s, provider, model, deployment, code,
        cost_usd, input_tokens, failovers, error_kind, owner)
    SELECT 'a' || id, at, CASE WHEN passed THEN 'images' ELSE 'embeddings' END,
        CASE WHEN passed THEN 'POST images/generations' ELSE 'embed' END,
        CASE WHEN seq % 500 = 0 THEN 'error' ELSE 'ok' END, latency_s, 'near',
        CASE WHEN passed THEN NULL ELSE 'sim-embed' END,
        CASE WHEN passed THEN NULL ELSE 'near/sim-embed' END, 200,
        CASE WHEN passed THEN NULL ELSE cost_usd / 10 END,
        CASE WHEN passed THEN NULL ELSE input_tokens END, 0,
        CASE WHEN seq % 500 = 0 THEN 'Timeout' ELSE '' END, owner
    FROM (SELECT *, seq % 100 = 0 AS passed FROM requests) AS asked
    WHERE seq > (SELECT max(seq) FROM requests) - :rows AND seq % 10 = 0
    """,
)
