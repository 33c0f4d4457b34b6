"""A ledger with `keep_days` gets rid of old rows by itself, one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from tierwise.config.keeping import LedgerConfig
from tierwise.ledger import Aside, Ledger, report
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.state import state
from tierwise.ledger.tables import marks
from tierwise.ledger.tending import CLAIM_S, EVERY_S, tend
from tierwise.storage.engine import at_once, file_url, is_url, open_engine
from tierwise.types import Owner, Record

MakeRecord = Callable[..., Record]
PATIENCE_S = 30.0
DAY_S = 86_400
NOW = 20_000 * DAY_S + 4321.0


@pytest.fixture
def full(place: str, make_record: MakeRecord) -> str:
    """A hundred requests of the last ten days, and as many for no answer, all added up."""
    owner = Owner(key="k", org="o")
    with Ledger(place) as ledger:
        for number in range(100):
            at = NOW - (99 - number) * DAY_S / 10
            record = make_record(id=f"{number:04}", at=at, owner=owner, cost_usd=0.001)
            ledger.record(lambda record=record: record)  # type: ignore[misc]
            ledger.noted(
                Aside(
                    id=f"a{number}", at=at, kind="embeddings", asked="embed", status="ok",
                    latency_s=0.1, model="embed", cost_usd=0.002, input_tokens=3, owner=owner,
                )
            )  # fmt: skip
        assert ledger.flush(PATIENCE_S)
    catch_up(place)
    return place


def turn(place: str) -> int:
    engine = open_engine(place if is_url(place) else file_url(place))
    with engine.connect() as connection:
        found: int = connection.scalar(select(marks.c.value).where(marks.c.name == "pruning"))  # type: ignore[assignment]
    engine.dispose()
    return found


def take_turn(place: str, at: float) -> None:
    engine = open_engine(place if is_url(place) else file_url(place))
    with at_once(engine) as connection:
        connection.execute(update(marks).where(marks.c.name == "pruning").values(value=int(at)))
    engine.dispose()


def now() -> float:
    return NOW


def no_rest(_: float) -> None:
    pass


def test_what_is_older_goes_and_every_figure_stays(full: str) -> None:
    before = report(full, now=NOW)
    done = tend(full, 5, now=now, rest=no_rest)
    assert done is not None
    assert (done.requests, done.asides) == (49, 49)
    assert state(full).kept == state(full).asides == 51
    after = report(full, now=NOW)
    assert after.requests == before.requests == 200
    assert after.cost_usd == pytest.approx(before.cost_usd)
    assert after.by_model["embed"].input_tokens == 300


def test_it_is_done_once_an_hour(full: str) -> None:
    assert tend(full, 5, now=now, rest=no_rest) is not None
    assert turn(full) == int(NOW + EVERY_S)
    assert tend(full, 5, now=now, rest=no_rest) is None
    assert tend(full, 5, now=lambda: NOW + EVERY_S + 1, rest=no_rest) is not None


def test_of_many_at_the_same_time_one_does_it(full: str) -> None:
    ready = threading.Barrier(4)
    done = []

    def work() -> None:
        ready.wait()
        done.append(tend(full, 5, now=now, rest=no_rest))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.requests for one in done if one is not None] == [49]


def test_another_goes_on_when_one_was_killed_at_it(full: str) -> None:
    take_turn(full, NOW + CLAIM_S)  # as whoever was killed has left it
    assert tend(full, 5, now=now, rest=no_rest) is None
    done = tend(full, 5, now=lambda: NOW + CLAIM_S, rest=no_rest)
    assert done is not None
    assert done.requests > 0


def test_a_gateway_that_is_stopped_leaves_the_rest_to_the_next_one(
    full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.tending.AT_ONCE", 10)
    done = tend(full, 5, now=now, going=lambda: False, rest=no_rest)
    assert done is not None
    assert done.requests == 10
    done = tend(full, 5, now=now, rest=no_rest)
    assert done is not None
    assert (done.requests, done.asides) == (39, 49)


def test_it_rests_between_transactions(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierwise.ledger.tending.AT_ONCE", 10)
    rests: list[float] = []
    tend(full, 5, now=now, rest=rests.append)
    assert len(rests) >= 10
    assert all(0 <= one <= 2 for one in rests)


def test_rows_that_are_not_added_up_yet_wait(place: str, make_record: MakeRecord) -> None:
    with Ledger(place) as ledger:
        for number in range(3):
            old = make_record(at=NOW - (50 - number) * DAY_S)
            ledger.record(lambda old=old: old)  # type: ignore[misc]
        assert ledger.flush(PATIENCE_S)
    waiting = state(place).waiting
    done = tend(place, 5, now=now, rest=no_rest)
    assert done is not None
    assert done.requests == max(0, 2 - waiting)
    assert report(place, now=NOW).requests == 3


def test_a_database_that_is_away_is_told_in_the_log(
    tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert tend(f"{tmp_path}/no/such/ledger.db", 5, now=now) is None
    assert "old rows of the ledger cannot be taken out just now" in caplog.text


@pytest.mark.parametrize("days", [0, 0.5, -3, 40_000])
def test_days_must_be_a_number_of_them(days: float) -> None:
    with pytest.raises(ValueError, match="keep_days"):
        LedgerConfig.model_validate({"keep_days": days})


def test_a_ledger_in_memory_keeps_nothing_anyway() -> None:
    with pytest.raises(ValueError, match="`keep_days` is for a ledger on disk"):
        LedgerConfig.model_validate({"path": ":memory:", "keep_days": 3})
