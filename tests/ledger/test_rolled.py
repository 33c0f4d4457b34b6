"""Figures are the same, however much of them was added up before, and on whatever border."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from builders import a_decision, a_record
from tierwise.ledger import Feedback, Ledger, histogram, report
from tierwise.ledger.pages import Asked, saving, search, totals
from tierwise.ledger.reading import reading
from tierwise.types import Attempt, Owner, Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0
HOUR_S, DAY_S = 3600, 86_400
BEGIN = 20_000 * DAY_S + 5 * HOUR_S + 1234.5
SPANS = [
    (None, 5 * DAY_S),
    (0.0, 4 * DAY_S),
    (HOUR_S / 2, HOUR_S),
    (0.7 * DAY_S, 0.7 * DAY_S + 60),
    (1.25 * DAY_S, 3.5 * DAY_S + 17),
    (DAY_S, 1.1 * DAY_S),
]
"""Seconds after `BEGIN`; None stands for everything."""


@pytest.fixture
def life(make_record: MakeRecord) -> list[Record]:
    """600 requests of four days, in the order in which they ended."""
    chance = random.Random(7)
    made = [a_request(make_record, chance, number) for number in range(600)]
    return sorted(made, key=lambda record: record.decision.at + chance.random() * 7200)


def a_request(make_record: MakeRecord, chance: random.Random, number: int) -> Record:
    at = BEGIN + chance.random() * 4 * DAY_S
    ok = chance.random() < 0.9
    cost = round(chance.random(), 6)
    failed = Attempt(deployment="beta/small", model="small", tier=1, outcome="timeout")
    record = make_record(
        id=f"{number:05}",
        at=at,
        kind=chance.choice(["qa", "code"]),
        policy=chance.choice(["auto", None]),
        cost_usd=cost,
        reference_cost_usd=round(cost * (1 + chance.random()), 6),
        latency_s=chance.lognormvariate(0, 1),
        ttft_s=chance.random() if chance.random() < 0.5 else None,
        owner=Owner(key=f"k{number % 4}", team=f"t{number % 2}", tags=("a", f"tag {number % 3}")),
        status="ok" if ok else "error",
    )
    if chance.random() < 0.2:
        attempts = (failed, *record.attempts)
        record = msgspec.structs.replace(record, attempts=attempts, failovers=1)
    return record


@contextmanager
def written(place: str, records: Sequence[Record], rolled: Sequence[int]) -> Iterator[Ledger]:
    """A ledger of which so many rows were added up, one after the other, at so many moments."""
    parts = [0, *rolled, len(records)]
    with Ledger(place, queue_size=10_000) as ledger:
        for begin, end in pairwise(parts):
            if begin:
                ledger._store.roll(begin // 2 + 1)
            for record in records[begin:end]:
                ledger.record(lambda record=record: record)  # type: ignore[misc]
            assert ledger.flush(PATIENCE_S)
        yield ledger


def plain(figures: Any) -> Any:
    """A report with its sums rounded: they are added in another order."""
    if isinstance(figures, dict):
        return {name: plain(value) for name, value in figures.items()}
    return round(figures, 6) if isinstance(figures, float) else figures


@pytest.mark.parametrize("rolled", [(), (300,), (100, 350, 600)])
def test_a_report_is_the_same_however_much_was_added_up(
    place: str, life: list[Record], rolled: tuple[int, ...]
) -> None:
    with written(place, life, rolled):
        for since, until in SPANS:
            now = BEGIN + until
            since_s = None if since is None else until - since
            found = report(place, since_s=since_s, now=now)
            meant = [
                one
                for one in life
                if (since is None or one.decision.at >= BEGIN + since) and one.decision.at <= now
            ]
            assert found.requests == len(meant)
            assert found.ok == sum(one.status == "ok" for one in meant)
            assert found.cost_usd == pytest.approx(sum(one.cost_usd for one in meant))
            assert found.failovers == sum(one.failovers for one in meant)
            assert found.upstream_errors.get("timeout", 0) == found.failovers
            assert found.by_kind.keys() == {one.decision.profile.kind for one in meant}


def test_percentiles_of_many_are_right_but_for_the_width_of_a_bucket(
    place: str, life: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(place, life, (250, 450)):
        exact = report(place, now=BEGIN + 3.3 * DAY_S)
        monkeypatch.setattr("tierwise.ledger.figures.EXACT", 10)
        rough = report(place, now=BEGIN + 3.3 * DAY_S)
    for name in ("latency_p50_s", "latency_p90_s", "latency_p99_s", "ttft_p50_s", "ttft_p99_s"):
        right = getattr(exact, name)
        assert getattr(rough, name) == pytest.approx(right, rel=histogram.ERROR * 1.001)
        assert getattr(rough, name) != right


def test_totals_add_up_by_whatever_they_are_grouped(place: str, life: list[Record]) -> None:
    with written(place, life, (200, 500)), reading(place) as connection:
        for since, until in SPANS:
            asked = Asked(since=BEGIN + (since or -1e6), until=BEGIN + until)
            whole = sum(one.requests for one in totals(connection, asked))
            cost = sum(one.cost_usd for one in totals(connection, asked))
            for by in (
                *(("hour",), ("day",), ("kind",), ("tier",), ("status",), ("key",), ("team",)),
                *(("owner",), ("hour", "key"), ("key", "kind"), ("hour", "team", "model")),
            ):
                parts = totals(connection, asked, *by)
                assert sum(one.requests for one in parts) == whole
                assert sum(one.cost_usd for one in parts) == pytest.approx(cost)
        by_key = totals(connection, Asked(), "key", "kind")
        assert {one.names: one.requests for one in by_key} == counted(
            life, lambda one: (one.owner.key if one.owner else "", one.decision.profile.kind)
        )
        days = totals(connection, Asked(), "day")
        assert {one.names: one.requests for one in days} == counted(
            life, lambda one: (int(one.decision.at // DAY_S * DAY_S),)
        )
        assert totals(connection, Asked(team=("nobody",))) == []


def counted(records: Sequence[Record], name: Callable[[Record], Any]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for record in records:
        counts[name(record)] = counts.get(name(record), 0) + 1
    return counts


def test_what_is_asked_for_alone_counts(place: str, life: list[Record]) -> None:
    asked = Asked(kind=("code",), key=("k1", "k2"), status=("ok",), tag="tag 1")
    meant = [
        one
        for one in life
        if one.decision.profile.kind == "code"
        and one.status == "ok"
        and one.owner is not None
        and one.owner.key in ("k1", "k2")
        and "tag 1" in one.owner.tags
    ]
    with written(place, life, (400,)), reading(place) as connection:
        (found,) = totals(connection, asked)
        assert found.requests == len(meant)
        assert found.cost_usd == pytest.approx(sum(one.cost_usd for one in meant))
        assert ids(search(connection, asked, limit=1000).found) == newest(meant)


def ids(found: Sequence[Any]) -> list[str]:
    return [one.id for one in found]


def newest(records: Sequence[Record]) -> list[str]:
    ordered = sorted(records, key=lambda record: record.decision.at, reverse=True)
    return [record.decision.id for record in ordered]


@pytest.mark.parametrize("asked", [Asked(), Asked(kind=("qa",)), Asked(key=("k3",))])
def test_pages_follow_each_other_and_leave_nothing_out(
    place: str, life: list[Record], asked: Asked
) -> None:
    with written(place, life, (300, 550)), reading(place) as connection:
        seen: list[str] = []
        before = None
        while True:
            page = search(connection, asked, before=before, limit=37)
            seen += ids(page.found)
            before = page.next
            if before is None:
                break
        meant = [
            one
            for one in life
            if (not asked.kind or one.decision.profile.kind in asked.kind)
            and (not asked.key or (one.owner is not None and one.owner.key in asked.key))
        ]
        assert seen == newest(meant)


def test_requests_are_found_by_the_beginning_of_their_ids(place: str, life: list[Record]) -> None:
    with written(place, life, (600,)), reading(place) as connection:
        found = search(connection, Asked(), id_begins="0042", limit=100).found
        assert sorted(ids(found)) == [f"0042{n}" for n in range(10)]
        assert ids(search(connection, Asked(kind=("none",)), id_begins="0042").found) == []


def test_what_was_saved_lies_in_its_interval_as_often_as_that_says(place: str) -> None:
    """Against the textbook: the sum's, and a jackknife of the ratio."""
    chance = random.Random(3)
    costs = [(chance.random(), 1 + chance.random()) for _ in range(400)]
    records = [
        a_record(decision=a_decision(id=str(n), at=BEGIN + n), cost_usd=c, reference_cost_usd=r)
        for n, (c, r) in enumerate(costs)
    ]
    with written(place, records, (200,)), reading(place) as connection:
        found = saving(connection, Asked())
    n = len(costs)
    saved = [reference - cost for cost, reference in costs]
    mean = sum(saved) / n
    deviation = (sum((one - mean) ** 2 for one in saved) / (n - 1) * n) ** 0.5
    assert found.requests == n
    assert found.usd == pytest.approx(sum(saved))
    assert found.usd_high - found.usd == pytest.approx(1.959964 * deviation, rel=1e-5)
    assert found.usd - found.usd_low == pytest.approx(1.959964 * deviation, rel=1e-5)
    cost_sum, reference_sum = (sum(column) for column in zip(*costs, strict=True))
    without = [1 - (cost_sum - c) / (reference_sum - r) for c, r in costs]
    middle = sum(without) / n
    jackknife = ((n - 1) / n * sum((one - middle) ** 2 for one in without)) ** 0.5
    assert found.fraction == pytest.approx(1 - cost_sum / reference_sum)
    assert found.fraction_high is not None
    assert found.fraction is not None
    assert found.fraction_high - found.fraction == pytest.approx(1.96 * jackknife, rel=0.01)


def test_nothing_saves_nothing(place: str) -> None:
    with Ledger(place), reading(place) as connection:
        none = saving(connection, Asked())
        assert (none.requests, none.usd, none.usd_low, none.usd_high) == (0, 0.0, 0.0, 0.0)
        assert (none.fraction, none.fraction_low, none.fraction_high) == (None, None, None)
        assert totals(connection, Asked()) == []
        assert search(connection, Asked()).found == ()


def test_rows_are_added_up_once_though_many_try(place: str, life: list[Record]) -> None:
    with written(place, life, ()) as ledger, Ledger(place) as other:
        while ledger._store.roll(100) or other._store.roll(70):
            pass
        with reading(place) as connection:
            assert mark(connection) == 600
            (whole,) = totals(connection, Asked())
            assert whole.requests == 600


def test_a_process_adds_up_when_there_is_enough_or_it_is_long_ago(
    place: str, life: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(place, life[:50], ()) as ledger:
        assert ledger._store.roll() == 0
        with reading(place) as connection:
            assert mark(connection) == 0
        monkeypatch.setattr("tierwise.ledger.rollup.ROWS_AT_ONCE", 40)
        assert ledger._store.roll() == 10
        assert ledger._store.roll() == 0
        monkeypatch.setattr("tierwise.ledger.rollup.LATEST_S", 0.0)
        assert ledger._store.roll() == 0
        with reading(place) as connection:
            assert mark(connection) == 50


def mark(connection: Connection) -> int:
    from tierwise.ledger.rolled import read_marks

    return read_marks(connection).requests


def test_opinions_count_the_same_before_and_after_their_requests_were_looked_up(
    place: str, life: list[Record]
) -> None:
    with written(place, life[:100], ()) as ledger:
        for number, record in enumerate(life[:40]):
            score = number % 2
            ledger.rated(
                Feedback(decision_id=record.decision.id, at=BEGIN, score=score, source="user")
            )
        assert ledger.flush(PATIENCE_S)
        before = report(place, now=BEGIN + 9 * DAY_S)
        ledger._store.roll(25)
        assert report(place, now=BEGIN + 9 * DAY_S).labelled == before.labelled > 0
        ledger._store.roll(1000)
        after = report(place, now=BEGIN + 9 * DAY_S)
        assert (after.labelled, after.mean_label) == (before.labelled, before.mean_label)
