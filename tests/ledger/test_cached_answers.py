"""Answers that were given again: told apart from all that models were asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tierwise.ledger import Ledger, report
from tierwise.ledger.pages import Asked, saving, totals
from tierwise.ledger.reading import reading
from tierwise.types import CACHE, Record

MakeRecord = Callable[..., Record]


def again(make_record: MakeRecord, **fields: Any) -> Record:
    """An answer out of the cache, which had cost 0.004 USD when it was made."""
    return make_record(
        attempts=(), deployment=CACHE, cost_usd=0.0, reference_cost_usd=0.004, **fields
    )


def kept(place: str, records: list[Record]) -> None:
    with Ledger(place) as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]


def test_a_report_tells_what_the_cache_saved_apart(make_record: MakeRecord, place: str) -> None:
    asked = [make_record(), make_record()]
    kept(place, asked)
    before = report(place, now=100.0)
    with Ledger(place) as ledger:
        for _ in range(3):
            ledger.record(lambda: again(make_record))
    after = report(place, now=100.0)
    assert (after.cache_hits, round(after.cache_saved_usd, 9)) == (3, 0.012)
    assert (before.cache_hits, before.cache_saved_usd) == (0, 0.0)
    for name in ("requests", "ok", "cost_usd", "reference_cost_usd", "saving", "small_share"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.by_deployment == before.by_deployment


def test_pages_take_hits_for_no_saving_of_routing(make_record: MakeRecord, place: str) -> None:
    kept(place, [make_record(), again(make_record)])
    with reading(place) as connection:
        assert saving(connection, Asked()).requests == 1
        hits = saving(connection, Asked(cache=True))
        (total,) = totals(connection, Asked(cache=False))
    assert (hits.requests, round(hits.usd, 9)) == (1, 0.004)
    assert total.requests == 1
