"""Two gateways that give each other's answers again, and each by itself where Redis is gone."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client

from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    call,
    chat,
    config_for,
    until,
    write_config,
)
from replicated import RedisServer

pytestmark = pytest.mark.process

OTHER, OPERATOR = "another-key", "operators-key"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def pair(tmp_path: Path, provider: Provider, redis: RedisServer) -> Iterator[list[GatewayProcess]]:
    with ExitStack() as stack:
        gateways = []
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            data: dict[str, Any] = config_for(
                provider.url,
                server={
                    "api_keys": [KEY, OTHER, {"key": OPERATOR, "name": "operator", "admin": True}],
                    "grace_s": 5,
                },
                ledger={"path": str(folder / "ledger.db")},
                state={"url": redis.url, "timeout_s": 1.0},
                cache={"mode": "exact"},
            )
            data["policies"]["stepwise"]["cache"] = "semantic"
            data["policies"]["fresh"] = {"tiers": [{"model": "small"}], "cache": "off"}
            file = write_config(folder / "tierwise.yaml", data)
            gateways.append(stack.enter_context(GatewayProcess("--config", str(file), cwd=folder)))
            assert gateways[-1].url
        yield gateways


def counts(url: str) -> dict[str, float]:
    """What was asked of the cache in Redis, and given to it."""
    told: dict[str, float] = {}
    for line in call(url, "GET", "/metrics").body.decode().splitlines():
        if line.startswith("tierwise_shared_cache_total{"):
            name, _, number = line.partition("} ")
            told[name.partition('what="')[2].rstrip('"')] = float(number)
    return told


def test_what_one_gateway_was_answered_another_one_gives_again_to_the_same_key_alone(
    pair: list[GatewayProcess], provider: Provider
) -> None:
    first, second = pair
    numbers = itertools.count()

    def is_given_again() -> bool:
        # Redis may be late where much else goes on: then the next one is tried.
        text, kept = f"Question {next(numbers)}", counts(first.url)["kept"]
        said = chat(first.url, text=text)
        until(lambda: counts(first.url)["kept"] > kept, "it is kept")
        asked = len(provider.seen)
        again = chat(second.url, text=text)
        if again.headers["x-tierwise-cache"] == "miss":
            return False
        assert again.headers["x-tierwise-cache"] == "hit"
        assert again.body == said.body
        assert len(provider.seen) == asked
        assert chat(second.url, text=text, key=OTHER).headers["x-tierwise-cache"] == "miss"
        return True

    until(is_given_again, "an answer of the other one")
    assert counts(second.url)["hit"] >= 1


def test_a_stream_is_replayed_by_the_other_gateway_as_it_came(pair: list[GatewayProcess]) -> None:
    first, second = pair
    numbers = itertools.count()

    def is_replayed() -> bool:
        text, kept = f"Question {next(numbers)}", counts(first.url)["kept"]
        said = chat(first.url, text=text, stream=True)
        until(lambda: counts(first.url)["kept"] > kept, "it is kept")
        again = chat(second.url, text=text, stream=True)
        if again.headers["x-tierwise-cache"] == "miss":
            return False
        assert again.body == said.body
        return True

    until(is_replayed, "a stream of the other one")


def test_redis_is_not_asked_where_the_cache_is_off(pair: list[GatewayProcess]) -> None:
    for _ in range(2):
        assert "x-tierwise-cache" not in chat(pair[0].url, "fresh").headers
    assert set(counts(pair[0].url).values()) == {0.0}


def test_other_words_for_the_same_are_known_to_both(pair: list[GatewayProcess]) -> None:
    first, second = pair
    numbers = itertools.count(10)

    def is_similar() -> bool:
        number = next(numbers)
        chat(first.url, "stepwise", text=f"How do I reset the password of account {number}?")
        threading.Event().wait(0.7)  # word goes round twice a second
        again = chat(
            second.url, "stepwise", text=f"how do i reset the password of account {number}"
        )
        return again.headers["x-tierwise-cache"] == "similar"

    until(is_similar, "an answer to other words")


def test_an_operator_empties_the_cache_of_all_gateways(
    pair: list[GatewayProcess], redis: RedisServer
) -> None:
    first, second = pair
    for gateway in pair:
        chat(gateway.url)
        assert chat(gateway.url).headers["x-tierwise-cache"] == "hit"
    until(lambda: counts(first.url)["kept"] >= 1, "it is kept")
    done = call(first.url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
    assert done.status == 200
    assert done.json["forgotten_in_redis"] >= 1
    assert "in all replicas" in done.json["message"]
    with Client.from_url(redis.url) as client:
        assert client.keys("tierwise:cache:answer:*") == []
    stale = "x-tierwise-cache"
    until(lambda: chat(second.url).headers[stale] == "miss", "the other one to forget")
    redis.kill()
    until(
        lambda: call(first.url, "GET", "/health/ready").json["shared"]["status"] == "lost", "loss"
    )
    failed = call(first.url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
    assert (failed.status, failed.error["code"]) == (503, "state_unavailable")
    assert "retry-after" in failed.headers
    assert chat(first.url).headers[stale] == "miss"


def test_each_gateway_goes_on_with_its_own_answers_while_redis_is_gone(
    pair: list[GatewayProcess], redis: RedisServer
) -> None:
    first, second = pair
    chat(first.url)
    redis.kill()
    for gateway in pair:
        until(
            lambda url=gateway.url: (
                call(url, "GET", "/health/ready").json["shared"]["status"] == "lost"
            ),
            "the loss",
        )
    assert chat(first.url).headers["x-tierwise-cache"] == "hit"
    assert chat(second.url, text="Something else").headers["x-tierwise-cache"] == "miss"
    assert chat(second.url, text="Something else").headers["x-tierwise-cache"] == "hit"
