"""The fleet: several providers, what they serve, and what is true about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tierwise.catalog import cost
from tierwise.errors import ConfigError
from tierwise.fleet.draw import dice
from tierwise.fleet.provider import HOST, Provider
from tierwise.fleet.source import FleetModel, Source, WorkItem
from tierwise.types import Usage

if TYPE_CHECKING:
    from tierwise.fleet.control import Control

DEFAULT_PORT = 9401
POLICIES = (("auto", 0.95), ("economy", 0.8), ("best", 1.0))
"""Names of the policies that the fleet's configuration has, and the quality that each wants."""
_LAST_PORT = 65_535
_ORDER = ("alpha", "beta", "gamma", "delta")


class Fleet:
    """Providers that really listen, with answers that are recorded or simulated.

    `simulated_answers` says which. `reference` is the model that savings and quality are
    measured against. `providers` are there before `start`, without ports.
    """

    def __init__(self, source: Source, *, seed: int = 0, speed: float = 1.0) -> None:
        if speed < 0:
            raise ConfigError(
                f"{speed:g} is below zero",
                field="--speed",
                remedy="1 is lifelike, 0 answers at once.",
            )
        self._source = source
        self._speed = speed
        self._control: Control | None = None
        self.simulated_answers = source.simulated
        self.reference = source.reference
        self.notes: tuple[str, ...] = tuple(getattr(source, "notes", ()))
        self.providers: Mapping[str, Provider] = {
            name: Provider(name, served, seed=seed)
            for name in _ORDER
            if (served := [m for m in source.models.values() if name in m.homes])
        }

    @classmethod
    def simulated(cls, *, seed: int = 0, speed: float = 1.0) -> Fleet:
        """Models that are made up, on tasks that are generated and can be checked.

        Args:
            seed: another seed gives other tasks and other mistakes.
            speed: factor on lifelike latency; 0 answers at once.
        """
        from tierwise.fleet.simulated import Simulated

        return cls(Simulated(seed), seed=seed, speed=speed)

    @classmethod
    def recorded(cls, outcomes: Path, *, seed: int = 0, speed: float = 1.0) -> Fleet:
        """Real models by their recorded answers.

        A part of the prompts (30%, by a hash of their id) only calibrates: each model's
        `quality` in the configuration is its mean score there, and `workload` never contains
        them.

        Args:
            outcomes: a folder with `prompts.parquet` and `outcomes.parquet`.
            seed: decides which requests a fault hits.
            speed: factor on lifelike latency; 0 answers at once.

        Raises:
            ConfigError: the data cannot be read or served; names file, column and row.
        """
        from tierwise.fleet.recorded import Recorded

        return cls(Recorded(Path(outcomes)), seed=seed, speed=speed)

    @classmethod
    def of(cls, outcomes: Path | None, *, seed: int = 0, speed: float = 1.0) -> Fleet:
        """The `recorded` one where there are outcomes, else the `simulated` one."""
        if outcomes is None:
            return cls.simulated(seed=seed, speed=speed)
        return cls.recorded(outcomes, seed=seed, speed=speed)

    @property
    def models(self) -> Mapping[str, FleetModel]:
        """What is served, by id."""
        return self._source.models

    @property
    def calibration(self) -> tuple[str, ...]:
        """Ids of the recorded prompts that `workload` never contains; none where simulated."""
        return tuple(getattr(self._source, "calibration", ()))

    @property
    def control_url(self) -> str | None:
        """Where the control API listens, once started."""
        return f"http://{HOST}:{self._control.port}" if self._control is not None else None

    def config(self, *, base_port: int = DEFAULT_PORT) -> dict[str, Any]:
        """The configuration that points to this fleet, for `tierwise.config.from_mapping`.

        Ports are the real ones of what was started, else counted from `base_port`.
        """
        return {
            "providers": {
                name: self._provider_config(provider, provider.port or base_port + index)
                for index, (name, provider) in enumerate(self.providers.items())
            },
            "models": {model.id: _model_config(model) for model in self.models.values()},
            "policies": {
                name: {"quality": quality, "reference": self.reference}
                for name, quality in POLICIES
            },
            # What ships was learned from real models; to a fleet it would be a guess.
            "router": {"artifact": "none"},
        }

    async def start(self, *, base_port: int = 0, host: str = HOST) -> None:
        """Starts every provider and the control API.

        Args:
            base_port: provider i listens there + i, the control API after the last of them;
                0 takes free ports.
            host: where the providers listen; the control API stays on loopback.

        Raises:
            ConfigError: a port is in use; nothing is left running.
        """
        from tierwise.fleet.control import Control
        from tierwise.fleet.reply import Replies

        last = base_port + len(self.providers)
        if not 0 <= base_port <= last <= _LAST_PORT:
            raise ConfigError(
                f"ports {base_port} to {last} do not all exist",
                field="--base-port",
                remedy=f"Ports go up to {_LAST_PORT}; 0 takes free ones.",
            )
        self._source.prepare()
        replies = Replies(self._source)
        control = Control(self.providers)
        try:
            for index, provider in enumerate(self.providers.values()):
                provider.host = host
                port = base_port + index if base_port else 0
                await provider.start(port, replies, self._speed)
            await control.start(last if base_port else 0)
        except BaseException:
            await self.stop()
            raise
        self._control = control

    async def stop(self) -> None:
        """Stops everything; open connections end."""
        if self._control is not None:
            await self._control.stop()
            self._control = None
        for provider in self.providers.values():
            await provider.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def workload(self, requests: int, *, seed: int = 0) -> list[WorkItem]:
        """Tasks in an order drawn by `seed`; none comes twice before all have come once."""
        items = self._source.items()
        order: list[WorkItem] = []
        while len(order) < requests:
            again = list(items)
            dice("workload", seed, len(order)).shuffle(again)
            order += again
        return order[:requests]

    def score(self, item: WorkItem, model: str, answer: str) -> float | None:
        """How good an answer of a model is, in [0, 1].

        Recorded: the score that came with it; None if the text is not the recorded one.
        Simulated: the check of the task; None where the check knows neither right nor wrong.

        Args:
            answer: the text; for a tool call what `answer_text` makes of the message.

        Raises:
            ValueError: the fleet has no such model.
        """
        return self._source.score(item, self._model(model).id, answer)

    def expected(self, item: WorkItem, model: str) -> str:
        """The exact text that a model says to a task here; raises as `score` does."""
        from tierwise.fleet.source import call_text

        said = self._source.said(item, self._model(model).id)
        return said.text if said.tool is None else call_text(said.tool, said.text)

    def continued(self, item: WorkItem, model: str, said: str) -> str:
        """The exact text that a model adds here to an answer of which this much was said, the
        white space at its end left out; raises as `score` does."""
        from tierwise.fleet.unfinished import rest_of

        return rest_of(self._source.said(item, self._model(model).id).text, said.rstrip())

    def cost(self, item: WorkItem, model: str) -> float:
        """USD of asking a model for a task; raises as `score` does."""
        served = self._model(model)
        said = self._source.said(item, served.id)
        usage = Usage(
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cost_usd=said.cost_usd,
        )
        return cost(usage, served.prices)

    def reference_cost(self, item: WorkItem) -> float:
        """USD of asking the reference for a task."""
        return self.cost(item, self.reference)

    def _model(self, name: str) -> FleetModel:
        model = self.models.get(name) or self.models.get(name.rsplit("/", 1)[-1])
        if model is None:
            raise ValueError(f"the fleet has no model {name!r}; it has {', '.join(self.models)}")
        return model

    def _provider_config(self, provider: Provider, port: int) -> dict[str, Any]:
        served: list[str | dict[str, str]] = [
            name if name == upstream else {"model": name, "upstream": upstream}
            for name, upstream in zip(provider.models, provider.upstream_names, strict=True)
        ]
        return {
            "preset": "openai_compatible",
            "base_url": f"http://{HOST}:{port}/v1",
            "api_key": provider.api_key,
            # Recorded answers come with what they cost when they were recorded.
            "quirks": [] if self.simulated_answers else ["usage-cost"],
            "models": served,
        }


def _model_config(model: FleetModel) -> dict[str, Any]:
    return {
        "prices": {"input": model.prices.input, "output": model.prices.output},
        "quality": model.quality,
        "context_window": model.context_window,
        "capabilities": sorted(model.capabilities),
        "specialises": sorted(model.specialises),
    }
