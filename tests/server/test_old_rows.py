"""A gateway has old rows taken out where its configuration says so, and ends without waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from builders import a_decision, a_record
from gateway import config_for
from tierwise.config import Config, from_mapping
from tierwise.ledger import Ledger
from tierwise.ledger.catch_up import catch_up
from tierwise.ledger.state import state
from tierwise.server.old_rows import take_out_old

PATIENCE_S = 30.0
DAY_S = 86_400
OLD = 5


def written(place: str) -> None:
    """Some old requests and a new one, added up."""
    now = time.time()
    with Ledger(place) as ledger:
        for number in range(OLD + 1):
            at = now if number == OLD else now - 10 * DAY_S
            record = a_record(decision=a_decision(id=f"{number}", at=at))
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        assert ledger.flush(PATIENCE_S)
    catch_up(place)


def configured(place: str, **ledger: object) -> Config:
    return from_mapping(config_for("http://127.0.0.1:1", ledger={"path": place, **ledger}))


@asynccontextmanager
async def looking(current: list[Config]) -> AsyncIterator[asyncio.Task[None]]:
    """Looks often, by whatever configuration is the last one."""
    task = asyncio.create_task(take_out_old(lambda: current[-1], look_s=0.01))
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def one_is_left(place: str) -> bool:
    """Waits until one request is."""
    give_up = time.monotonic() + PATIENCE_S
    while state(place).kept > 1 and time.monotonic() < give_up:  # noqa: ASYNC110 - a thread does it
        await asyncio.sleep(0.02)
    return state(place).kept == 1


async def test_old_rows_go_once_the_configuration_says_so(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    written(place)
    current = [configured(place)]
    async with looking(current):
        await asyncio.sleep(0.3)
        assert state(place).kept == OLD + 1  # nothing is said of it
        current.append(configured(place, keep_days=7))  # as a reload does
        assert await one_is_left(place)
    assert state(place).requests == OLD + 1


async def test_a_database_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    place = str(tmp_path / "later" / "ledger.db")
    async with looking([configured(place, keep_days=7)]) as task:
        await asyncio.sleep(0.3)
        assert not task.done()
        written(place)
        assert await one_is_left(place)
