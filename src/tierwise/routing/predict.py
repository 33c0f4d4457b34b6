"""What to expect of models on a task, before asking any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tierwise.catalog import cost
from tierwise.routing.pace import pace_of
from tierwise.types import Estimate, Model, Profile, Usage

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading
    from tierwise.routing.cascade import Cascade
    from tierwise.routing.exchange import Exchange
    from tierwise.routing.learned import Learned, Prediction


class Latency(Protocol):
    """Observed latency of a model's best deployment, in seconds; None where nothing was seen."""

    @property
    def ttft_s(self) -> float | None:
        """Until the first token of a stream."""

    @property
    def latency_s(self) -> float | None:
        """Until the end of an answer."""


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
        length = _Length.of(profile)
        found: dict[str, Estimate] = {}
        for model in models:
            missed = (1.0 - model.quality) * profile.difficulty / self.EVERYDAY
            quality = max(0.0, 1.0 - _less_by_speciality(missed, profile, model))
            found[model.id] = _estimate(
                _bill(length, model),
                _wait(length, model, latency.get(model.id)),
                _Worth(quality, max(0.0, quality - self.DOUBT)),
            )
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
        if reading is None:
            return self._prior.estimates(profile, None, models, latency)
        said = self._learned.predict(reading)
        length = _Length.of(profile)
        found: dict[str, Estimate] = {}
        for model in models:
            found[model.id] = _estimate(
                self._bill(length, model, said),
                _wait(length, model, latency.get(model.id)),
                self._worth(profile, model, said),
            )
        return found

    def _worth(self, profile: Profile, model: Model, said: Prediction) -> _Worth:
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
        return _Worth(quality, max(0.0, quality - doubt), said.novelty, -said.ease)

    def _bill(self, length: _Length, model: Model, said: Prediction) -> _Bill:
        listed = _bill(length, model)
        place = self._places.get(model.id)
        if place is None or said.cost_usd is None:
            return listed
        # What was learned knows neither today's prices nor prompts longer than those recorded; what
        # is read costs at least this, and a ceiling must hold whatever was learned.
        read = cost(Usage(input_tokens=length.usual.input_tokens), model.prices)
        expected = max(float(said.cost_usd[place]), read)
        worst = expected * listed.p90_usd / listed.usd if listed.usd else expected
        return _Bill(expected, max(worst, listed.p90_usd))


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


class _Length(Struct, frozen=True):
    """What a task is expected to use, of every model alike: usually, and in nine of ten cases.

    `thinks` says that it asks for reasoning.
    """

    usual: Usage
    longest: Usage
    thinks: bool

    @classmethod
    def of(cls, profile: Profile) -> _Length:
        read, written = profile.input_tokens, profile.output_tokens
        return cls(
            Usage(input_tokens=read, output_tokens=written),
            Usage(input_tokens=read, output_tokens=int(written * _P90_OUTPUT)),
            "reasoning" in profile.requires,
        )


class _Bill(Struct, frozen=True):
    usd: float
    p90_usd: float


class _Wait(Struct, frozen=True):
    ttft_s: float
    latency_s: float


class _Worth(Struct, frozen=True):
    """See the fields of `Estimate` of the same names."""

    quality: float
    quality_low: float
    novelty: float = 0.0
    difficulty: float | None = None


def _bill(length: _Length, model: Model) -> _Bill:
    return _Bill(cost(length.usual, model.prices), cost(length.longest, model.prices))


def _wait(length: _Length, model: Model, seen: Latency | None) -> _Wait:
    ttft = seen.ttft_s if seen is not None else None
    total = seen.latency_s if seen is not None else None
    if ttft is None or total is None:
        pace = pace_of(model, thinks=length.thinks)
        ttft = pace.ttft_s if ttft is None else ttft
        total = ttft + length.usual.output_tokens * pace.token_s if total is None else total
    return _Wait(ttft, total)


def _estimate(bill: _Bill, wait: _Wait, worth: _Worth) -> Estimate:
    return Estimate(
        quality=worth.quality,
        quality_low=worth.quality_low,
        cost_usd=bill.usd,
        cost_p90_usd=bill.p90_usd,
        ttft_s=wait.ttft_s,
        latency_s=wait.latency_s,
        novelty=worth.novelty,
        difficulty=worth.difficulty,
    )
