"""The fleet and the gateway, each in a process of its own, as users would run them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess  # nosec B404
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tierwise.errors import ConfigError, TierwiseError

START_S = 60.0
"""How long a process may take to be ready, in seconds; the fleet reads its recordings first."""
STOP_S = 20.0


class StartFailed(TierwiseError):
    """A process of the demo did not come up."""


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that are free now on loopback."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        if first + count < 65_536 and all(_is_free(first + n) for n in range(count)):
            return first
    raise StartFailed(f"no {count} neighbouring free ports on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def fleet_process(
    outcomes: Path | None, *, seed: int, speed: float, base_port: int
) -> Iterator[dict[str, Any]]:
    """Starts the fleet; gives the configuration that points to it.

    Raises:
        ConfigError: it cannot start, for example because the recordings cannot be read; its own
            message, with the remedy, is on stderr.
    """
    command = [
        sys.executable, "-m", "tierwise.fleet", "--exit-with-parent",
        "--base-port", str(base_port), "--seed", str(seed), "--speed", str(speed),
    ]  # fmt: skip
    if outcomes is not None:
        command += ["--outcomes", str(outcomes)]
    # Its standard input is a pipe that closes with this process, which ends the fleet too.
    process = subprocess.Popen(  # nosec B603 # no shell, ourselves again
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            said = process.stderr.read().strip().splitlines()
            raise ConfigError(
                said[-1].removeprefix("tierwise: ") if said else "the fleet did not start"
            )
        yield json.loads(line)
    finally:
        _stop(process)


@contextmanager
def gateway_process(config: Mapping[str, Any], directory: Path) -> Iterator[str]:
    """Starts the gateway with a configuration; gives its base URL once it is ready.

    `directory` gets the configuration, the ledger and the log.

    Raises:
        StartFailed: it did not become ready.
    """
    gateway = Gateway(config, directory, free_ports(1))
    gateway.start()
    try:
        yield gateway.url
    finally:
        gateway.stop()


class Gateway:
    """A gateway that can be killed and started again at the same address.

    Args:
        directory: gets the configuration and the log; one of its own.
    """

    def __init__(self, config: Mapping[str, Any], directory: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = directory / "gateway.log"
        file = directory / "tierwise.yaml"
        # JSON is YAML, and needs no second library here.
        file.write_text(json.dumps(config, indent=2), encoding="utf-8")
        self._command = [
            sys.executable, "-m", "tierwise", "serve", "--config", str(file), "--port", str(port),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it is ready.

        Raises:
            StartFailed: it did not become ready.
        """
        with self._log.open("a") as output:
            process = subprocess.Popen(  # nosec B603 # no shell, ourselves again
                self._command, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            _wait_until_ready(self.url, process, self._log)
        except BaseException:
            _stop(process)
            raise
        self._process = process

    def kill(self) -> None:
        """Ends it at once, without a word to it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """Asks it to end, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            _stop(process)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise StartFailed(f"the gateway ended at once: {log.read_text().strip()[-500:]}")
        try:
            with opener.open(f"{url}/health/ready", timeout=1.0) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError, HTTPException):
            # The last one: whoever calls a port of those that calls come from, before anybody
            # listens there, may be given that port and hear himself.
            time.sleep(0.02)
    raise StartFailed(f"the gateway was not ready within {START_S:g} s: {log.read_text()[-500:]}")


def _stop(process: subprocess.Popen[Any]) -> None:
    """Asks nicely, so that the ledger is written to its end."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
