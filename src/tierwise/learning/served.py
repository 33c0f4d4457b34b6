"""What a router comes to on recorded prompts as `tierwise serve` uses it: nothing is learned.

The tested models are configured under the catalogue's names, at prices that cost what was recorded
on average. Tasks are analysed, estimates drawn towards priors, the rate is solved from the router's
own sample before any traffic is seen, and the guard watches the prompts in their recorded order.
Only the first tier of each plan counts: no gate is asked and nothing escalates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.analysis import classify, measure
from tierwise.analysis.question import split_recorded_tools
from tierwise.analysis.reading import Reading
from tierwise.catalog import Catalog
from tierwise.config.schema import NONE, SHIPPED, SHIPPED_FILE
from tierwise.errors import ConfigError
from tierwise.learning.data import Data, Options, load
from tierwise.learning.figures import Figures, cheapest_able, counts
from tierwise.learning.result import FRACTIONS, Micros, Model, Point
from tierwise.routing import Predictor, PriorPredictor, Router
from tierwise.routing.artifact import configured
from tierwise.routing.build import NOMINAL, load_brain, places_of
from tierwise.routing.cascade import Cascade
from tierwise.routing.exchange import Exchange
from tierwise.routing.predict import Latency
from tierwise.state.traffic import Traffic
from tierwise.types import (
    CAPABILITIES,
    Decision,
    Deployment,
    Estimate,
    Message,
    Policy,
    Prices,
    Profile,
    Task,
)
from tierwise.types import Model as Offered

QUALITIES = tuple(sorted({0.9, 0.97, *FRACTIONS}))
"""Fractions of the reference's quality that are asked for."""
_ROOMY = 10_000_000
_NOMINAL_TOKENS = NOMINAL.input_tokens + NOMINAL.output_tokens
"""What a request is priced at."""
_UNKNOWN_QUALITY = 0.5
_TOLD_EVERY = 100
_TIMED = 1000


class At(Struct, frozen=True, kw_only=True):
    """What was reached, and the cheapest single model that reaches what was asked for, if any."""

    chosen: Point
    constant: Model | None


class Served(Struct, frozen=True, kw_only=True):
    """All prompts of the test, routed as served. `at` is by the fraction asked for.

    `decision_us` is what a decision takes, the analysis of the prompt included.

    `router` is what `router.artifact` would say; `rules` is the same without a router, None where
    rules are all there is.
    """

    router: str
    at: dict[str, At]
    rules: dict[str, At] | None
    best_constant: Model
    oracle: Model
    reference: Model
    constants: list[Model]
    decision_us: Micros
    prompts: int
    datasets: dict[str, int]
    notes: list[str]


class Server:
    """Decides about recorded prompts as a server with this router would.

    Args:
        wanted: as `router.artifact` has it: `default`, `none` or the path of a file.
        models: as a configuration would have them.
        reference: the id of the one that quality refers to.

    Raises:
        ConfigError: the router cannot be used.
    """

    def __init__(self, wanted: str, models: Sequence[Offered], reference: str) -> None:
        known = {model.id: model for model in models}
        brain = None if wanted == NONE else load_brain(wanted, known, Catalog.builtin())
        self._analyst = brain.analyst if brain is not None else None
        self._guarded = brain is not None and brain.familiar
        self._router = Router(
            known,
            {model.id: (_deployment(model),) for model in models},
            {"auto": Policy(name="auto", reference=reference)},
            _Once(brain.predictor if brain is not None else PriorPredictor()),
        )

    def decide(
        self, text: str, qualities: Iterable[float], *, foreign: bool = False
    ) -> list[Decision]:
        """What a policy of each quality makes of a prompt.

        Args:
            foreign: whether the traffic before it was unlike what was learned from.
        """
        task = _task(text)
        reading: Reading | None = None
        if self._analyst is None:
            profile = classify(measure(task))
        else:
            analysed = self._analyst.analyse(task)
            profile, reading = analysed.profile, analysed.reading
        return [
            self._router.decide(
                replace(task, quality=quality),
                profile,
                decision_id="",
                now=0.0,
                latency={},
                reading=reading,
                foreign=foreign and self._guarded,
            )
            for quality in qualities
        ]

    def route(self, texts: Sequence[str], qualities: Sequence[float]) -> Iterable[list[str]]:
        """The model that answers first, for each prompt and quality, prompts one after another."""
        traffic = Traffic()
        for text in texts:
            decisions = self.decide(text, qualities, foreign=traffic.foreign)
            seen = (one.estimate.novelty for one in decisions[0].candidates if one.estimate)
            traffic.saw(max(seen, default=0.0))
            yield [decision.plan.tiers[0].model for decision in decisions]


def served(wanted: str, options: Options, say: Callable[[str, float], None]) -> Served:
    """Routes the test's prompts as served, and by rules beside it.

    Args:
        wanted: as `router.artifact` has it.
        options: of which only those that concern the test count.

    Raises:
        ConfigError: the data is bad, or the router cannot be used.
    """
    say("reading", 0.0)
    data = load(options)
    models = under_our_names(offered(data))
    notes = [*data.notes, *_notes(wanted, data, models)]
    figures = Figures(data.test, data.reference, np.random.default_rng(options.seed))
    constants = [figures.constant(column) for column in range(len(data.models))]
    found: list[dict[str, At]] = []
    routers = [wanted] if wanted == NONE else [wanted, NONE]
    for number, router in enumerate(routers):

        def tell(done: float, router: str = router, number: int = number) -> None:
            say(f"router {router}", (number + done) / len(routers))

        picks = _picks(router, data, models, tell)
        found.append(
            {
                str(quality): At(
                    chosen=figures.chosen(figures.came(picks[:, place])),
                    constant=cheapest_able(constants, quality),
                )
                for place, quality in enumerate(QUALITIES)
            }
        )
    say("done", 1.0)
    return Served(
        router=wanted,
        at=found[0],
        rules=found[1] if len(found) > 1 else None,
        best_constant=max(constants, key=lambda one: (one.quality, -one.cost_usd)),
        oracle=figures.oracle(),
        reference=constants[data.reference],
        constants=constants,
        decision_us=_speed(Server(wanted, models, models[data.reference].id), data),
        prompts=len(data.test.prompts),
        datasets=counts(data.test),
        notes=notes,
    )


def _speed(server: Server, data: Data) -> Micros:
    """On prompts of the test, each seen for the first time; the router has been loaded before."""
    texts = [prompt.text for prompt in data.test.prompts[: _TIMED + 1]]
    taken: list[float] = []
    for text in texts:
        start = time.perf_counter()
        server.decide(text, (0.95,))
        taken.append((time.perf_counter() - start) * 1e6)
    half, most = np.percentile(taken[1:] or taken, [50, 99])
    return Micros(round(float(half), 1), round(float(most), 1))


def offered(data: Data) -> list[Offered]:
    """The tested models as a configuration would have them; whatever was asked, they could do."""
    catalog = Catalog.builtin()
    found: list[Offered] = []
    for name, cost in zip(data.models, data.test.costs.mean(axis=0), strict=True):
        known = catalog.resolve(name)
        price = float(cost) * 1e6 / _NOMINAL_TOKENS
        found.append(
            Offered(
                id=name,
                prices=Prices(input=price, output=price),
                quality=known.quality if known is not None else _UNKNOWN_QUALITY,
                specialises=known.specialises if known is not None else frozenset(),
                context_window=_ROOMY,
                capabilities=CAPABILITIES,  # type: ignore[arg-type]
            )
        )
    return found


def under_our_names(models: Sequence[Offered]) -> list[Offered]:
    """The models under the ids that a configuration would give them.

    Raises:
        ConfigError: two of them are one model to the catalogue.
    """
    catalog = Catalog.builtin()
    found: dict[str, Offered] = {}
    recorded: dict[str, str] = {}
    for model in models:
        known = catalog.resolve(model.id)
        name = known.id if known is not None else model.id.rsplit("/", 1)[-1]
        if name in found:
            raise ConfigError(
                f"{recorded[name]} and {model.id} are both {name} in a configuration",
                field="--models",
                remedy="Name one of them only.",
            )
        found[name], recorded[name] = replace(model, id=name), model.id
    return list(found.values())


def _picks(
    wanted: str, data: Data, models: Sequence[Offered], say: Callable[[float], None]
) -> NDArray[np.int16]:
    """The column of the model that answers first, (prompts, qualities)."""
    server = Server(wanted, models, models[data.reference].id)
    column = {model.id: place for place, model in enumerate(models)}
    found = np.empty((len(data.test.prompts), len(QUALITIES)), np.int16)
    texts = [prompt.text for prompt in data.test.prompts]
    for row, names in enumerate(server.route(texts, QUALITIES)):
        found[row] = [column[name] for name in names]
        if row % _TOLD_EVERY == 0:
            say(row / len(texts))
    return found


def _notes(wanted: str, data: Data, models: Sequence[Offered]) -> list[str]:
    """What a reader of the figures must know about models and router."""
    catalog = Catalog.builtin()
    found: list[str] = []
    unknown = [name for name in data.models if catalog.resolve(name) is None]
    if unknown:
        found.append(
            f"not in the catalogue, so a quality of {_UNKNOWN_QUALITY:g} is assumed: "
            f"{', '.join(unknown)}"
        )
    if wanted == NONE:
        return found
    try:
        meta = configured(wanted).meta
    except ConfigError as error:
        raise ConfigError(
            error.message, file=error.file, field="--router", remedy=error.remedy
        ) from None
    seen = [source for source in data.test.sources if source in meta.sources]
    if seen:
        found.append(f"the router learned from {', '.join(seen)}: these prompts are not new to it")
    places = places_of(tuple(meta.models), {model.id: model for model in models}, catalog)
    note = f"{len(places)} of {len(models)} models were learned from"
    if len(places) < len(models):
        # See `load_brain`: the router that ships judges all models alike, or none by its prior.
        whom = "all" if wanted in (SHIPPED, str(SHIPPED_FILE)) else "the others"
        note += f"; the catalogue's qualities stand for {whom}"
    found.append(note)
    return found


def _task(text: str) -> Task:
    """A recorded prompt as a request; its tools, if it has any, in a field of their own."""
    asked, tools = split_recorded_tools(text)
    body = b"{}"
    if tools is not None:
        body = msgspec.json.encode({"tools": msgspec.Raw(tools)})
    return Task(
        body=body,
        model="auto",
        messages=[Message(role="user", content=asked)],
        tools=tools is not None,
    )


def _deployment(model: Offered) -> Deployment:
    """Where a model would be served; it is never called."""
    return Deployment(
        id=f"recorded/{model.id}",
        model=model.id,
        provider="recorded",
        dialect="openai_compatible",
        base_url="http://127.0.0.1",
        upstream_model=model.id,
        prices=model.prices,
    )


class _Once:
    """A predictor that predicts once for all policies that are asked about one task."""

    def __init__(self, predictor: Predictor) -> None:
        self.name = predictor.name
        self.exchange: Exchange | None = predictor.exchange
        # Nobody answers here, so that there is nothing to go on by.
        self.cascade: Cascade | None = None
        self._predictor = predictor
        self._profile: Profile | None = None
        self._found: dict[str, Estimate] = {}

    def estimates(
        self,
        profile: Profile,
        reading: Reading | None,
        models: Iterable[Offered],
        latency: Mapping[str, Latency],
    ) -> dict[str, Estimate]:
        """See `Predictor`. All models can do everything, so each task has the same candidates."""
        if profile is not self._profile:
            self._found = self._predictor.estimates(profile, reading, models, latency)
            self._profile = profile
        return dict(self._found)
