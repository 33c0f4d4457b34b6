"""Two gateways that give each other's answers again, and each by itself where Redis is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client

from gateway import KEY, Provider, RunningGateway, call, chat, config_for, until
from replicated import RedisServer
from tierwise.state.shared import lookups

OTHER, OPERATOR = "another-key", "operators-key"
SAID = "x-tierwise-cache"


@pytest.fixture
def pair(
    tmp_path: Path, provider: Provider, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[RunningGateway]]:
    # The machine may have much else to do: what is late here is late there.
    monkeypatch.setattr(lookups, "WAIT_S", 5.0)
    with two(tmp_path, provider, redis) as both:
        yield both


@contextmanager
def two(
    tmp_path: Path, provider: Provider, redis: RedisServer, **cache: Any
) -> Iterator[list[RunningGateway]]:
    keys = [KEY, OTHER, {"key": OPERATOR, "name": "operator", "admin": True}]
    data: dict[str, Any] = config_for(
        provider.url,
        server={"api_keys": keys, "grace_s": 1},
        state={"url": redis.url, "timeout_s": 3.0},
        cache={"mode": "exact", **cache},
    )
    data["policies"]["stepwise"]["cache"] = "semantic"
    data["policies"]["fresh"] = {"tiers": [{"model": "small"}], "cache": "off"}
    ledgers = [{"path": str(tmp_path / f"{name}.db")} for name in ("a", "b")]
    with (
        RunningGateway({**data, "ledger": ledgers[0]}) as first,
        RunningGateway({**data, "ledger": ledgers[1]}) as second,
    ):
        for gateway in (first, second):
            until(lambda url=gateway.url: shared(url) == "connected", "Redis")
        yield [first, second]


def shared(url: str) -> str:
    status: str = call(url, "GET", "/health/ready").json["shared"]["status"]
    return status


def counts(url: str) -> dict[str, float]:
    """What was asked of the cache in Redis, and given to it."""
    told: dict[str, float] = {}
    for line in call(url, "GET", "/metrics").body.decode().splitlines():
        if line.startswith("tierwise_shared_cache_total{"):
            name, _, number = line.partition("} ")
            told[name.partition('what="')[2].rstrip('"')] = float(number)
    return told


def kept(gateway: RunningGateway, number: int) -> None:
    until(lambda: counts(gateway.url)["kept"] == number, "it is kept")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_one_gateway_was_answered_another_one_gives_again_to_the_same_key_alone(
    pair: list[RunningGateway], provider: Provider, stream: bool
) -> None:
    first, second = pair
    said = chat(first.url, stream=stream)
    kept(first, 1)
    again = chat(second.url, stream=stream)
    assert again.headers[SAID] == "hit"
    assert again.body == said.body
    assert int(again.headers["age"]) < 60
    assert len(provider.seen) == 1
    assert chat(second.url, stream=stream, key=OTHER).headers[SAID] == "miss"
    assert counts(second.url)["hit"] == 1


def test_redis_is_not_asked_where_the_cache_is_off(pair: list[RunningGateway]) -> None:
    for _ in range(2):
        assert SAID not in chat(pair[0].url, "fresh").headers
    assert SAID not in chat(pair[0].url, headers={"cache-control": "no-store"}).headers
    assert set(counts(pair[0].url).values()) == {0.0}


def test_other_words_for_the_same_are_known_to_both(pair: list[RunningGateway]) -> None:
    first, second = pair
    chat(first.url, "stepwise", text="How do I reset the password of my account?")
    similar: Any = second.orchestrator.cached.cache.similar  # type: ignore[union-attr]
    until(lambda: len(similar), "word of it")
    again = chat(second.url, "stepwise", text="how do i reset the password of my account")
    assert again.headers[SAID] == "similar"


def test_an_operator_empties_the_cache_of_all_gateways(
    pair: list[RunningGateway], redis: RedisServer
) -> None:
    first, second = pair
    chat(first.url)
    kept(first, 1)
    assert chat(second.url).headers[SAID] == "hit"
    done = call(first.url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
    assert done.status == 200
    assert (done.json["forgotten"], done.json["forgotten_in_redis"]) == (1, 1)
    assert "in all replicas" in done.json["message"]
    with Client.from_url(redis.url) as client:
        assert client.keys("tierwise:cache:answer:*") == []
    cache = second.orchestrator.cached.cache  # type: ignore[union-attr]
    until(lambda: len(cache.here) == 0, "the other one to forget")
    assert chat(second.url).headers[SAID] == "miss"
    redis.kill()
    until(lambda: shared(first.url) == "lost", "the loss")
    failed = call(first.url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
    assert (failed.status, failed.error["code"]) == (503, "state_unavailable")
    assert "retry-after" in failed.headers
    assert chat(first.url).headers[SAID] == "miss"


def test_what_is_kept_out_of_redis_is_forgotten_by_all_gateways_too(
    tmp_path: Path, provider: Provider, redis: RedisServer
) -> None:
    with two(tmp_path, provider, redis, shared_max_mb=0) as (first, second):
        for said in ("miss", "hit"):
            assert chat(second.url).headers[SAID] == said
        assert call(first.url, "POST", "/v1/admin/cache/clear", key=OPERATOR).status == 200
        cache = second.orchestrator.cached.cache  # type: ignore[union-attr]
        until(lambda: len(cache.here) == 0, "the other one to forget")
        assert chat(second.url).headers[SAID] == "miss"


def test_each_gateway_goes_on_with_its_own_answers_while_redis_is_gone(
    pair: list[RunningGateway], redis: RedisServer
) -> None:
    first, second = pair
    chat(first.url)
    redis.kill()
    for gateway in pair:
        until(lambda url=gateway.url: shared(url) == "lost", "the loss")
    assert chat(first.url).headers[SAID] == "hit"
    for said in ("miss", "hit"):
        assert chat(second.url).headers[SAID] == said
    redis.start()
    for gateway in pair:
        until(lambda url=gateway.url: shared(url) == "connected", "its return")
    before = counts(first.url)["kept"]
    chat(first.url, text="Something else")
    kept(first, int(before) + 1)
    assert chat(second.url, text="Something else").headers[SAID] == "hit"
