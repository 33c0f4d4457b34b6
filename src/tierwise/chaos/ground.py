"""What a scenario stands on: a fleet and a gateway, each a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from msgspec import Struct

from tierwise.demo.processes import fleet_process, free_ports, gateway_process
from tierwise.fleet import Fleet

TIMEOUTS = {"connect": 1.0, "first_token": 2.0, "between_tokens": 2.0, "total": 5.0}
"""Seconds; short ones, as the fleet's models are quick. What providers need in earnest is longer,
and so is then what a hanging one costs."""
PATIENT = {"connect": 10.0, "first_token": 120.0, "between_tokens": 120.0, "total": 240.0}
"""For streams that are to be slow."""
DEADLINE_S = 15.0
GRACE_S = 3.0
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{[^}]*\})? (?P<value>\S+)$", re.MULTILINE)


class Ground(Struct, frozen=True, kw_only=True):
    """Where everything is. `fleet` is a twin of the one that runs, and knows what is right."""

    url: str
    control_url: str
    directory: Path
    fleet: Fleet

    @property
    def log(self) -> Path:
        """What the gateway tells its operator."""
        return self.directory / "gateway.log"

    @property
    def ledger(self) -> Path:
        """The gateway's ledger; complete once the gateway has ended."""
        return self.directory / "tierwise.db"


class Inside(Struct, frozen=True):
    """What the gateway says of itself: its process, calls under way, records not yet written."""

    pid: int
    in_flight: int
    pending: int


@contextmanager
def standing(
    fleet: Fleet,
    outcomes: Path | None,
    *,
    seed: int,
    speed: float,
    timeouts: Mapping[str, float] = TIMEOUTS,
) -> Iterator[Ground]:
    """A fleet and a gateway in front of it, until the block ends.

    Raises:
        TierwiseError: one of them does not start.
    """
    base_port = free_ports(len(fleet.providers) + 1)
    with (
        TemporaryDirectory(prefix="tierwise-chaos-") as name,
        fleet_process(outcomes, seed=seed, speed=speed, base_port=base_port) as config,
    ):
        directory = Path(name)
        with gateway_process(configured(config, directory, timeouts), directory) as url:
            yield Ground(
                url=url,
                control_url=f"http://127.0.0.1:{base_port + len(fleet.providers)}",
                directory=directory,
                fleet=fleet,
            )


def configured(
    fleet: Mapping[str, Any], directory: Path, timeouts: Mapping[str, float]
) -> dict[str, Any]:
    """The gateway's configuration: the fleet's, with timeouts, deadlines and a ledger."""
    deadline = max(DEADLINE_S, timeouts["total"])
    return {
        **fleet,
        "server": {"grace_s": GRACE_S},
        "timeouts": dict(timeouts),
        "policies": {
            name: {**policy, "deadline_s": deadline} for name, policy in fleet["policies"].items()
        },
        "ledger": {"path": str(directory / "tierwise.db")},
    }


async def look_inside(session: aiohttp.ClientSession, url: str) -> Inside:
    """Reads the gateway's metrics and its status."""
    async with session.get(f"{url}/v1/status") as response:
        pid = int((await response.json())["worker"])
    async with session.get(f"{url}/metrics") as response:
        text = await response.text()
    in_flight = pending = 0
    for sample in _SAMPLE.finditer(text):
        if sample["name"] == "tierwise_ledger_pending":
            pending = int(float(sample["value"]))
        elif sample["name"] == "tierwise_deployment_in_flight":
            in_flight += int(float(sample["value"]))
    return Inside(pid, in_flight, pending)
