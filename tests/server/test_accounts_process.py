"""Accounts where several workers serve, and where the gateway is started anew."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import (
    GatewayProcess,
    Provider,
    call,
    chat,
    config_for,
    until,
    write_config,
)
from tierwise.accounts.accounts import Accounts, accounts_of
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget, NewKey
from tierwise.config.keeping import LedgerConfig

pytestmark = pytest.mark.process

IN_FLIGHT = 8


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, provider: Provider) -> Path:
    config = config_for(
        provider.url, ledger={"path": str(tmp_path / "ledger.db")}, accounts={"enabled": True}
    )
    write_config(tmp_path / "tierwise.yaml", config)
    return tmp_path


@pytest.fixture
def accounts(folder: Path) -> Iterator[Accounts]:
    found = accounts_of(LedgerConfig(path=str(folder / "ledger.db")))
    found.open()
    yield found
    found.close()


def cost_of_one(url: str, key: str) -> float:
    return float(chat(url, key=key).headers["x-tierwise-cost-usd"])


def serving(url: str, key: str) -> None:
    def asked() -> bool:
        try:
            return call(url, "GET", "/v1/models", key=key).status == 200
        except OSError:
            return False

    until(asked, "the gateway to serve")


def test_workers_keep_to_one_hard_budget_and_refuse_what_is_revoked(
    folder: Path, accounts: Accounts
) -> None:
    free = accounts.keyring.create(OPERATOR, NewKey(name="free"))[1].value
    key, made = accounts.keyring.create(OPERATOR, NewKey(name="bound"))
    secret = made.value
    with GatewayProcess("--workers", "2", cwd=folder) as gateway:
        url = gateway.url
        serving(url, free)
        one = cost_of_one(url, free)
        hard = 20.5 * one
        budget = NewBudget(scope="key", owner=key.id, period="total", hard_usd=hard)
        accounts.store.create_budget(OPERATOR, budget)
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            bounded = {"key": secret, "max_tokens": 5}  # else more is set aside than is spent
            answers = list(pool.map(lambda _: chat(url, **bounded), range(60)))
        spent = sum(float(a.headers["x-tierwise-cost-usd"]) for a in answers if a.status == 200)
        assert {a.status for a in answers} == {200, 402}
        assert hard - one <= spent + 1e-12 <= hard + IN_FLIGHT * one
        accounts.keyring.revoke(OPERATOR, key.id)
        assert {chat(url, key=secret).status for _ in range(10)} == {401}


def test_what_was_spent_is_still_spent_after_a_restart(folder: Path, accounts: Accounts) -> None:
    key, made = accounts.keyring.create(OPERATOR, NewKey(name="bound"))
    secret = made.value
    for _ in range(2):
        with GatewayProcess(cwd=folder) as gateway:
            url = gateway.url
            serving(url, secret)
            cost = cost_of_one(url, secret)
            assert gateway.end(signal.SIGTERM) == 0
    budget = NewBudget(scope="key", owner=key.id, period="month", hard_usd=2 * cost)
    bound = accounts.store.create_budget(OPERATOR, budget)
    with GatewayProcess(cwd=folder) as gateway:
        url = gateway.url
        serving(url, secret)
        assert chat(url, key=secret).status == 402
        shown = call(url, "GET", f"/v1/admin/budgets/{bound.id}", key=secret).json
        assert shown["spent_usd"] == pytest.approx(2 * cost)
