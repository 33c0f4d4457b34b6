"""The gateway under measurement: started as anybody would, with everything switched on."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tierwise.bench import nginx
from tierwise.bench.programs import BenchError, running, wait_until
from tierwise.bench.traffic import PATH, STREAM_MODEL, WHOLE_MODEL, request_text

KEY = "sk-bench-0123456789abcdef0123456789abcdef"
START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 60.0


class LedgerState(msgspec.Struct, frozen=True):
    """Records that wait to be written, and records that were dropped."""

    pending: int
    dropped: int


class _Ready(msgspec.Struct, frozen=True):
    ledger: LedgerState


class Gateway(msgspec.Struct, frozen=True):
    """A gateway that runs. `start_s` is from the start of its process until it was ready."""

    pid: int
    port: int
    start_s: float

    def ledger(self) -> LedgerState:
        """What the ledger says of itself."""
        status, body = _ask(self.port, "/health/ready")
        if status != 200:
            raise BenchError(f"the gateway is not ready any more: {status}")
        return msgspec.json.decode(body, type=_Ready).ledger

    def drain(self) -> None:
        """Waits until the ledger has written every record, so that its work is counted too.

        Raises:
            BenchError: it did not within a minute.
        """
        give_up = time.monotonic() + DRAIN_TIMEOUT_S
        while self.ledger().pending:
            if time.monotonic() > give_up:
                raise BenchError(f"the ledger was not written within {DRAIN_TIMEOUT_S:g} s")
            time.sleep(0.05)

    def check(self) -> None:
        """Makes sure that there is something to measure: answers, streams and a check of keys.

        Raises:
            BenchError: one of them is missing.
        """
        for stream, expected in ((False, b"quick brown fox"), (True, b"data: [DONE]")):
            status, body = _ask(self.port, PATH, request_text(stream=stream), KEY)
            if status != 200 or expected not in body:
                raise BenchError(f"the gateway does not answer: {status} {body[:300]!r}")
        status, _ = _ask(self.port, PATH, request_text(stream=False), "sk-wrong")
        if status != 401:
            raise BenchError(f"the gateway let a wrong key in: {status}")


@contextmanager
def serving(home: Path, port: int, upstream: int, *, core: int | None) -> Iterator[Gateway]:
    """`tierwise serve` with one worker in front of the upstream's port, until the block ends."""
    with started(home, port, config_text(home, port, upstream), core=core) as gateway:
        yield gateway


@contextmanager
def started(home: Path, port: int, config: str, *, core: int | None) -> Iterator[Gateway]:
    """`tierwise serve` with one worker and this configuration, until the block ends.

    Raises:
        BenchError: it did not become ready.
    """
    file = home / "tierwise.yaml"
    file.write_text(config)
    log = home / "gateway.log"
    command = [sys.executable, "-m", "tierwise", "serve", "--config", str(file)]
    began = time.monotonic()
    with running(command, core=core, log=log, environment=_environment()) as process:
        wait_until(lambda: _is_ready(port), process, log, timeout_s=START_TIMEOUT_S)
        yield Gateway(process.pid, port, time.monotonic() - began)


def config_text(home: Path, port: int, upstream: int) -> str:
    """A configuration with a key and a ledger on disk. JSON, which is YAML too."""
    base = f"http://127.0.0.1:{upstream}"
    price = {"prices": {"input": 1.0, "output": 2.0}}
    config = {
        "server": {"host": "127.0.0.1", "port": port, "api_keys": [KEY]},
        "providers": {
            "whole": {"base_url": f"{base}{nginx.WHOLE}/v1", "models": [WHOLE_MODEL]},
            "stream": {"base_url": f"{base}{nginx.STREAM}/v1", "models": [STREAM_MODEL]},
        },
        "models": {WHOLE_MODEL: price, STREAM_MODEL: price},
        "ledger": {"path": str(home / "ledger.db")},
    }
    return json.dumps(config, indent=2)


def _environment() -> dict[str, str]:
    """Ours, without what would change the gateway's configuration or the way to its upstream."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TIERWISE_") and not name.lower().endswith("_proxy")
    }


def _is_ready(port: int) -> bool:
    try:
        return _ask(port, "/health/ready")[0] == 200
    except OSError:
        return False


def _ask(
    port: int, path: str, body: str | None = None, key: str | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
