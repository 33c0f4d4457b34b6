"""The overview: spend is spend, whatever it was spent on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pytest

from pages import Person
from tenants import Tenants
from tierwise.accounts.types import Actor
from tierwise.dashboard.face import Visitor
from tierwise.dashboard.login import ANYBODY
from tierwise.dashboard.overview import Overview, overview
from tierwise.dashboard.periods import PERIODS
from tierwise.ledger import EMBEDDINGS, Aside, Ledger
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.reading import reading
from tierwise.types import Owner, Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0
NOW = 20_000 * 86_400 + 50_000.0


def embedding(name: str, at: float, org: str, cost_usd: float = 0.25) -> Aside:
    return Aside(
        id=name, at=at, kind=EMBEDDINGS, asked="vectors", status="ok", latency_s=0.1,
        provider="near", model="vectors", deployment="near/vectors", cost_usd=cost_usd,
        input_tokens=1000, owner=Owner(key=f"key-{org}", org=org),
    )  # fmt: skip


def passed(name: str, at: float, cost_usd: float | None) -> Aside:
    return Aside(
        id=name, at=at, kind="images", asked="POST images", status="error", latency_s=0.1,
        provider="acme", cost_usd=cost_usd, error="Timeout: late", owner=Owner(org="ours"),
    )  # fmt: skip


@pytest.fixture(params=["fresh", "added up"])
def spent(place: str, make_record: MakeRecord, request: pytest.FixtureRequest) -> str:
    """Two answers for 1 USD each; embeddings for 0.50, of which half is theirs; two images."""
    with Ledger(place) as ledger:
        for org, at in (("ours", NOW - 100), ("theirs", NOW - 40_000)):
            owner = Owner(key=f"key-{org}", org=org)
            one = make_record(at=at, cost_usd=1.0, reference_cost_usd=3.0, owner=owner)
            ledger.record(lambda one=one: one)  # type: ignore[misc]
            ledger.noted(embedding(f"e-{org}", at, org))
        ledger.noted(passed("p1", NOW - 200, None))
        ledger.noted(passed("p2", NOW - 300, 0.125))
        assert ledger.flush(PATIENCE_S)
    if request.param == "added up":
        catch_up(place)
    return place


def seen(place: str, period: str, org: str | None = None) -> Overview:
    visitor = ANYBODY
    if org is not None:
        visitor = Visitor(actor=Actor(name="it", org=org, role="admin"), tenants=True)
    with reading(place) as connection:
        return overview(connection, visitor, PERIODS[period], NOW)


@pytest.mark.parametrize("period", ["24h", "7d", "90d"])
def test_all_that_was_spent_is_in_the_total_and_in_the_chart(spent: str, period: str) -> None:
    found = seen(spent, period)
    assert found.requests == 2
    assert (found.spent_usd, found.beside_usd) == (2.625, 0.625)
    assert found.reference_usd == 6.625  # they are their own
    assert math.fsum(slot.spent for slot in found.slots) == 2.625
    assert math.fsum(slot.reference for slot in found.slots) == 6.625
    assert sum(slot.requests for slot in found.slots) == 6


def test_a_chart_of_hours_tells_hours_and_one_of_days_days(spent: str) -> None:
    assert seen(spent, "24h").slots[-1].label == "13:00"
    assert seen(spent, "7d").slots[-1].label == "Oct 4"


def test_embeddings_and_what_was_passed_through_are_told_apart(spent: str) -> None:
    vectors, images = seen(spent, "24h").beside
    assert (vectors.name, vectors.requests, vectors.tokens) == ("embeddings · vectors", 2, 2000)
    assert (vectors.failed, vectors.unpriced) == (0, 0)
    assert (images.name, images.requests, images.failed) == ("images · acme", 2, 2)
    assert (images.cost_usd, images.unpriced) == (0.125, 1)


def test_nothing_is_saved_on_them(spent: str) -> None:
    found = seen(spent, "24h").saving
    assert (found.requests, found.usd) == (2, 4.0)


@pytest.mark.parametrize("period", ["1h", "24h", "7d"])
def test_an_organisation_sees_what_it_spent_itself(spent: str, period: str) -> None:
    found = seen(spent, period, "ours")
    assert (found.requests, found.spent_usd) == (1, 1.375)
    assert math.fsum(slot.spent for slot in found.slots) == 1.375
    theirs = seen(spent, period, "theirs")
    assert theirs.spent_usd == (0.0 if period == "1h" else 1.25)
    assert all(one.name != "images · acme" for one in theirs.beside)


def test_the_page_says_so_to_those_whose_they_are(people: dict[str, Person], both: Tenants) -> None:
    ledger = both.gateway.application._orchestrator.ledger
    ledger.noted(embedding("e-page", time.time(), both.ours.id, cost_usd=12.5))
    assert ledger.flush(PATIENCE_S)
    for role in ("operator", "admin", "viewer"):
        text = people[role].get("/?period=1h").text
        assert "embeddings · vectors" in text
        assert "$12.50 of it" in text
    for role in ("member", "alien"):
        assert "embeddings · vectors" not in people[role].get("/?period=1h").text


def test_a_page_with_nothing_but_embeddings_is_not_empty(place: str) -> None:
    with Ledger(place) as ledger:
        ledger.noted(embedding("e", NOW - 10, "ours"))
        assert ledger.flush(PATIENCE_S)
    found = seen(place, "24h")
    assert (found.requests, found.spent_usd, found.latency_s) == (0, 0.25, None)
    assert found.quality.expected is None
