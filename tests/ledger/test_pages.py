"""What pages of a dashboard read beside totals: newest records, short slots of time, ratings."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tierwise.ledger import Feedback, Ledger
from tierwise.ledger.glance import by_labels, by_slot, rated, records
from tierwise.ledger.pages import Asked, saving, saving_of, search, totals
from tierwise.types import Owner, Record

MakeRecord = Callable[..., Record]
BEGIN = 1_728_000_000.0
OURS, THEIRS = Owner(key="k1", org="ours"), Owner(key="k2", org="theirs")


def filled(place: str, *made: Record, said: tuple[Feedback, ...] = ()) -> Ledger:
    ledger = Ledger(place)
    ledger.open()
    for record in made:
        ledger.record(lambda record=record: record)  # type: ignore[misc]
    for one in said:
        assert ledger.rated(one)
    assert ledger.flush(30)
    return ledger


def opinion(decision: str, score: float, at: float) -> Feedback:
    return Feedback(decision_id=decision, at=at, score=score, source="user")


def test_the_newest_records_come_whole_and_in_order(place: str, make_record: MakeRecord) -> None:
    made = [make_record(id=f"{n}", at=BEGIN + n, owner=OURS) for n in range(5)]
    with filled(place, *made) as ledger, ledger.reading() as connection:
        assert records(connection, Asked(), limit=3) == made[:1:-1]
        assert records(connection, Asked(until=BEGIN + 1), limit=3) == made[1::-1]


def test_records_of_others_are_not_among_them(place: str, make_record: MakeRecord) -> None:
    made = [
        make_record(id=f"{n}", at=BEGIN + n, owner=(OURS, THEIRS, None)[n % 3]) for n in range(9)
    ]
    with filled(place, *made) as ledger, ledger.reading() as connection:
        found = records(connection, Asked(org=("ours",)), limit=10)
        assert [record.decision.id for record in found] == ["6", "3", "0"]
        assert records(connection, Asked(org=("nobody",)), limit=10) == []


def test_slots_add_up_what_lies_in_them(place: str, make_record: MakeRecord) -> None:
    times = (0.0, 59.0, 60.0, 200.0)
    made = [
        make_record(id=f"{n}", at=BEGIN + at, cost_usd=1.0, reference_cost_usd=3.0)
        for n, at in enumerate(times)
    ]
    with filled(place, *made) as ledger, ledger.reading() as connection:
        slots = by_slot(connection, Asked(since=BEGIN, until=BEGIN + 300), 60)
        assert {at: one.requests for at, one in slots.items()} == {
            BEGIN: 2,
            BEGIN + 60: 1,
            BEGIN + 180: 1,
        }
        assert (slots[BEGIN].cost_usd, slots[BEGIN].reference_cost_usd) == (2.0, 6.0)


def test_the_latest_rating_of_an_answer_counts(place: str, make_record: MakeRecord) -> None:
    made = [make_record(id=f"{n}", at=BEGIN + n, owner=OURS) for n in range(3)]
    said = (
        opinion("0", 0.0, BEGIN + 10),
        opinion("0", 1.0, BEGIN + 20),
        opinion("1", 0.5, BEGIN + 10),
    )
    with filled(place, *made, said=said) as ledger, ledger.reading() as connection:
        assert rated(connection, Asked()) == (2, 0.75)
        assert rated(connection, Asked(since=BEGIN + 1)) == (1, 0.5)
        assert rated(connection, Asked(org=("theirs",))) == (0, None)


def test_sums_by_labels_come_to_the_totals_and_the_saving(
    place: str, make_record: MakeRecord
) -> None:
    made = [
        make_record(
            id=f"{n}",
            at=BEGIN + 3000 * n,
            owner=(OURS, THEIRS)[n % 2],
            policy=("auto", None)[n % 3 == 0],
            cost_usd=0.1 * n,
            reference_cost_usd=0.3 * n,
        )
        for n in range(60)
    ]
    with filled(place, *made) as ledger:
        ledger._store.roll(40)
        with ledger.reading() as connection:
            periods = [Asked(), Asked(org=("ours",)), Asked(since=BEGIN + 7000)]
            periods.append(Asked(org=("ours",), since=BEGIN + 7000, until=BEGIN + 170_000))
            for asked, by in itertools.product(periods, ("hour", "day")):
                found, timed = by_labels(connection, asked, by)  # type: ignore[arg-type]
                (total,) = totals(connection, asked)
                assert {at: one.requests for at, one in timed.items()} == {
                    one.names[0]: one.requests for one in totals(connection, asked, by, "status")
                }
                assert sum(one.requests for one in found) == total.requests
                assert sum(one.cost_usd for one in found) == pytest.approx(total.cost_usd)
                assert {one.policy for one in found} == {"auto", ""}
                mine = saving_of(
                    total.requests,
                    total.cost_usd,
                    total.reference_cost_usd,
                    (
                        sum(one.cost_squares for one in found),
                        sum(one.reference_squares for one in found),
                        sum(one.saving_squares for one in found),
                    ),
                )
                known = saving(connection, asked)
                for name in known.__struct_fields__:
                    assert getattr(mine, name) == pytest.approx(getattr(known, name))


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("other", [None, THEIRS])
def test_one_request_of_somebody_else_is_left_out_among_many(
    place: str, make_record: MakeRecord, rolled: bool, other: Owner | None
) -> None:
    ours = [make_record(id=f"{n}", at=BEGIN + n, owner=OURS) for n in range(9)]
    asked = Asked(org=("ours",))

    def seen(ledger: Ledger) -> tuple[int, int, int]:
        if rolled:
            while ledger._store.roll(1000):
                pass
        with ledger.reading() as connection:
            (total,) = totals(connection, asked)
            labels = sum(one.requests for one in by_labels(connection, asked, "day")[0])
            return total.requests, labels, len(records(connection, asked, limit=50))

    with filled(place, *ours) as ledger:
        assert seen(ledger) == (9, 9, 9)
        ledger.record(lambda: make_record(id="x", at=BEGIN + 4, owner=other))
        assert ledger.flush(30)
        assert seen(ledger) == (9, 9, 9)


@pytest.mark.parametrize("few", [0, 2000])
def test_what_is_rare_is_found_page_by_page_however_it_is_looked_for(
    place: str, make_record: MakeRecord, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.newest.FEW", few)
    made = [
        make_record(
            id=f"{n:03}",
            at=BEGIN + 5000 * n,
            owner=(OURS, THEIRS)[n % 2],
            policy=("auto", "economy", "best")[n % 3],
        )
        for n in range(90)
    ]
    with filled(place, *made) as ledger:
        ledger._store.roll(70)
        with ledger.reading() as connection:
            asked = Asked(key=("k1",), policy=("best",), since=BEGIN + 20_000)
            seen, before = [], None
            while True:
                page = search(connection, asked, before=before, limit=4)
                seen += [one.id for one in page.found]
                before = page.next
                if before is None:
                    break
            newest = records(connection, asked, limit=3)
    mine = [f"{n:03}" for n in range(89, 3, -1) if n % 6 == 2]
    assert seen == mine
    assert [one.decision.id for one in newest] == mine[:3]
