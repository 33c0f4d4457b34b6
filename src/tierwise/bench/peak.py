"""What stays of the answers' quality when three times as many want the best model as it can take.

A fleet of recorded answers is asked by an open loop: calm, a peak, calm. First without limits, and
that says what the reference would have to take. Then it may take a third of that, and the same
requests come three times more: to prices and waiting, to first come, first served, and to a client
that names models in turn. Fleet and client run here, the gateway in a process of its own, and
everything between them is HTTP over the loopback interface.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tierwise.bench.gateway import started
from tierwise.bench.peak_drive import Arrival, Phases, arrivals, drive
from tierwise.bench.peak_figures import Course, Figures, course, figures
from tierwise.bench.programs import free_ports
from tierwise.fleet import Fleet
from tierwise.ledger import Ledger

POLICY = "best"
TIMES = 3
"""In the peak the reference is wanted this many times more than it can take."""
UNLIMITED, OURS, FIRST_COME, IN_TURN = "unlimited", "prices", "first_come", "round_robin"
MODES = (UNLIMITED, OURS, FIRST_COME, IN_TURN)
SHORT = Phases(before_s=3.0, peak_s=10.0, after_s=5.0)
_RIGHT = 0.5

Say = Callable[[str], None]


class Options(Struct, frozen=True, kw_only=True):
    """`outcomes` is a folder of recorded answers, without it they are simulated; `speed` is a
    factor on lifelike latency."""

    outcomes: Path | None = None
    phases: Phases = Phases()
    speed: float = 0.3
    seed: int = 0

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return 1 + len(MODES)


class Peak(Struct, frozen=True, kw_only=True):
    """What a peak came to under each of `MODES`.

    `learned_from` is how many prompts, none of them among the requests, the router was trained on;
    0 if it follows rules. `calls` is how many calls at a time the reference takes where it is
    limited. `in_turn` are the models that round-robin names.
    """

    simulated: bool
    policy: str
    reference: str
    learned_from: int
    phases: Phases
    speed: float
    tasks: int
    calls: int
    in_turn: tuple[str, ...]
    runs: dict[str, Figures]


def run(options: Options, say: Say = lambda _: None) -> Peak:
    """Measures on this machine.

    Raises:
        TierwiseError: the gateway did not start, or there is nothing to learn from.
    """
    if options.outcomes is None:
        fleet = Fleet.simulated(seed=options.seed, speed=options.speed)
    else:
        fleet = Fleet.recorded(options.outcomes, seed=options.seed, speed=options.speed)
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
        home = Path(name)
        coming = arrivals(fleet, options.phases, options.seed)
        say("training a router")
        learned_from, router = learn(fleet, coming, options, home)
        bench = _Bench(fleet, coming, options, home, router)
        return replace(asyncio.run(bench.measure(say)), learned_from=learned_from)


def learn(
    fleet: Fleet, coming: Sequence[Arrival], options: Options, home: Path
) -> tuple[int, Path | None]:
    """Trains a router on recorded prompts that are not asked: how many those are, and its file."""
    if options.outcomes is None:
        return 0, None
    # Imported only here: it needs the `train` extra, and says so.
    from tierwise.learning.train import train

    file = home / "router.npz"
    asked = [str(one.item.request["messages"][-1]["content"]) for one in coming]
    trained = train(
        [options.outcomes], file, prompts=set(fleet.calibration), reserved=asked,
        reference=fleet.models[fleet.reference].upstream, seed=options.seed,
    )  # fmt: skip
    return trained.prompts, file


class _Bench:
    """The runs, one after the other, in front of one fleet."""

    def __init__(
        self,
        fleet: Fleet,
        coming: Sequence[Arrival],
        options: Options,
        home: Path,
        router: Path | None,
    ) -> None:
        self._fleet = fleet
        self._coming = coming
        self._options = options
        self._phases = options.phases
        self._home = home
        self._router = router
        best = sorted(fleet.models.values(), key=lambda model: -model.quality)
        others = [model.id for model in best if model.id != fleet.reference]
        self._in_turn = (fleet.reference, *others[: TIMES - 1])

    async def measure(self, say: Say) -> Peak:
        """All of them."""
        fleet = self._fleet
        async with fleet:
            say(UNLIMITED)
            unlimited = await self._course(UNLIMITED, None)
            homes = len(fleet.models[fleet.reference].homes)
            each = max(1, round(unlimited.busy_s / self._phases.peak_s / TIMES / homes))
            runs = {UNLIMITED: self._figures(unlimited, unlimited, None)}
            for mode in MODES[1:]:
                say(mode)
                limited = await self._course(mode, each)
                runs[mode] = self._figures(limited, unlimited, each * homes)
        return Peak(
            simulated=fleet.simulated_answers,
            policy=POLICY,
            reference=fleet.reference,
            learned_from=0,
            phases=self._phases,
            speed=self._options.speed,
            tasks=len({one.item.id for one in self._coming}),
            calls=each * homes,
            in_turn=self._in_turn,
            runs=runs,
        )

    async def _course(self, mode: str, calls: int | None) -> Course:
        """One run. `calls` is how many each place of the reference takes at a time."""
        home = self._home / mode
        home.mkdir()
        (port,) = free_ports(1)
        names = self._in_turn
        turns = [(*names[at:], *names[:at]) for at in range(len(names))]
        # The loop stands still while the gateway starts; nobody asks the fleet anything by then.
        with started(home, port, self.config_text(mode, home, port, calls), core=None):
            # What is loaded at the first request is no part of a peak.
            await drive(port, self._fleet, [replace(self._coming[0], at=0.0)], [(POLICY,)])
            began = time.time()
            policy = [(POLICY,)] if mode != IN_TURN else turns
            seen = await drive(port, self._fleet, self._coming, policy)
        # The gateway has stopped, so its ledger is complete.
        records = [*Ledger(home / "ledger.db").recent(None, since=began)]
        return course(seen, records, self._fleet.reference, self._phases, began)

    def config_text(self, mode: str, home: Path, port: int, calls: int | None) -> str:
        """The fleet's configuration under a mode. JSON, which is YAML too."""
        config = self._fleet.config()
        if calls is not None:
            for provider in config["providers"].values():
                served = provider["models"]
                provider["models"] = [self._limited(entry, calls) for entry in served]
        config["router"] = {
            "artifact": "none" if self._router is None else str(self._router),
            "shadow_prices": mode in (UNLIMITED, OURS),
        }
        if mode == IN_TURN:
            config["policies"]["auto"]["wait_s"] = 0
        config["server"] = {"host": "127.0.0.1", "port": port}
        config["ledger"] = {"path": str(home / "ledger.db")}
        return json.dumps(config, indent=2)

    def _limited(self, entry: str | dict[str, Any], calls: int) -> str | dict[str, Any]:
        named = {"model": entry} if isinstance(entry, str) else entry
        if named["model"] != self._fleet.reference:
            return entry
        return {**named, "limits": {"concurrency": calls}}

    def _figures(self, one: Course, unlimited: Course, calls: int | None) -> Figures:
        return figures(
            one, unlimited, reference=self._fleet.reference, phases=self._phases, calls=calls,
            needy=self._needy(),
        )  # fmt: skip

    def _needy(self) -> set[str]:
        """Tasks that of those in turn none but the reference is right with."""
        fleet, found = self._fleet, set[str]()
        for item in {one.item.id: one.item for one in self._coming}.values():
            right = {
                model
                for model in self._in_turn
                if (fleet.score(item, model, fleet.expected(item, model)) or 0.0) >= _RIGHT
            }
            if right == {fleet.reference}:
                found.add(item.id)
        return found
