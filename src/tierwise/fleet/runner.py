"""Runs a fleet in a process of its own until it is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from tierwise.errors import ConfigError
from tierwise.fleet.fleet import DEFAULT_PORT, Fleet
from tierwise.fleet.provider import HOST

_MARK = "# Written by `tierwise fleet`; it may be overwritten by it.\n"


class FleetOptions(Struct, frozen=True, kw_only=True):
    """How to run a fleet.

    `outcomes` is a folder of recorded outcomes; None simulates. `write_config` is a YAML file to
    write the configuration to. Providers listen on `host`. With `exit_with_parent` the fleet ends
    when standard input does, and leaves it to whoever started it to tell people.
    """

    outcomes: Path | None = None
    host: str = HOST
    base_port: int = DEFAULT_PORT
    seed: int = 0
    speed: float = 1.0
    write_config: Path | None = None
    exit_with_parent: bool = False


async def run(options: FleetOptions) -> None:
    """Runs until SIGTERM or SIGINT, or the end of standard input.

    Prints one line of JSON on standard output, the configuration that points to the fleet, and
    what is for people on standard error: providers, control URL, what a recording lacks.

    Raises:
        ConfigError: the data cannot be served, a port is in use, or the file is not ours.
    """
    fleet = Fleet.of(options.outcomes, seed=options.seed, speed=options.speed)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    await fleet.start(base_port=options.base_port, host=options.host)
    try:
        config = fleet.config()
        if options.write_config is not None:
            write_config(config, options.write_config)
        if not options.exit_with_parent:
            _announce(fleet)
        print(msgspec.json.encode(config).decode(), flush=True)  # noqa: T201
        if options.exit_with_parent:
            _watch_input(loop, over)
        await over.wait()
    finally:
        await fleet.stop()


def write_config(config: dict[str, object], file: Path) -> None:
    """Writes a configuration as YAML; raises `ConfigError` rather than overwrite another file."""
    import yaml

    if file.exists() and not file.read_text(encoding="utf-8").startswith(_MARK):
        raise ConfigError(
            "the file exists and was not written by `tierwise fleet`",
            file=str(file),
            remedy="Name another file, or remove this one.",
        )
    file.write_text(_MARK + yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _announce(fleet: Fleet) -> None:
    what = "simulated models, answers are made up" if fleet.simulated_answers else "recorded"
    lines = [f"fleet: {what}; reference {fleet.reference}", *(f"fleet: {n}" for n in fleet.notes)]
    lines += [
        f"fleet: {provider.name:<6} http://127.0.0.1:{provider.port}/v1  "
        f"{', '.join(provider.models)}"
        for provider in fleet.providers.values()
    ]
    lines.append(f"fleet: control {fleet.control_url}/fleet")
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201


def _watch_input(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    """Sets `over` when standard input ends, which it does however its other end went away."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, name="fleet-parent", daemon=True).start()
