"""What one replica finds void is void for all, until somebody restores it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from redis import Redis as Client

from builders import Clock, a_certificate
from replicated import RedisServer, joined, state_config, until
from state.test_promises import certified, show
from tierwise.certificate import Baseline
from tierwise.config.certified import Certified
from tierwise.state.promises import Promises
from tierwise.state.shared import voids
from tierwise.state.shared.connection import Lost
from tierwise.state.shared.replicas import Replicas

NOON = 1_772_366_400.0
LENGTHS = (Baseline(name="length", edges=(100.0,), counts=(500, 500)),)


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierwise.state.drift.WINDOW", 40)


def promises(folder: Path, name: str, one: Certified | None = None) -> Promises:
    """The certificates of a replica, which has a disk of its own."""
    made = {"stepwise": one or certified(baselines=LENGTHS)}
    (folder / name).mkdir(exist_ok=True)
    return Promises(made, now=Clock(NOON), ledger=str(folder / name / "ledger.db"))


def attached(replicas: Replicas, mine: Promises) -> Promises:
    replicas.voids.attach(mine)
    return mine


def drift(mine: Promises) -> None:
    """Shows it answers of another length, in the thread of the ledger."""
    thread = threading.Thread(target=show, args=(mine.all["stepwise"], 40))
    thread.start()
    thread.join()
    assert mine.all["stepwise"].void is not None


def reason(mine: Promises) -> str | None:
    void = mine.all["stepwise"].void
    return None if void is None else void.reason


async def test_what_one_replica_finds_void_is_void_for_all(
    redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with joined(redis) as one, joined(redis) as other, joined(redis) as third:
        here = attached(one, promises(tmp_path, "a"))
        there = attached(other, promises(tmp_path, "b"))
        newer = attached(third, promises(tmp_path, "c", Certified(
            certificate=a_certificate(baselines=LENGTHS), hash="another",
        )))  # fmt: skip
        drift(here)
        await until(lambda: reason(there), "word of it")
        assert reason(there) == reason(here)
        await until(lambda: "as another replica has found" in caplog.text, "a line in the log")
        assert reason(newer) is None
    # It has written that down for its own next start.
    assert reason(promises(tmp_path, "b")) == reason(here)
    async with joined(redis) as late:
        fresh = attached(late, promises(tmp_path, "d"))
        await until(lambda: reason(fresh), "what was found before")
    with Client.from_url(redis.url) as client:
        (key,) = client.keys("tierwise:void:*")
        assert client.ttl(key) > 0


async def test_what_was_found_without_redis_is_told_when_it_is_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here = attached(one, promises(tmp_path, "a"))
        there = attached(other, promises(tmp_path, "b"))
        redis.kill()
        await until(lambda: not one.link.up and not other.link.up, "the loss")
        drift(here)
        assert reason(there) is None
        redis.start()
        await until(lambda: reason(there), "word of it")


async def test_what_is_restored_holds_for_whoever_starts_then(
    redis: RedisServer, tmp_path: Path
) -> None:
    async with joined(redis) as one:
        here = attached(one, promises(tmp_path, "a"))
        drift(here)
        with Client.from_url(redis.url) as client:
            await until(lambda: client.keys("tierwise:void:*"), "the note")
        assert await voids.forget(state_config(redis), "stepwise", "abc")
        assert not await voids.forget(state_config(redis), "stepwise", "abc")
        async with joined(redis) as late:
            fresh = attached(late, promises(tmp_path, "b"))
            await late.voids.catch_up()
            assert reason(fresh) is None
        redis.kill()
        with pytest.raises(Lost):
            await voids.forget(state_config(redis), "stepwise", "abc")


async def test_replicas_share_the_false_alarms_that_are_allowed(
    redis: RedisServer, tmp_path: Path
) -> None:
    async with joined(redis) as one, joined(redis) as other:
        here = attached(one, promises(tmp_path, "a"))
        attached(other, promises(tmp_path, "b"))
        await until(lambda: here.all["stepwise"].watch.watchers == 2, "the other one")
