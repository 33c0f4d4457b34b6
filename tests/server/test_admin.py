"""What operators do while the gateway runs: drain, restore, look; and who may."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    Reply,
    RunningGateway,
    call,
    chat,
    config_for,
    fails,
    tierwise,
    until,
    write_config,
)

ADMIN = "admin-key-1"
KEYS = [KEY, {"key": ADMIN, "name": "operator", "admin": True}]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningGateway, Provider]]:
    with Provider() as provider, a_gateway(provider) as gateway:
        yield gateway, provider


def a_gateway(provider: Provider) -> RunningGateway:
    return RunningGateway(config_for(provider.url, server={"api_keys": KEYS}))


@pytest.fixture
def gateway(running: tuple[RunningGateway, Provider]) -> RunningGateway:
    found, provider = running
    provider.reset()
    found.forget()
    return found


def order(url: str, deployment: str, what: str, key: str | None = ADMIN) -> Reply:
    return call(url, "POST", f"/v1/admin/deployments/{deployment}/{what}", key=key)


def status(url: str, key: str | None = KEY) -> Any:
    reply = call(url, "GET", "/v1/status", key=key)
    assert reply.status == 200
    return reply.json


def state_of(url: str, name: str) -> str:
    return str(next(one for one in status(url)["deployments"] if one["id"] == name)["state"])


def test_a_drained_deployment_takes_no_calls_until_it_is_restored(gateway: RunningGateway) -> None:
    reply = order(gateway.url, "alpha/small", "drain")
    assert reply.status == 200
    assert reply.json["state"] == state_of(gateway.url, "alpha/small") == "drained"
    refused = chat(gateway.url, "small")
    assert refused.status == 503
    assert "drained by an operator" in refused.error["message"]
    assert order(gateway.url, "alpha/small", "restore").json["state"] == "ready"
    assert chat(gateway.url, "small").status == 200


def test_restoring_ends_whatever_kept_calls_away(
    gateway: RunningGateway, running: tuple[RunningGateway, Provider]
) -> None:
    _, provider = running
    provider.acts["small"] = fails(401, {"message": "bad key"})
    assert chat(gateway.url, "small").status == 503
    assert state_of(gateway.url, "alpha/small") == "resting"
    provider.acts.clear()
    assert order(gateway.url, "alpha/small", "restore").json["state"] == "ready"
    assert chat(gateway.url, "small").status == 200


@pytest.mark.parametrize("path", ["deployments/alpha/small/drain", "reload", "cache/clear"])
def test_a_key_that_is_no_operator_s_is_refused(gateway: RunningGateway, path: str) -> None:
    reply = call(gateway.url, "POST", f"/v1/admin/{path}", key=KEY)
    assert reply.status == 403
    assert "admin: true" in reply.error["message"]
    assert call(gateway.url, "POST", f"/v1/admin/{path}", key=None).status == 401
    assert state_of(gateway.url, "alpha/small") == "ready"


def test_an_unknown_deployment_is_answered_with_the_nearest(gateway: RunningGateway) -> None:
    reply = order(gateway.url, "alpha/smal", "drain")
    assert reply.status == 404
    assert "alpha/small" in reply.error["message"]


def test_without_keys_programs_on_this_machine_may_and_pages_in_browsers_may_not(
    provider: Provider,
) -> None:
    with RunningGateway(config_for(provider.url)) as gateway:
        path = "/v1/admin/deployments/alpha/small/drain"
        page = call(gateway.url, "POST", path, key=None, headers={"origin": "http://evil.example"})
        assert page.status == 403
        assert call(gateway.url, "POST", path, key=None).status == 200


def test_the_status_says_of_each_deployment_what_an_operator_asks_first(
    gateway: RunningGateway, running: tuple[RunningGateway, Provider]
) -> None:
    _, provider = running
    provider.acts["large"] = fails(429, {"message": "slow down"}, {"retry-after": "60"})
    assert chat(gateway.url, "small").status == 200
    assert chat(gateway.url, "large").status == 429
    found = status(gateway.url)
    by_id = {one["id"]: one for one in found["deployments"]}
    small, large = by_id["alpha/small"], by_id["alpha/large"]
    assert (small["state"], small["requests"], small["in_flight"]) == ("ready", 1, 0)
    assert small["latency_s"] > 0
    assert small["prices"]["input"] == 1
    assert small["shadow_price"] == 0
    assert large["state"] == "resting"
    assert "slow down" in large["why"]
    assert 0 < large["back_s"] <= 60
    assert "slow down" in large["last_error"]
    assert (found["state"], found["admission"]["inside"]) == ("ready", 0)
    assert found["config"]["refused"] is None
    assert call(gateway.url, "GET", "/v1/status", key=None).status == 401


def test_the_command_shows_it_and_says_how_to_reach_a_gateway(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    order(gateway.url, "alpha/large", "drain")
    shown = tierwise("status", "--url", gateway.url, "--key", KEY, cwd=tmp_path)
    assert shown.returncode == 0
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert "drained by an operator" in " ".join(shown.stdout.split())
    order(gateway.url, "alpha/large", "restore")
    printed = tierwise(
        "status", "--url", f"{gateway.url}/v1", "--json", cwd=tmp_path, TIERWISE_API_KEYS=KEY
    )
    assert len(json.loads(printed.stdout)["deployments"]) == 2
    refused = tierwise("status", "--url", gateway.url, "--key", "wrong", cwd=tmp_path)
    assert (refused.returncode, "Give one of its keys" in refused.stderr) == (2, True)
    nobody = tierwise("status", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert (nobody.returncode, "nobody answers" in nobody.stderr) == (2, True)
    odd = tierwise("status", "--url", "localhost", cwd=tmp_path)
    assert (odd.returncode, "is no address" in odd.stderr) == (2, True)


def test_the_command_says_that_the_ledger_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    file = tmp_path / "ledger.db"
    with (
        Provider() as provider,
        RunningGateway(config_for(provider.url, ledger={"path": str(file)})) as gateway,
    ):
        assert chat(gateway.url).status == 200  # it has opened the ledger
        gateway.settle()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert chat(gateway.url).status == 200
            until(lambda: gateway.orchestrator.ledger.last_error, "the writer to fail")
            shown = tierwise("status", "--url", gateway.url, cwd=tmp_path)
            other.execute("ROLLBACK")
    assert "the ledger cannot be written, 1 wait: database is locked" in shown.stdout


@pytest.fixture
def file(tmp_path: Path, provider: Provider) -> Path:
    data = config_for(
        provider.url,
        server={"api_keys": KEYS, "grace_s": 5},
        ledger={"path": str(tmp_path / "ledger.db")},
    )
    return write_config(tmp_path / "tierwise.yaml", data)


@pytest.mark.parametrize("path", ["deployments/alpha/small/drain", "cache/clear"])
def test_an_order_that_other_workers_cannot_be_told_says_so(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tierwise.state.orders.Orders.give", full)
    monkeypatch.setattr("tierwise.state.clearing.Clearing.give", full)
    reply = call(gateway.url, "POST", f"/v1/admin/{path}", key=ADMIN)
    assert (reply.status, reply.error["code"]) == (503, "state_unavailable")
    assert "this worker" in reply.error["message"].lower()
    assert "No space left on device" in reply.error["message"]
    monkeypatch.undo()
    assert order(gateway.url, "alpha/small", "restore").status == 200


def test_an_order_reaches_all_workers(file: Path, tmp_path: Path) -> None:
    def everywhere(wanted: str) -> bool:
        with ThreadPoolExecutor(8) as pool:
            seen = {one["worker"]: one for one in pool.map(lambda _: status(url), range(8))}
        states = {
            next(d for d in one["deployments"] if d["id"] == "alpha/small")["state"]
            for one in seen.values()
        }
        return len(seen) == 2 and states == {wanted}

    with GatewayProcess("--config", str(file), "--workers", "2", cwd=tmp_path) as gateway:
        url = gateway.url
        until(lambda: everywhere("ready"), "both workers")
        assert order(url, "alpha/small", "drain").json["workers"] == 2
        until(lambda: everywhere("drained"), "the order in both workers")
        assert order(url, "alpha/small", "restore").status == 200
        until(lambda: everywhere("ready"), "the order in both workers")
        assert gateway.end(signal.SIGTERM) == 0


def test_a_gateway_that_is_being_stopped_is_not_ready_and_keeps_no_connection(
    provider: Provider,
) -> None:
    with a_gateway(provider) as gateway:
        assert call(gateway.url, "GET", "/health/ready").status == 200
        assert "connection" not in chat(gateway.url).headers
        gateway.application.drain()
        assert call(gateway.url, "GET", "/health/ready").status == 503
        assert call(gateway.url, "GET", "/health/live").status == 200
        last = chat(gateway.url)
        assert (last.status, last.headers["connection"]) == (200, "close")
        assert status(gateway.url)["state"] == "draining"
