"""Sums of requests for no answer say what their rows say, whatever the period and whoever asked."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from sqlalchemy import update

from tierwise.ledger import EMBEDDINGS, Aside, Ledger
from tierwise.ledger.aside_figures import read_beside
from tierwise.ledger.asked import Asked, owners_of
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.reading import reading
from tierwise.ledger.report import report
from tierwise.ledger.spent import LedgerSpending
from tierwise.ledger.tables import marks
from tierwise.storage import migrate
from tierwise.storage.engine import at_once, file_url, is_url, open_engine
from tierwise.types import Owner, Record

DAY_S, HOUR_S = 86_400, 3600
NOW = 20_000 * DAY_S + 4321.0
PATIENCE_S = 30.0
MakeRecord = Callable[..., Record]


def some() -> list[Aside]:
    """A hundred of the last four days, of three owners and of nobody."""
    dice = random.Random(7)
    made = []
    for number in range(100):
        passed = number % 4 == 0
        whose = number % 5
        made.append(
            Aside(
                id=f"a{number}",
                at=NOW - dice.random() * 4 * DAY_S,
                kind="images" if passed else EMBEDDINGS,
                asked="embed",
                status="error" if number % 10 == 3 else "ok",
                latency_s=0.1,
                provider="acme" if passed else "near",
                model=None if passed else "embed",
                cost_usd=None if passed else 0.001 * number,
                input_tokens=None if passed else number,
                error="Timeout: late" if number % 10 == 3 else None,
                owner=Owner(key=f"k{whose}", org=f"o{whose % 2}") if whose < 3 else None,
            )
        )
    return made


@pytest.fixture(params=["fresh", "added up", "half"])
def written(place: str, request: pytest.FixtureRequest) -> str:
    """They are in a ledger, and all, none or half of them are added up."""
    halves = [some()[:50], some()[50:]]
    for half, part in enumerate(halves):
        with Ledger(place) as ledger:
            for one in part:
                ledger.noted(one)
            assert ledger.flush(PATIENCE_S)
        if request.param == "added up" or (request.param == "half" and half == 0):
            catch_up(place)
    return place


@pytest.mark.parametrize("slot_s", [120, HOUR_S, DAY_S])
@pytest.mark.parametrize("org", [(), ("o1",), ("nobody",)])
@pytest.mark.parametrize("since", [NOW - 3.3 * DAY_S, NOW - 5000.0])
def test_every_slot_has_what_its_rows_add_up_to(
    written: str, slot_s: int, org: tuple[str, ...], since: float
) -> None:
    until = NOW - 700.0
    rows = [
        one
        for one in some()
        if since <= one.at <= until and (not org or (one.owner and one.owner.org in org))
    ]
    with reading(written) as connection:
        whose = owners_of(connection, Asked(org=org))
        found = read_beside(connection, (since, until), slot_s, whose)
    assert sum(one.requests for one in found) == len(rows)
    assert sum(one.unknown_cost for one in found) == sum(one.cost_usd is None for one in rows)
    for slot in {math.floor(one.at / slot_s) * slot_s for one in rows}:
        expected = math.fsum(one.cost_usd or 0.0 for one in rows if slot <= one.at < slot + slot_s)
        mine = math.fsum(one.cost_usd for one in found if one.at == slot)
        assert mine == pytest.approx(expected)


def test_a_report_says_the_same_before_and_after_they_are_added_up(written: str) -> None:
    found = report(written, since_s=2.7 * DAY_S, now=NOW)
    rows = [one for one in some() if one.at >= NOW - 2.7 * DAY_S]
    embeddings = [one for one in rows if one.kind == EMBEDDINGS]
    assert found.requests == len(embeddings)
    assert found.cost_usd == pytest.approx(math.fsum(one.cost_usd or 0.0 for one in embeddings))
    assert found.errors_by_kind == {"Timeout": sum(one.error is not None for one in embeddings)}
    assert found.passed["acme/images"].unknown_cost == len(rows) - len(embeddings)


def test_budgets_know_of_them_before_and_after_they_are_added_up(written: str) -> None:
    url = written if is_url(written) else file_url(written)
    migrate.upgrade(url)
    engine = open_engine(url)
    since = NOW // DAY_S * DAY_S - DAY_S
    expected = math.fsum(
        one.cost_usd or 0.0
        for one in some()
        if one.owner is not None and one.owner.key == "k1" and one.at >= since
    )
    assert expected > 0
    assert LedgerSpending(engine)("key", "k1", since) == pytest.approx(expected)
    engine.dispose()


def test_one_without_an_owner_is_no_part_of_the_only_organisation(
    place: str, make_record: MakeRecord
) -> None:
    with Ledger(place) as ledger:
        ledger.noted(some()[1])  # of the one organisation that there is
        ledger.noted(some()[3])  # nobody's
        assert ledger.flush(PATIENCE_S)
    for _ in range(2):
        with reading(place) as connection:
            whose = owners_of(connection, Asked(org=("o1",)))
            found = read_beside(connection, (0.0, NOW), DAY_S, whose)
        assert sum(one.requests for one in found) == 1
        catch_up(place)


def test_rows_of_before_they_were_added_up_are_added_up_once(written: str) -> None:
    """As after a migration: nothing is added up, and all rows are there."""
    url = written if is_url(written) else file_url(written)
    before = report(written, now=NOW)
    engine = open_engine(url)
    with at_once(engine) as connection:
        for table in ("hourly_asides", "daily_asides"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
        connection.execute(update(marks).where(marks.c.name == "asides").values(value=0))
    engine.dispose()
    catch_up(written)
    catch_up(written)
    after = report(written, now=NOW)
    assert (after.requests, after.passed) == (before.requests, before.passed)
    assert after.cost_usd == pytest.approx(before.cost_usd)
