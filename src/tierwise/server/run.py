"""Starts the gateway under uvicorn, with one worker in this process or several below it."""

from __future__ import annotations

import os
import tempfile

import msgspec
import uvicorn

from tierwise.config import Config, from_mapping
from tierwise.errors import ConfigError
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway

_CONFIG_VARIABLE = "TIERWISE_WORKER_CONFIG"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_KEEP_ALIVE_S = 75
"""Longer than usual load balancers keep idle connections, so that they close first."""


def serve(config: Config, *, workers: int = 1) -> None:
    """Serves until SIGTERM or SIGINT; then finishes open requests and empties the ledger.

    Raises:
        ConfigError: nobody would be kept out of an address that others can reach.
    """
    check_exposure(config)
    options = {
        "host": config.server.host,
        "port": config.server.port,
        "loop": "uvloop" if os.name == "posix" else "asyncio",
        "http": "httptools",
        "lifespan": "on",
        "access_log": False,
        "log_level": "warning",
        "server_header": False,
        "proxy_headers": False,
        "date_header": False,
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": int(config.server.grace_s) or None,
    }
    if workers <= 1:
        uvicorn.run(Gateway(Orchestrator.from_config(config), config), **options)  # type: ignore[arg-type]
        return
    # Workers are new processes; they get the configuration by the environment, which only this
    # user can read, because a file would leave secrets behind.
    os.environ[_CONFIG_VARIABLE] = dump(config).decode()
    with tempfile.TemporaryDirectory(prefix="tierwise-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        uvicorn.run(
            "tierwise.server.run:create_worker",
            factory=True,
            workers=workers,
            **options,  # type: ignore[arg-type]
        )


def create_worker() -> Gateway:
    """The application of one of several workers."""
    config = from_mapping(msgspec.json.decode(os.environ[_CONFIG_VARIABLE]), {})
    return Gateway(Orchestrator.from_config(config), config)


def check_exposure(config: Config) -> None:
    """Refuses to listen where others can connect while no key is configured."""
    if not config.server.api_keys and config.server.host not in _LOOPBACK:
        raise ConfigError(
            f"without keys the gateway listens on loopback only, not on {config.server.host}",
            field="server.api_keys",
            remedy="Set TIERWISE_API_KEYS or `server.api_keys`, or use --host 127.0.0.1.",
        )


def dump(config: Config) -> bytes:
    """The configuration as JSON, secrets included; for our own workers only."""

    def plain(value: object) -> object:
        if hasattr(value, "get_secret_value"):
            return value.get_secret_value()
        raise NotImplementedError

    return msgspec.json.encode(config.model_dump(), enc_hook=plain)
