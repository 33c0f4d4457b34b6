"""Starts the gateway under uvicorn, with one worker in this process or several below it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn

from tierwise.config import Config
from tierwise.config.origin import Origin
from tierwise.config.serving import ServerConfig, TlsConfig
from tierwise.errors import ConfigError
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway
from tierwise.server.door import Door
from tierwise.server.exposure import check_exposure
from tierwise.server.source import Source
from tierwise.server.supervisor import Supervisor
from tierwise.state.promises import Crew
from tierwise.telemetry.logs import set_up as set_up_log

if TYPE_CHECKING:
    import ssl

log = logging.getLogger("tierwise.server")

_CONFIG_VARIABLE = "TIERWISE_WORKER_CONFIG"
_SOURCE_VARIABLE = "TIERWISE_WORKER_SOURCE"
_SUPERVISOR_VARIABLE = "TIERWISE_WORKERS_SUPERVISOR"
_WORKERS_VARIABLE = "TIERWISE_WORKERS"
_FOLDER_VARIABLE = "TIERWISE_WORKERS_FOLDER"
_KEEP_ALIVE_S = 75
"""Longer than usual load balancers keep idle connections, so that they close first."""
_BACKLOG = 2048


def serve(
    config: Config,
    *,
    workers: int = 1,
    source: Source | None = None,
    announce: Callable[[str], None] = lambda _: None,
    reveal: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; then finishes open requests and empties the ledger.

    Args:
        source: where the configuration is read again on SIGHUP; None: nowhere.
        announce: called with the gateway's URL when its port is taken and all else is in order.
        reveal: shows a secret to whoever has started the gateway, and to nobody else; None where
            that cannot be done.

    Raises:
        ConfigError: the configuration, the ledger or the address cannot be used, or nobody would
            be kept out of an address that others can reach.
    """
    check_exposure(config)
    set_up_log(config)
    source = source or Source()
    orchestrator = Orchestrator.from_config(config)
    listening = _bind(config.server.host, config.server.port)
    port = listening.getsockname()[1]
    orchestrator.start()
    if config.server.tls is not None:
        _context(config.server.tls)  # so that what is wrong with it is said now
    if config.state.url is not None:
        from tierwise.state.shared.connection import client_of

        client_of(config.state)
    if config.accounts.enabled:
        from tierwise.server.bootstrap import first_key

        first_key(config, reveal)
    if hasattr(signal, "SIGHUP"):
        # Whoever has read the URL may ask for a reload before anybody listens for that.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    url = _url(config.server, port)
    if workers <= 1:
        gateway = Gateway(orchestrator, config, source, door=Door(listening))
        server = uvicorn.Server(uvicorn.Config(gateway, **options(config)))
        with contextlib.suppress(KeyboardInterrupt):
            # Having finished, uvicorn raises the signal that it got once more. By itself SIGTERM
            # would then end the process with a status that says it failed.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            announce(url)
            server.run([listening])
        return
    announce(url)
    # All that can be wrong was found out here, once, and not by each worker again and again.
    orchestrator.ledger.close()
    _supervise(config, workers, source, listening)


def _supervise(config: Config, workers: int, source: Source, listening: socket.socket) -> None:
    """Runs so many workers, until a signal ends them."""
    # Workers are new processes; they get the configuration by the environment, which only this
    # user can read, because a file would leave secrets behind.
    os.environ[_CONFIG_VARIABLE] = dump(config).decode()
    os.environ[_SOURCE_VARIABLE] = msgspec.json.encode(source).decode()
    os.environ[_SUPERVISOR_VARIABLE] = str(os.getpid())
    os.environ[_WORKERS_VARIABLE] = str(workers)
    running = config

    def reload() -> bool:
        nonlocal running
        try:
            running, _ = source.again(running)
            Orchestrator.from_config(running)
        except ConfigError as error:
            log.error("the configuration was not reloaded, the old one goes on serving: %s", error)
            return False
        os.environ[_CONFIG_VARIABLE] = dump(running).decode()
        return True

    with tempfile.TemporaryDirectory(prefix="tierwise-workers-") as directory:
        os.environ[_FOLDER_VARIABLE] = directory
        supervised = uvicorn.Config(
            "tierwise.server.run:create_worker", factory=True, workers=workers, **options(config)
        )
        # They share the socket that is already taken, so that who connects now is served later
        # and not reset.
        listening.set_inheritable(True)
        Supervisor(supervised, [listening], reload, config.server.notice_s).run()


def create_worker() -> Gateway:
    """The application of one of several workers."""
    # It is resolved and checked already; a `${` in it now is part of a secret.
    config = Config.model_validate_json(os.environ[_CONFIG_VARIABLE])
    source = msgspec.json.decode(os.environ.get(_SOURCE_VARIABLE, "{}"), type=Source)
    config = config.with_origin(Origin(source.file))
    set_up_log(config)
    orchestrator = Orchestrator.from_config(config, crew=_crew())
    return Gateway(orchestrator, config, source, _supervisor())


def _supervisor() -> int | None:
    """The process that has started this one, if it is the one that looks after workers."""
    parent = os.getppid()
    return parent if os.environ.get(_SUPERVISOR_VARIABLE) == str(parent) else None


def _crew() -> Crew:
    folder = os.environ.get(_FOLDER_VARIABLE)
    workers = int(os.environ.get(_WORKERS_VARIABLE, "1"))
    return Crew(workers, Path(folder) if folder is not None else None)


def dump(config: Config) -> bytes:
    """The configuration as JSON, secrets included; for our own workers only."""

    def plain(value: object) -> object:
        if hasattr(value, "get_secret_value"):
            return value.get_secret_value()
        raise NotImplementedError

    # Only what is written: not every default may be written too, such as a list that is empty.
    return msgspec.json.encode(config.model_dump(exclude_unset=True), enc_hook=plain)


def options(config: Config) -> dict[str, Any]:
    """What uvicorn is told, but for the address."""
    server = config.server
    told: dict[str, Any] = {
        "loop": "uvloop" if os.name == "posix" else "asyncio",
        "http": "tierwise.server.corked:CorkedProtocol",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "log_level": "warning",
        "log_config": None,  # its lines go where all others go, and as redacted
        "server_header": False,
        "proxy_headers": False,
        "date_header": False,
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": server.grace_s,
        "headers": [("x-content-type-options", "nosniff")],
    }
    if server.trusted_proxies:
        told |= {"proxy_headers": True, "forwarded_allow_ips": server.trusted_proxies}
    if server.tls is not None:
        told["ssl_context_factory"] = partial(_context, server.tls)
        told["headers"].append(("strict-transport-security", "max-age=31536000"))
    return told


def _context(config: TlsConfig, *_: object) -> ssl.SSLContext:
    from tierwise.server.tls import context_for

    return context_for(config)


def _bind(host: str, port: int) -> socket.socket:
    """Takes the address before anything is promised about it.

    Raises:
        ConfigError: the port is in use, or the host is not one of this machine.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # Where a name has both, IPv4: who tries IPv6 first comes back to it, not so the reverse.
        family, *_, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConfigError(
            f"cannot listen on {host}:{port}: {why or error}",
            field="server.port",
            remedy="Choose another with --port (or --host), or stop what uses it.",
        ) from None


def _url(server: ServerConfig, port: int) -> str:
    scheme = "http" if server.tls is None else "https"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{scheme}://{host}:{port}/v1"
