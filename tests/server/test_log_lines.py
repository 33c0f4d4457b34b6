"""What a gateway in a process of its own writes to its log."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    call,
    chat,
    config_for,
    fails,
    until,
    write_config,
)

pytestmark = pytest.mark.process

TRACE = "0af7651916cd43dd8448eb211c80319c"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/v1)")


def a_file(tmp_path: Path, provider: Provider, **server: Any) -> str:
    key = {"key": KEY, "name": "team-a"}
    ledger = {"path": str(tmp_path / "ledger.db")}
    data = config_for(provider.url, server={"api_keys": [key], **server}, ledger=ledger)
    return str(write_config(tmp_path / "tierwise.yaml", data))


def address(gateway: GatewayProcess) -> str:
    until(lambda: _ADDRESS.search(gateway.stderr), "its URL")
    found = _ADDRESS.search(gateway.stderr)
    assert found
    return found[0]


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return call(url, "GET", "/health/live", key=None).status == 200
    return False


def lines(gateway: GatewayProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gateway.stderr.splitlines()]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_is_json_and_names_its_request(
    tmp_path: Path, provider: Provider, workers: int
) -> None:
    file = a_file(tmp_path, provider, log_format="json", access_log=True)
    args = ("--config", file, "--workers", str(workers))
    with GatewayProcess(*args, cwd=tmp_path) as gateway:
        url = address(gateway)
        until(lambda: answers(url), "the workers")
        provider.acts["large"] = fails(401, {"message": f"no such key {KEY}"})
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answered = chat(url, "small", headers=headers)
        failed = chat(url, "large")
        wrong = call(url, "GET", "/v1/models", key="wrong")
        broken = call(url, "POST", "/v1/chat/completions", b"{", key=KEY)
        assert (answered.status, wrong.status, broken.status) == (200, 401, 400)
        assert gateway.end(signal.SIGTERM) == 0
        found = lines(gateway)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)
    access = {line["decision_id"]: line for line in found if line.get("model")}
    line = access[answered.headers["x-tierwise-decision-id"]]
    assert line["logger"] == "tierwise.access"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/chat/completions", 200)
    assert (line["key"], line["trace_id"], line["model"]) == ("team-a", TRACE, "small")
    assert line["cost_usd"] == pytest.approx(20e-6)
    assert line["latency_s"] > 0
    statuses = sorted(line["status"] for line in found if line["logger"] == "tierwise.access")
    assert [status for status in statuses if status != 200] == [400, 401, failed.status]
    [refused] = [line for line in found if line.get("status") == 400]
    assert refused["key"] == "team-a"  # whose program is it that sends what nobody can read?
    [warning] = [line for line in found if line["logger"] == "tierwise.health"]
    assert warning["decision_id"] == failed.headers["x-tierwise-decision-id"]
    assert warning["key"] == "team-a"
    assert KEY not in gateway.stderr


def test_the_log_is_text_without_a_line_for_each_request_unless_asked_for(
    tmp_path: Path, provider: Provider
) -> None:
    with GatewayProcess("--config", a_file(tmp_path, provider), cwd=tmp_path) as gateway:
        url = gateway.url
        until(lambda: answers(url), "the gateway")
        assert chat(url).status == 200
        assert gateway.end(signal.SIGTERM) == 0
        assert "chat/completions" not in gateway.stderr
        assert "{" not in gateway.stderr


def test_the_variable_makes_it_json(tmp_path: Path, provider: Provider) -> None:
    args = ("--config", a_file(tmp_path, provider))
    with GatewayProcess(*args, cwd=tmp_path, TIERWISE_LOG_FORMAT="json") as gateway:
        address(gateway)
        assert {line["logger"] for line in lines(gateway)} == {"tierwise.serve"}


_UVICORN_SPEAKS = """
import json, logging, sys, uvicorn
from tierwise.config import from_mapping
from tierwise.server.run import options
from tierwise.telemetry.logs import set_up
config = from_mapping(json.load(sys.stdin), {})
set_up(config)
uvicorn.Config(lambda: None, **options(config))
try:
    raise ValueError("from client-secret")
except ValueError as error:
    logging.getLogger("uvicorn.error").error("of %s", "client-secret", exc_info=error)
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_of_uvicorn_hide_secrets_too(form: str) -> None:
    server = {"api_keys": ["client-secret"], "log_format": form}
    ran = subprocess.run(
        [sys.executable, "-c", _UVICORN_SPEAKS],
        input=json.dumps(config_for("http://127.0.0.1:9/v1", server=server)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ValueError: from [redacted]" in ran.stderr
    assert "client-secret" not in ran.stderr
