"""Who comes in, who waits and who is turned away when the gateway is full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from builders import a_body
from gateway import KEY, PATIENCE_S, Provider, RunningGateway, chat, config_for, says
from tierwise.config import from_mapping
from tierwise.config.serving import KeyConfig
from tierwise.errors import AuthenticationFailed, ConfigError, NotPermitted, Overloaded
from tierwise.server.admission import Admission
from tierwise.server.keys import Keys
from tierwise.server.request import with_headers
from tierwise.server.run import check_exposure
from tierwise.types import Priority
from tierwise.wire.openai_chat import read_request

LATER = time.monotonic() + 3600


async def enter(door: Admission, order: list[str], name: str, priority: Priority) -> None:
    with await door.enter(priority, name, LATER):
        order.append(name)


async def test_who_is_inside_makes_room_for_the_next_by_priority() -> None:
    door, order = Admission(1, 10, 10.0), list[str]()
    place = await door.enter("normal", "", LATER)
    waiting = [
        asyncio.create_task(enter(door, order, priority, priority))
        for priority in ("low", "normal", "high")
    ]
    await asyncio.sleep(0)
    assert door.waiting == 3
    with place:
        pass
    await asyncio.gather(*waiting)
    assert order == ["high", "normal", "low"]
    assert (door.inside, door.waiting) == (0, 0)


async def test_who_finds_the_queue_full_is_told_when_to_come_back() -> None:
    door = Admission(1, 0, 10.0)
    with await door.enter("normal", "", LATER), pytest.raises(Overloaded) as caught:
        await door.enter("normal", "", LATER)
    assert caught.value.status == 429
    assert caught.value.retry_after >= 1
    assert (door.inside, door.turned_away) == (0, 1)


async def test_the_time_to_come_back_is_that_of_all_who_wait_before() -> None:
    now = 0.0
    door = Admission(1, 2, 60.0, lambda: now)
    place = await door.enter("normal", "", LATER)
    with place:
        pass
    place = await door.enter("normal", "", LATER)
    waiting = [asyncio.create_task(door.enter("normal", "", LATER)) for _ in range(2)]
    await asyncio.sleep(0)
    now = 7.0
    with place:
        pass  # one in seven seconds: the next of them has its turn
    waiting.append(asyncio.create_task(door.enter("normal", "", LATER)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await door.enter("normal", "", LATER)
    assert caught.value.retry_after == pytest.approx(3 * 7.0)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_low_one_that_waits_gives_way_to_a_high_one() -> None:
    door, order = Admission(1, 1, 10.0), list[str]()
    with await door.enter("normal", "", LATER):
        low = asyncio.create_task(enter(door, order, "low", "low"))
        await asyncio.sleep(0)
        high = asyncio.create_task(enter(door, order, "high", "high"))
        with pytest.raises(Overloaded):
            await low
    await high
    assert order == ["high"]


@pytest.mark.parametrize("deadline", [LATER, 0.0], ids=["too long", "deadline"])
async def test_nobody_waits_for_ever(deadline: float) -> None:
    door = Admission(1, 10, 0.02 if deadline else 10.0)
    with await door.enter("normal", "", LATER):
        with pytest.raises(Overloaded):
            await door.enter("normal", "", deadline)
        assert door.waiting == 0
    assert door.inside == 0


async def test_more_room_lets_in_those_who_wait() -> None:
    door = Admission(1, 10, 10.0)
    await door.enter("normal", "", LATER)
    waiting = [asyncio.create_task(door.enter("normal", "", LATER)) for _ in range(2)]
    await asyncio.sleep(0)
    door.change(2, 10, 10.0)
    async with asyncio.timeout(PATIENCE_S):
        await waiting[0]
    assert (door.inside, door.waiting) == (2, 1)
    waiting[1].cancel()


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    door = Admission(1, 10, 10.0)
    with await door.enter("normal", "", LATER):
        waiting = asyncio.create_task(door.enter("normal", "", LATER))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (door.inside, door.waiting) == (0, 0)


async def test_a_turn_that_comes_as_its_holder_leaves_goes_to_the_next() -> None:
    door, order = Admission(1, 10, 10.0), list[str]()
    place = await door.enter("normal", "", LATER)
    leaving = asyncio.create_task(door.enter("normal", "", LATER))
    await asyncio.sleep(0)
    behind = asyncio.create_task(enter(door, order, "behind", "normal"))
    await asyncio.sleep(0)
    with place:
        pass  # it is the turn of the one who leaves
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await behind
    assert door.inside == 0


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[RunningGateway, Provider]]:
    """A gateway that answers one request at a time and lets nobody wait."""
    keys = [KEY, {"key": "batch-key", "name": "batch", "priority": "low"}]
    with Provider() as provider:
        server = {"api_keys": keys, "max_requests": 1, "max_waiting": 0}
        with RunningGateway(config_for(provider.url, server=server)) as gateway:
            yield gateway, provider


def test_a_full_gateway_says_429_in_the_client_s_dialect(
    small: tuple[RunningGateway, Provider],
) -> None:
    gateway, provider = small

    async def later(request: Any, body: Any) -> Any:
        await asyncio.to_thread(provider.release.wait, PATIENCE_S)
        return await says("done")(request, body)

    provider.reset()
    provider.acts["small"] = later
    with ThreadPoolExecutor() as pool:
        first = pool.submit(chat, gateway.url)
        assert provider.arrived.wait(PATIENCE_S)
        reply = chat(gateway.url)
        provider.release.set()
        assert first.result(PATIENCE_S).status == 200
    assert reply.status == 429
    assert reply.error["code"] == "overloaded"
    assert reply.error["type"] == "rate_limit_error"
    assert int(reply.headers["retry-after"]) >= 1
    assert chat(gateway.url).status == 200


def test_a_key_s_name_is_what_the_ledger_calls_its_holder(
    small: tuple[RunningGateway, Provider],
) -> None:
    gateway, provider = small
    provider.reset()
    gateway.forget()
    assert chat(gateway.url, key="batch-key").status == 200
    assert gateway.last_record().caller == "batch"


def test_an_unknown_priority_is_refused_by_name(small: tuple[RunningGateway, Provider]) -> None:
    gateway, _ = small
    reply = chat(gateway.url, headers={"x-tierwise-priority": "urgent"})
    assert reply.status == 400
    assert reply.error["param"] == "x-tierwise-priority"
    assert "high, normal, low" in reply.error["message"]


def test_a_key_without_a_value_is_refused_in_both_forms() -> None:
    for written in ("", {"key": " "}):
        config = from_mapping(config_for("http://127.0.0.1:9", server={"api_keys": [written]}))
        with pytest.raises(ConfigError, match="a key is empty"):
            check_exposure(config)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["k-1", {"key": "k-1", "admin": True}], "written twice, with different rights"),
        ([{"key": "k-1", "admin": True}, "k-1 "], "written twice, with different rights"),
        (["k-1", {"key": "k-1", "only": ["metrics"]}], "written twice, with different rights"),
        ([{"key": "k-1", "limits": {"rpm": 5}}, "k-1"], "have different limits"),
        (
            [
                {"key": "k-1", "name": "acme", "limits": {"rpm": 5}},
                {"key": "k-2", "name": "acme", "limits": {"rpm": 50}},
            ],
            "two keys of 'acme' have different limits",
        ),
    ],
    ids=["rights", "rights lost", "use", "limits", "name"],
)
def test_keys_of_which_nobody_can_say_what_they_may_do_are_refused(
    written: list[Any], words: str
) -> None:
    config = from_mapping(config_for("http://127.0.0.1:9", server={"api_keys": written}))
    with pytest.raises(ConfigError, match=words) as caught:
        check_exposure(config)
    assert caught.value.field == "server.api_keys"
    assert "k-1" not in str(caught.value)


def test_a_key_for_metrics_alone_does_not_do_for_anything_else_once_it_was_shown() -> None:
    keys = Keys([KeyConfig(key=SecretStr("k-1"), name="prometheus", only=["metrics"])])
    for _ in range(2):
        assert keys.client(b"Bearer k-1", use="metrics").name == "prometheus"
        with pytest.raises(NotPermitted, match="good for metrics only"):
            keys.client(b"Bearer k-1")


def test_where_metrics_alone_have_a_key_nobody_is_let_in_without_one() -> None:
    keys = Keys([KeyConfig(key=SecretStr("k-1"), only=["metrics"])])
    assert keys.guarded
    with pytest.raises(AuthenticationFailed):
        keys.client(None)


def test_other_keys_do_for_metrics_too() -> None:
    keys = Keys([SecretStr("k-1")])
    for use in (None, "metrics", None):
        assert keys.client(b"Bearer k-1", use=use).admin is False


@pytest.mark.parametrize(
    "more",
    [{"admin": True}, {"priority": "low"}, {"limits": {"rpm": 5}}],
    ids=lambda m: next(iter(m)),
)
def test_a_key_for_metrics_alone_has_nothing_that_is_for_more(more: dict[str, Any]) -> None:
    written = [{"key": "k-1", "name": "prometheus", "only": ["metrics"], **more}]
    config = from_mapping(config_for("http://127.0.0.1:9", server={"api_keys": written}))
    with pytest.raises(ConfigError, match=f"where `{next(iter(more))}` says nothing") as caught:
        check_exposure(config)
    assert "'prometheus'" in str(caught.value)


@pytest.mark.parametrize("only", [[], ["answers"], "metrics"])
def test_what_a_key_is_good_for_is_one_of_those_that_there_are(only: object) -> None:
    written = [{"key": "k-1", "only": only}]
    with pytest.raises(ConfigError, match=r"server\.api_keys\.0\.only"):
        from_mapping(config_for("http://127.0.0.1:9", server={"api_keys": written}))


def test_a_key_may_be_written_twice_and_a_name_have_two_keys() -> None:
    acme = {"name": "acme", "limits": {"rpm": 5}}
    written = ["k-1", "k-1", {"key": "k-2", **acme}, {"key": "k-3", **acme}]
    config = from_mapping(config_for("http://127.0.0.1:9", server={"api_keys": written}))
    keys = Keys(config.server.api_keys)
    assert keys.client(b"Bearer k-2").name == keys.client(b"Bearer k-3").name == "acme"


@pytest.mark.parametrize(
    ("key", "asked", "got"),
    [
        (KEY, None, "normal"),
        (KEY, "high", "high"),
        ("batch-key", None, "low"),
        ("batch-key", "high", "low"),
    ],
)
def test_a_key_s_priority_is_the_highest_that_it_may_ask_for(
    key: str, asked: str | None, got: str
) -> None:
    config = from_mapping(
        config_for(
            "http://127.0.0.1:9",
            server={"api_keys": [KEY, {"key": "batch-key", "priority": "low"}]},
        )
    )
    client = Keys(config.server.api_keys).client(b"Bearer " + key.encode())
    headers = {b"x-tierwise-priority": asked.encode()} if asked else {}
    task = with_headers(read_request(a_body()), headers, client, 0.0, lambda _: 1.0)
    assert task.priority == got
