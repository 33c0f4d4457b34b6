"""One run of the demo, start to end."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from tierwise.demo.added import WARM_UP, added_latency
from tierwise.demo.drive import Outcome, drive
from tierwise.demo.processes import fleet_process, free_ports, gateway_process
from tierwise.demo.result import Offline, Result, summarise
from tierwise.errors import ConfigError
from tierwise.fleet import POLICIES, Fleet, FleetControl, WorkItem
from tierwise.ledger import report

PAIRS = 100
"""Pairs of requests for the added latency."""


class Options(Struct, frozen=True, kw_only=True):
    """What the demo is to do.

    `speed` scales the models' latency: 1 is lifelike, 0 none. `learn` trains a router first, on
    the recorded outcomes of the calibration part, whose prompts the workload never contains. `stay`
    keeps the gateway running afterwards until the view has looked at it.
    """

    outcomes: Path | None = None
    learn: bool = False
    requests: int = 400
    policy: str = "auto"
    seed: int = 0
    speed: float = 0.1
    concurrency: int = 16
    stay: bool = False


class View(Protocol):
    """Who watches a run."""

    def begin(self, fleet: Fleet, options: Options) -> None:
        """Everything has started, and the added latency is measured first."""

    def drives(self) -> None:
        """Now the workload goes out."""

    def saw(self, outcome: Outcome) -> None:
        """A request came back."""

    def killed(self, provider: str) -> None:
        """A provider is dead from now on."""

    def stays(self, url: str) -> None:
        """All is done, and the gateway runs on at `url` until this returns."""


def run(options: Options, view: View) -> Result:
    """Starts fleet and gateway, drives the workload, kills a provider half-way, stops all.

    Raises:
        TierwiseError: a part cannot start.
    """
    fleet = Fleet.of(options.outcomes, seed=options.seed, speed=options.speed)
    with tempfile.TemporaryDirectory(prefix="tierwise-demo-") as name:
        directory = Path(name)
        ledger = directory / "tierwise.db"
        learned_from, router = _learn(fleet, options, directory)
        # Only now: what is free while it learns, which takes minutes, may be taken afterwards.
        base_port = free_ports(len(fleet.providers) + 1)
        control_url = f"http://127.0.0.1:{base_port + len(fleet.providers)}"
        with fleet_process(
            options.outcomes, seed=options.seed, speed=options.speed, base_port=base_port
        ) as config:
            config["ledger"] = {"path": str(ledger)}
            if router is not None:
                config["router"] = {"artifact": str(router)}
            with gateway_process(config, directory) as url:
                view.begin(fleet, options)
                driven = asyncio.run(_drive(url, config, fleet, options, control_url, view))
                if options.stay:
                    view.stays(url)
        # The gateway has stopped, so its ledger is complete.
        booked = report(ledger, now=time.time())
        offline = None if router is None else _offline(router, fleet, options)
    return summarise(
        fleet,
        driven.outcomes,
        offline=offline,
        policy=options.policy,
        learned_from=learned_from,
        failovers=booked.failovers,
        escalations=booked.escalations,
        added_s=driven.added_s,
        killed=driven.killed,
        seconds=driven.seconds,
    )


def _learn(fleet: Fleet, options: Options, directory: Path) -> tuple[int, Path | None]:
    """Trains a router if wanted: how many prompts it has learned from, and its file."""
    if not options.learn:
        return 0, None
    if options.outcomes is None:
        raise ConfigError(
            "there is nothing to learn from: the fleet is simulated",
            field="--learn",
            remedy="Name recorded outcomes with --outcomes DIR.",
        )
    # Imported only here: it needs the `train` extra, and says so.
    from tierwise.learning.train import train

    file = directory / "router.npz"
    asked = [
        str(item.request["messages"][-1]["content"])
        for item in fleet.workload(options.requests, seed=options.seed)
    ]
    trained = train(
        [options.outcomes], file, prompts=set(fleet.calibration), reserved=asked,
        reference=fleet.models[fleet.reference].upstream, seed=options.seed,
    )  # fmt: skip
    return trained.prompts, file


def _offline(router: Path, fleet: Fleet, options: Options) -> Offline | None:
    """What the router's plans come to on the same recorded answers without a gateway."""
    from tierwise.learning.replay import replay

    quality = dict(POLICIES).get(options.policy)
    if quality is None or options.outcomes is None:
        return None
    asked = [item.id for item in fleet.workload(options.requests, seed=options.seed)]
    came = replay(router, options.outcomes, asked, quality)
    return None if came is None else Offline(saving=came.saving, quality_rel=came.quality_rel)


class _Driven(Struct, frozen=True):
    outcomes: list[Outcome]
    added_s: list[float]
    killed: str
    seconds: float


async def _drive(
    url: str,
    config: Mapping[str, Any],
    fleet: Fleet,
    options: Options,
    control_url: str,
    view: View,
) -> _Driven:
    items = fleet.workload(options.requests, seed=options.seed)
    added = await _added(url, config, fleet, items)
    async with FleetControl(control_url) as control:
        half_way = _HalfWay(control, view, options.requests)
        view.drives()
        began = time.monotonic()
        outcomes = await drive(
            url, options.policy, fleet, items, concurrency=options.concurrency, seen=half_way.saw
        )
    return _Driven(outcomes, added, half_way.killed, time.monotonic() - began)


async def _added(
    url: str, config: Mapping[str, Any], fleet: Fleet, items: Sequence[WorkItem]
) -> list[float]:
    """The added latency, on a few of the requests, asked of the model that is soonest done."""
    pairs = (list(items) * (1 + (PAIRS + WARM_UP) // len(items)))[: PAIRS + WARM_UP]
    quickest = min(fleet.models.values(), key=lambda m: m.ttft_s)
    return await added_latency(url, config, quickest.id, pairs)


class _HalfWay:
    """Kills the provider that has answered most, when half of the requests are through."""

    def __init__(self, control: FleetControl, view: View, requests: int) -> None:
        self._control = control
        self._view = view
        self._half = requests // 2
        self._answers: Counter[str] = Counter()
        self._through = 0
        self._turn = asyncio.Lock()
        self.killed = ""

    async def saw(self, outcome: Outcome) -> None:
        """Counts an outcome. While a provider is being killed, nobody goes on to the next."""
        async with self._turn:
            self._view.saw(outcome)
            self._through += 1
            if outcome.deployment is not None:
                self._answers[outcome.deployment.partition("/")[0]] += 1
            if self._through >= self._half and not self.killed and self._answers:
                self.killed = self._answers.most_common(1)[0][0]
                await self._control.kill(self.killed)
                self._view.killed(self.killed)
