"""Two gateways that share one Redis, as processes of their own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    Reply,
    call,
    chat,
    config_for,
    until,
    write_config,
)
from pages import Client, sign_in
from replicated import RedisServer
from tierwise.ledger import Ledger

pytestmark = pytest.mark.process

ADMIN, LIMITED, CROWDED = "operators-key", "limited-key", "crowded-key"
KEYS: list[Any] = [
    KEY,
    {"key": ADMIN, "name": "operator", "admin": True},
    {"key": LIMITED, "name": "limited", "limits": {"rpm": 60}},
    {"key": CROWDED, "name": "crowded", "limits": {"rpm": 100_000, "concurrency": 500}},
]


@pytest.fixture
def pair(tmp_path: Path, provider: Provider, redis: RedisServer) -> Iterator[list[GatewayProcess]]:
    """Two gateways that know of each other, each with a ledger of its own."""
    with ExitStack() as stack:
        gateways = []
        for name in ("a", "b"):
            gateways.append(stack.enter_context(replica(tmp_path / name, provider, redis)))
            assert gateways[-1].url  # two that start at a time take twice as long
        for gateway in gateways:
            until(lambda url=gateway.url: shared(url)["replicas"] == 2, "both replicas")
        yield gateways


def replica(folder: Path, provider: Provider, redis: RedisServer) -> GatewayProcess:
    folder.mkdir()
    data = config_for(
        provider.url,
        server={"api_keys": KEYS, "grace_s": 5},
        ledger={"path": str(folder / "ledger.db")},
        state={"url": redis.url, "timeout_s": 1.0},
        dashboard={"session_secret": "s" * 32},
    )
    return GatewayProcess("--config", str(write_config(folder / "tierwise.yaml", data)), cwd=folder)


def shared(url: str) -> Any:
    """What a gateway says of what it shares; it is ready all the time."""
    ready = call(url, "GET", "/health/ready")
    assert ready.status == 200
    return ready.json["shared"]


def both_are(pair: list[GatewayProcess], word: str) -> None:
    """Waits until all say so, wherever they say it."""

    def said(url: str) -> bool:
        status = call(url, "GET", "/v1/status").json["shared"]["status"]
        up = metric(url, "tierwise_shared_state_up")
        return shared(url)["status"] == status == word and up == (word == "connected")

    for gateway in pair:
        until(lambda url=gateway.url: said(url), word)


def metric(url: str, name: str) -> float:
    scraped = call(url, "GET", "/metrics").body.decode()
    (line,) = [one for one in scraped.splitlines() if one.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def test_a_login_that_is_ended_at_one_replica_is_over_at_the_other(
    pair: list[GatewayProcess],
) -> None:
    person = sign_in(pair[0].url, KEY)
    stolen = Client(pair[1].url, dict(person.client.kept))
    assert stolen.get("/dashboard/models").status == 200
    assert person.post("/dashboard/logout").status == 303
    until(lambda: stolen.get("/dashboard/models").status == 303, "the other one knows")


def test_a_key_may_ask_all_replicas_together_as_often_as_its_limit_says(
    pair: list[GatewayProcess],
) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: chat(pair[n % 2].url, key=LIMITED), range(120)))
    counts = Counter(reply.status for reply in replies)
    assert set(counts) == {200, 429}
    # A request a second is refilled while they are asked.
    assert 60 <= counts[200] <= 61 + time.monotonic() - began
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.error["code"] == "rate_limit_exceeded"
    assert "retry-after" in refused.headers


def test_no_request_fails_while_redis_is_killed_and_comes_back(
    pair: list[GatewayProcess], redis: RedisServer, tmp_path: Path
) -> None:
    over = threading.Event()

    def ask(worker: int) -> list[Reply]:
        replies: list[Reply] = []
        while not over.is_set():
            replies.append(chat(pair[len(replies) % 2].url, key=CROWDED, text=f"{worker}"))
        return replies

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask, worker) for worker in range(6)]
        try:
            for break_it in (redis.kill, redis.kill, redis.hang):
                break_it()
                both_are(pair, "lost")
                (redis.go_on if redis.process is not None else redis.start)()
                both_are(pair, "connected")
        finally:
            over.set()
        replies = [reply for one in asking for reply in one.result()]
    assert Counter(reply.status for reply in replies) == {200: len(replies)}
    paid = sum(float(reply.headers["x-tierwise-cost-usd"]) for reply in replies)
    for gateway in pair:
        # Once for each change.
        assert gateway.stderr.count("Redis is lost") == 3
        assert gateway.stderr.count("state is shared again") == 3
        assert gateway.end(15) == 0
    rows, booked = 0, 0.0
    for name in ("a", "b"):
        ledger = Ledger(str(tmp_path / name / "ledger.db"))
        ledger.open()
        records = list(ledger.recent(100_000))
        ledger.close()
        rows += len(records)
        booked += sum(record.cost_usd for record in records)
    assert rows == len(replies)
    assert booked == pytest.approx(paid, abs=1e-8 * len(replies))


def test_an_order_reaches_all_replicas(pair: list[GatewayProcess]) -> None:
    first, second = pair
    path = "/v1/admin/deployments/alpha/small"
    reply = call(first.url, "POST", f"{path}/drain", key=ADMIN)
    assert "in all replicas within a second" in reply.json["message"]

    def state(url: str) -> str:
        found = call(url, "GET", "/v1/status").json["deployments"]
        return next(str(one["state"]) for one in found if one["id"] == "alpha/small")

    until(lambda: state(second.url) == "drained", "the order")
    call(second.url, "POST", f"{path}/restore", key=ADMIN)
    until(lambda: state(first.url) == "ready", "the other order")


def test_an_answer_that_one_replica_gave_is_gone_on_from_at_another(
    pair: list[GatewayProcess], redis: RedisServer
) -> None:
    first, second = pair

    def respond(url: str, **fields: Any) -> Reply:
        return call(url, "POST", "/v1/responses", {"model": "small", "input": "Hello", **fields})

    name = respond(first.url).json["id"]
    path = f"/v1/responses/{name}"
    until(lambda: call(second.url, "GET", path).status == 200, "the answer")
    assert respond(second.url, previous_response_id=name).status == 200
    assert call(second.url, "GET", path, key=ADMIN).status == 404
    redis.kill()
    both_are(pair, "lost")
    assert call(first.url, "GET", path).status == 200
    assert call(second.url, "GET", path).status == 404


def test_an_idempotency_key_has_one_answer_at_all_replicas(
    pair: list[GatewayProcess], provider: Provider
) -> None:
    replies = [chat(one.url, headers={"idempotency-key": "once"}) for one in (*pair, *pair)]
    assert [reply.status for reply in replies] == [200] * 4
    assert len({reply.headers["x-tierwise-decision-id"] for reply in replies}) == 1
    assert ["x-tierwise-replayed" in reply.headers for reply in replies] == [False, *[True] * 3]
    assert len(provider.seen) == 1
    other = chat(pair[1].url, text="Bye", headers={"idempotency-key": "once"})
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")


def test_a_gateway_starts_without_redis_and_says_so(
    tmp_path: Path, provider: Provider, redis: RedisServer
) -> None:
    redis.kill()
    with replica(tmp_path / "a", provider, redis) as gateway:
        assert chat(gateway.url, key=LIMITED).status == 200
        assert shared(gateway.url)["status"] == "lost"
        assert "state is not shared" in gateway.stderr
        redis.start()
        both_are([gateway], "connected")
