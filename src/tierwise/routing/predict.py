"""What to expect of models on a task, before asking any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from tierwise.catalog import cost
from tierwise.types import Estimate, Model, Profile, Usage

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading
    from tierwise.routing.cascade import Cascade
    from tierwise.routing.exchange import Exchange
    from tierwise.routing.learned import Learned, Prediction


class Latency(Protocol):
    """Observed latency of a model's best deployment, in seconds; None where nothing was seen."""

    ttft_s: float | None
    latency_s: float | None


class Predictor(Protocol):
    """Quality, cost and latency of models on one task."""

    name: str
    """What decisions say who predicted: `rules`, `default`, or the file of an artifact."""

    @property
    def exchange(self) -> Exchange | None:
        """What quality is worth by what was learned; None where nothing was."""

    @property
    def cascade(self) -> Cascade | None:
        """Plans by what answers say; None where that was not learned for these models."""

    def estimates(
        self,
        profile: Profile,
        reading: Reading | None,
        models: Iterable[Model],
        latency: Mapping[str, Latency],
    ) -> dict[str, Estimate]:
        """An estimate for each model; a pure function of its inputs.

        Args:
            reading: the task as numbers, for predictors that have learned from outcomes.
            latency: what was observed, by model.
        """


class PriorPredictor:
    """The catalogue's prior, bent by difficulty and speciality.

    A prior q for everyday tasks leaves 1-q to be missed; easy tasks miss less of it, hard ones
    more (in proportion to difficulty, the everyday task at 0.4), and a speciality halves it. The
    lower bound leaves as much room as priors are uncertain.
    """

    EVERYDAY = 0.4
    DOUBT = 0.1
    name = "rules"
    exchange: Exchange | None = None
    cascade: Cascade | None = None

    def estimates(
        self,
        profile: Profile,
        reading: Reading | None,  # noqa: ARG002 - priors come from words and sizes
        models: Iterable[Model],
        latency: Mapping[str, Latency],
    ) -> dict[str, Estimate]:
        """See `Predictor`."""
        found: dict[str, Estimate] = {}
        for model in models:
            missed = (1.0 - model.quality) * profile.difficulty / self.EVERYDAY
            quality = max(0.0, 1.0 - _less_by_speciality(missed, profile, model))
            low = max(0.0, quality - self.DOUBT)
            found[model.id] = _estimate(profile, model, latency.get(model.id), quality, low)
        return found


class LearnedPredictor:
    """What was learned from outcomes, drawn towards the prior where a prompt is strange.

    A model that outcomes were recorded of has a prediction of its own, of its cost too where that
    was recorded; its lower bound is as far below as the learners are apart. Any other model is
    expected to do what its prior says, moved as the prompt moves the models that were learned
    (`Learned.expect`), and its lower bound leaves as much room as priors are uncertain. A
    speciality halves what a prior misses.

    The prior of a strange prompt is the catalogue's quality, moved by how hard the prompt looks,
    but far less than `PriorPredictor` moves it: on recorded outcomes its rules for difficulty are
    worse than none.
    """

    LOOKS = 0.5
    """Log-odds that a strange prompt gains if it looks as easy as can be. Between a quarter and
    one made no difference to sources that were left out of learning."""

    def __init__(
        self,
        learned: Learned,
        places: Mapping[str, int],
        exchange: Exchange,
        name: str,
        cascade: Cascade | None = None,
    ) -> None:
        """`places` are those among `learned.models` of the configured models known there."""
        self.exchange: Exchange = exchange
        self.cascade = cascade
        self.name = name
        self._learned = learned
        self._places = places
        self._prior = PriorPredictor()

    def estimates(
        self,
        profile: Profile,
        reading: Reading | None,
        models: Iterable[Model],
        latency: Mapping[str, Latency],
    ) -> dict[str, Estimate]:
        """See `Predictor`. Without a reading it is the prior."""
        models = list(models)
        prior = self._prior.estimates(profile, None, models, latency)
        if reading is None:
            return prior
        said = self._learned.predict(reading)
        return {model.id: self._drawn(profile, model, said, prior[model.id]) for model in models}

    def _drawn(self, profile: Profile, model: Model, said: Prediction, prior: Estimate) -> Estimate:
        place = self._places.get(model.id)
        weight = 1.0 - said.known
        everyday = PriorPredictor.EVERYDAY
        looks = self.LOOKS * weight * (everyday - profile.difficulty) / everyday
        if place is None:
            quality, doubt = self._learned.expect(model.quality, said, looks), PriorPredictor.DOUBT
            quality = 1.0 - _less_by_speciality(1.0 - quality, profile, model)
        else:
            missed = 1.0 - self._learned.prior(model.quality, looks)
            usual = 1.0 - _less_by_speciality(missed, profile, model)
            quality = (1.0 - weight) * float(said.quality[place]) + weight * usual
            doubt = (1.0 - weight) * float(said.disagreement[place])
            doubt += weight * PriorPredictor.DOUBT
        low = max(0.0, quality - doubt)
        found = replace(
            prior, quality=quality, quality_low=low, novelty=said.novelty, difficulty=-said.ease
        )
        if place is None or said.cost_usd is None:
            return found
        # What was learned knows neither today's prices nor prompts longer than those recorded; what
        # is read costs at least this, and a ceiling must hold whatever was learned.
        read = cost(Usage(input_tokens=profile.input_tokens), model.prices)
        expected = max(float(said.cost_usd[place]), read)
        worst = expected * prior.cost_p90_usd / prior.cost_usd if prior.cost_usd else expected
        return replace(found, cost_usd=expected, cost_p90_usd=max(worst, prior.cost_p90_usd))


_DEFAULT_TTFT_S = 0.5
_DEFAULT_S_PER_TOKEN = 0.015
_P90_OUTPUT = 2.0
"""Nine of ten answers are not longer than this many times the expected length."""


def _less_by_speciality(missed: float, profile: Profile, model: Model) -> float:
    """What a model misses of a task in its own field: half of what it misses of everyday tasks.

    Hard tasks of the field are not harder to it, it was made for them; and a task that touches
    several of its fields halves what is missed for each.
    """
    if profile.domain not in model.specialises:
        return missed
    fields = 1 + len(model.specialises & profile.also)
    return min(missed, 1.0 - model.quality) * 0.5**fields


def _estimate(
    profile: Profile, model: Model, latency: Latency | None, quality: float, low: float
) -> Estimate:
    usage = Usage(input_tokens=profile.input_tokens, output_tokens=profile.output_tokens)
    longest = int(profile.output_tokens * _P90_OUTPUT)
    ttft = latency.ttft_s if latency is not None else None
    total = latency.latency_s if latency is not None else None
    if ttft is None:
        ttft = _DEFAULT_TTFT_S
    if total is None:
        total = ttft + profile.output_tokens * _DEFAULT_S_PER_TOKEN
    return Estimate(
        quality=quality,
        quality_low=low,
        cost_usd=cost(usage, model.prices),
        cost_p90_usd=cost(replace(usage, output_tokens=longest), model.prices),
        ttft_s=ttft,
        latency_s=total,
    )
