"""A certificate that one gateway finds void is void for another one with a disk of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import Provider, RunningGateway, call, chat, says, tierwise, until, write_config
from replicated import RedisServer
from server.test_certificate import LONG, certificate, configured

pytestmark = pytest.mark.process


def state(gateway: RunningGateway) -> str:
    found: str = call(gateway.url, "GET", "/v1/certificate").json["data"][0]["state"]
    return found


def ready(gateway: RunningGateway) -> None:
    until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")


def test_what_one_gateway_finds_is_void_for_another_one_until_it_is_restored(
    provider: Provider, tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.state.drift.WINDOW", 40)
    provider.acts["small"] = says(LONG)
    data: dict[str, Any] = configured(provider.url, tmp_path, certificate())
    data["state"] = {"url": redis.url, "timeout_s": 3.0}

    def replica(name: str) -> RunningGateway:
        return RunningGateway({**data, "ledger": {"path": str(tmp_path / f"{name}.db")}})

    with replica("a") as first, replica("b") as second:
        for gateway in (first, second):
            ready(gateway)
        for _ in range(40):
            chat(first.url, "stepwise")
        first.settle()
        until(lambda: state(first) == state(second) == "void", "both to know")
        assert chat(second.url, "stepwise").headers["x-tierwise-model"] == "large"
    with replica("c") as late:
        ready(late)
        until(lambda: state(late) == "void", "what was found before")

    file = write_config(tmp_path / "tierwise.yaml", {**data, "ledger": {"path": "elsewhere.db"}})
    asked = ("calibrate", "--restore", "--policy", "stepwise", "--config", str(file))
    restored = tierwise(*asked, cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    assert "for the replicas" in restored.stdout
    assert "nothing to restore" in tierwise(*asked, cwd=tmp_path).stdout
    with replica("d") as fresh:
        ready(fresh)
        assert state(fresh) == "valid"
    redis.kill()
    failed = tierwise(*asked, cwd=tmp_path)
    assert failed.returncode == 2
    assert "state.url" in failed.stderr
