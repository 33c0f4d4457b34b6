"""Two gateways, one key, one hard budget: with Redis, without it and again with it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

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
from replicated import RedisServer
from tierwise.accounts.accounts import Accounts
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget, NewKey, NewOrganisation
from tierwise.ledger import Ledger

pytestmark = pytest.mark.process

WORKERS = 6
COST_USD = 20e-6
"""Of one answer: 10 tokens and 5, at 1 and 2 USD per million."""
HARD_USD = 0.01


def a_key(database: Path) -> str:
    """A key with a hard budget."""
    accounts = Accounts(f"sqlite:///{database}")
    accounts.open()
    org = accounts.store.create_organisation(OPERATOR, NewOrganisation(name="ours")).id
    key, secret = accounts.keyring.create(OPERATOR, NewKey(name="app", org=org))
    budget = NewBudget(scope="key", owner=key.id, period="total", hard_usd=HARD_USD)
    accounts.store.create_budget(OPERATOR, budget)
    accounts.close()
    return secret.value


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key with a hard budget, made before anybody serves."""
    return a_key(tmp_path / "ledger.db")


@pytest.fixture
def pair(
    tmp_path: Path, provider: Provider, redis: RedisServer, key: str
) -> Iterator[list[GatewayProcess]]:
    data = config_for(
        provider.url,
        server={"api_keys": [KEY], "grace_s": 5},
        ledger={"path": str(tmp_path / "ledger.db")},
        accounts={"enabled": True},
        state={"url": redis.url, "timeout_s": 1.0},
    )
    with ExitStack() as stack:
        gateways = []
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            file = write_config(folder / "tierwise.yaml", data)
            gateways.append(stack.enter_context(GatewayProcess("--config", str(file), cwd=folder)))
            assert gateways[-1].url  # two that start at a time take twice as long
        for gateway in gateways:
            until(lambda url=gateway.url: shared(url, "replicas") == 2, "both replicas")
        yield gateways


def shared(url: str, what: str) -> object:
    return call(url, "GET", "/health/ready").json["shared"][what]


def spend(pair: list[GatewayProcess], key: str, over: threading.Event) -> list[Reply]:
    """Asks both in turn until the budget is used up, or the time is over."""
    replies: list[Reply] = []
    while not over.is_set() and (not replies or replies[-1].status != 402):
        replies.append(chat(pair[len(replies) % 2].url, key=key, max_tokens=5))
    return replies


@pytest.mark.parametrize("broken", [False, True])
def test_the_budget_is_overspent_by_no_more_than_requests_under_way(
    pair: list[GatewayProcess], redis: RedisServer, key: str, tmp_path: Path, broken: bool
) -> None:
    over = threading.Event()
    for gateway in pair:
        until(lambda url=gateway.url: chat(url, key=key).status == 200, "the key")
    with ThreadPoolExecutor(WORKERS) as pool:
        spending = [pool.submit(spend, pair, key, over) for _ in range(WORKERS)]
        try:
            if broken:
                redis.kill()
                for gateway in pair:
                    until(lambda url=gateway.url: shared(url, "status") == "lost", "the loss")
                redis.start()
                for gateway in pair:
                    until(lambda url=gateway.url: shared(url, "status") == "connected", "it")
            replies = [reply for one in spending for reply in one.result(120)]
        finally:
            over.set()
    counts = Counter(reply.status for reply in replies)
    assert set(counts) == {200, 402}
    answered = counts[200] + len(pair)
    for gateway in pair:
        assert gateway.end(15) == 0
    ledger = Ledger(str(tmp_path / "ledger.db"))
    ledger.open()
    booked = [record.cost_usd for record in ledger.recent(100_000) if record.status == "ok"]
    ledger.close()
    assert len(booked) == answered
    assert sum(booked) == pytest.approx(answered * COST_USD)
    assert sum(booked) <= HARD_USD + WORKERS * COST_USD
    # And it is used, but for what a request is expected to cost.
    assert sum(booked) >= 0.9 * HARD_USD
