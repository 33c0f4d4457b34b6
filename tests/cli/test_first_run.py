"""The first run, without a configuration."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from gateway import GatewayProcess, call, chat, tierwise, until
from tierwise.config.discover import discover
from tierwise.ledger import Ledger

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _nothing_local() -> None:
    if discover({}).providers:
        pytest.skip("a local model server answers on this machine")


def test_with_nothing_found_it_serves_the_simulated_fleet_and_the_first_curl_works(
    tmp_path: Path,
) -> None:
    with GatewayProcess(cwd=tmp_path) as gateway:
        url = gateway.url
        until(lambda: call(url, "GET", "/health/ready", key=None).status == 200, "the gateway")
        reply = chat(url, "auto", text="What is the capital of France?", key=None)
        assert reply.status == 200
        assert reply.json["choices"][0]["message"]["content"]
        assert reply.headers["x-tierwise-model"] == reply.json["model"]
        assert "SIMULATED" in gateway.stderr
        gateway.end(signal.SIGTERM)
        assert "Traceback" not in gateway.stderr
    assert not (tmp_path / "tierwise.db").exists()
    told = tierwise("report", cwd=tmp_path).stdout
    assert "SIMULATED" in told
    assert "sim-" in told


def test_what_models_that_are_made_up_saved_is_not_added_to_the_ledger_of_real_ones(
    tmp_path: Path,
) -> None:
    with Ledger(tmp_path / "tierwise-simulated.db"):
        pass
    assert "tierwise-simulated.db" in tierwise("db", "status", cwd=tmp_path).stdout
    with Ledger(tmp_path / "tierwise.db"):
        pass
    assert "tierwise.db: " in tierwise("db", "status", cwd=tmp_path).stdout
    told = tierwise("report", cwd=tmp_path).stdout
    assert "SIMULATED" not in told
    assert "--db tierwise-simulated.db" in told  # which `tierwise keys` would hide else
    shown = tierwise("report", "--db", "./tierwise-simulated.db", cwd=tmp_path).stdout
    assert "SIMULATED" in shown
    assert "--db" not in shown


def test_with_nothing_found_a_ping_is_answered_by_the_simulated_fleet(tmp_path: Path) -> None:
    done = tierwise("check", "--ping", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert "SIMULATED" in told["origin"]
    assert {ping["error"] for ping in told["ping"].values()} == {None}
    assert set(told["ping"]) == set(told["deployments"])
