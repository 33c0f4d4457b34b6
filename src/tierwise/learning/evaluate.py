"""What a router is worth on prompts that it did not learn from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.reading import Reading
from tierwise.errors import ConfigError
from tierwise.learning import choose
from tierwise.learning.data import (
    Data,
    Options,
    Split,
    drawn,
    load,
    priors,
    read,
    read_all,
    splits,
)
from tierwise.learning.expected import Expected
from tierwise.learning.figures import Tested, evaluation
from tierwise.learning.fit import About, Fitted, fit, require
from tierwise.learning.outcomes import Outcomes, groups
from tierwise.learning.result import FRACTIONS, Evaluation, Micros
from tierwise.learning.stability import stability
from tierwise.routing.exchange import Exchange, Terms
from tierwise.routing.learned import Learned, Prediction
from tierwise.routing.predict import PriorPredictor
from tierwise.routing.sample import Sample, rates
from tierwise.state.traffic import FOREIGN_SHARE

Matrix = NDArray[np.float64]
Say = Callable[[str, float], None]
"""Called with what is being done, and with how much of the whole is done (0 to 1)."""

_TIMED = 300


def evaluate(options: Options, say: Say | None = None) -> Evaluation:
    """Learns on one part of the prompts, routes the other, and counts what came of it.

    Raises:
        ConfigError: the data is bad, or the options do not fit it.
    """
    tell = say or (lambda _what, _done: None)
    require()
    tell("reading", 0.0)
    if options.cascade:
        from tierwise.learning.evaluate_cascade import evaluate_cascade

        return evaluate_cascade(options, tell)
    data = load(options)
    plan = splits(options, data)
    encoder = Encoder.builtin()
    test_readings = read_all(encoder, data.test.prompts)
    train_readings = read_all(encoder, data.train.prompts) if options.train else test_readings
    bench = Bench(options, data, test_readings, train_readings)
    tested: list[Tested] = []
    for number, split in enumerate(plan):
        tell(split.name, (number + 0.5) / (len(plan) + 1))
        tested.append(bench.run(split))
    tell("figures", len(plan) / (len(plan) + 1))
    speed = _speed(encoder, tested[-1].learned, data)
    result = evaluation(options, data, tested, speed)
    if options.reword:
        tell("rewordings", (len(plan) + 0.5) / (len(plan) + 1))
        result = replace(result, stability=stability(tested, data, options.seed))
    tell("done", 1.0)
    return result


class Bench:
    """Runs splits of one evaluation."""

    def __init__(
        self,
        options: Options,
        data: Data,
        test_readings: Sequence[Reading],
        train_readings: Sequence[Reading],
    ) -> None:
        self._options = options
        self._data = data
        self._test = test_readings
        self._train = train_readings
        self._groups = groups(data.train.prompts)
        self._priors = priors(sorted({*data.train.models, *data.models}))

    def run(self, split: Split) -> Tested:
        """Learns from the split's training rows and routes its test rows."""
        data = self._data
        rows = drawn(split.train, self._options.seed)
        train = data.train.rows(rows)
        costs, mean_cost = self._costs(train)
        fitted = fit(
            [self._train[i] for i in rows],
            train.scores,
            costs,
            [self._groups[i] for i in rows],
            train.models,
            seed=self._options.seed,
            about=About(sources=train.sources, priors=self._priors),
        )
        learned = Learned(fitted.artifact)
        predictions = learned.predict_many([self._test[i] for i in split.test])
        quality, disagreement = self._expected(learned, predictions)
        cost = self._expected_costs(train, predictions, mean_cost)
        strange = self._strange(fitted, predictions)
        # A model that was never seen is judged by its prior alone, on which the guard falls back.
        guarded = strange.mean() > FOREIGN_SHARE and set(data.models) <= set(train.models)
        novelty = np.array([p.novelty for p in predictions])
        expected = Expected(quality, disagreement, cost, novelty, bool(guarded))
        prices = rates(float(mean_cost[data.reference]))
        known = self._sample(fitted, train, costs, cost)
        terms = {} if known is None else self._terms(known)
        among = self._among(terms)
        own = _of_models(train.scores, train.models, data.models)
        means = _means(own, quality)
        base = choose.bases(means, mean_cost, prices, among)
        # Where no λ reaches what is wanted, the reference is asked throughout.
        chosen = choose.after_always(data.reference, expected.choices(prices, base, among))
        if known is not None:
            learnt = choose.choices(known.predicted, known.cost_usd, prices, among)
            paid = known.cost_usd if costs is None else costs
            path = choose.curve(choose.after_always(data.reference, learnt), known.outcome, paid)
        else:
            # Outcomes unseen, the predictions for the test prompts have to be believed.
            path = choose.curve(chosen, quality, cost)
        return Tested(
            split=split,
            learned=learned,
            quality=quality,
            chosen=chosen,
            picks=_picks(chosen, path),
            served=self._served(expected, terms, among) if terms else None,
            base=np.concatenate([[data.reference], base]),
            known=means,
            strange=strange,
            rows=len(rows),
        )

    def _terms(self, known: Sample) -> dict[str, Terms]:
        """On what terms serving would decide for each fraction, had it this sample."""
        models = self._data.models
        exchange = Exchange(known, models)
        reference = models[self._data.reference]
        return {str(wanted): exchange.terms(models, reference, wanted) for wanted in FRACTIONS}

    def _among(self, terms: Mapping[str, Terms]) -> Sequence[int]:
        """Places of the models worth choosing among, which are the same for all fractions."""
        models = self._data.models
        for one in terms.values():
            return [models.index(name) for name in one.line_up]
        return range(len(models))

    def _served(
        self, expected: Expected, terms: Mapping[str, Terms], among: Sequence[int]
    ) -> dict[str, NDArray[np.int16]]:
        """For each fraction, the choices that serving makes on its terms."""
        models = self._data.models
        return {
            wanted: expected.served(one.rate.per_usd, models.index(one.base), among)
            for wanted, one in terms.items()
        }

    def _costs(self, train: Outcomes) -> tuple[Matrix | None, NDArray[np.float64]]:
        """Costs to learn from, or None, and each wanted model's mean cost.

        Costs that training folders do not record are those given with --price, else the mean of
        the test's, as one knows the price of a model before one knows what it can do.
        """
        data, wanted = self._data, self._data.models
        costs = _of_models(train.costs, train.models, wanted)
        known = ~np.isnan(costs).all(axis=0)
        given = np.array([self._options.prices.get(name, np.nan) for name in wanted])
        stand_in = np.where(np.isnan(given), data.test.costs.mean(axis=0), given)
        mean = stand_in.copy()
        mean[known] = np.nanmean(costs[:, known], axis=0)
        if train.models != wanted or np.isnan(costs).any():
            return None, mean
        return costs, mean

    def _expected(
        self, learned: Learned, predictions: Sequence[Prediction]
    ) -> tuple[Matrix, Matrix]:
        """Quality and disagreement of the wanted models; unseen ones by their prior."""
        at = {name: column for column, name in enumerate(learned.models)}
        quality = np.empty((len(predictions), len(self._data.models)))
        apart = np.zeros_like(quality)
        for column, name in enumerate(self._data.models):
            if name in at:
                quality[:, column] = [p.quality[at[name]] for p in predictions]
                apart[:, column] = [p.disagreement[at[name]] for p in predictions]
            elif name in self._priors:
                prior = self._priors[name]
                quality[:, column] = [learned.expect(prior, p) for p in predictions]
                apart[:, column] = PriorPredictor.DOUBT
            else:
                raise ConfigError(
                    f"{name} is neither in the training data nor in the catalogue",
                    field="--train",
                    remedy="Leave it out with --models, or add a folder with outcomes of it.",
                )
        return quality, apart

    def _expected_costs(
        self, train: Outcomes, predictions: Sequence[Prediction], mean: NDArray[np.float64]
    ) -> Matrix:
        found = [p.cost_usd for p in predictions if p.cost_usd is not None]
        if len(found) == len(predictions) and train.models == self._data.models:
            return np.array(found, np.float64)
        return np.repeat(mean[None, :], len(predictions), axis=0)

    @staticmethod
    def _strange(fitted: Fitted, predictions: Sequence[Prediction]) -> NDArray[np.bool_]:
        """Which test prompts are stranger than nine in ten of those learned from."""
        edge = float(fitted.artifact.arrays["membership_quantiles"][1])
        return np.array([p.membership < edge for p in predictions])

    def _sample(
        self, fitted: Fitted, train: Outcomes, costs: Matrix | None, cost: Matrix
    ) -> Sample | None:
        """The training rows, as predicted without themselves.

        None if not every wanted model was tried on all of them.

        Args:
            costs: recorded of the training rows, or None.
            cost: predicted for the test rows; where nothing was recorded, all rows are alike.
        """
        if train.models != self._data.models or np.isnan(train.scores).any():
            return None
        if fitted.cost is not None:
            expected = fitted.cost.astype(np.float64)
        else:
            expected = costs if costs is not None else np.repeat(cost[:1], len(train.scores), 0)
        return Sample(fitted.quality.astype(np.float64), train.scores, expected)


def _picks(chosen: choose.Choices, path: choose.Curve) -> dict[str, NDArray[np.int16]]:
    """For each fraction of the reference's quality, the choices at the λ that `path` chooses.

    The first point of both is the reference for everything.
    """
    reference = float(path.mean_score[0])
    picks: dict[str, NDArray[np.int16]] = {}
    for fraction in FRACTIONS:
        point = choose.cheapest(path.mean_score, path.mean_cost, fraction * reference)
        picks[str(fraction)] = chosen[0 if point is None else point]
    return picks


def _of_models(table: Matrix, models: Sequence[str], wanted: Sequence[str]) -> Matrix:
    """The columns of the wanted models; NaN for those that are not there."""
    found = np.full((len(table), len(wanted)), np.nan)
    at = {name: column for column, name in enumerate(models)}
    for column, name in enumerate(wanted):
        if name in at:
            found[:, column] = table[:, at[name]]
    return found


def _means(scores: Matrix, predicted: Matrix) -> NDArray[np.float64]:
    """Mean training score of each model, or what is predicted of it where it has none."""
    known = ~np.isnan(scores).all(axis=0)
    means: NDArray[np.float64] = predicted.mean(axis=0)
    means[known] = np.nanmean(scores[:, known], axis=0)
    return means


def _speed(encoder: Encoder, learned: Learned, data: Data) -> Micros:
    """How long reading a prompt and deciding takes, on prompts of the test."""
    texts = [prompt.text for prompt in data.test.prompts[:_TIMED]]
    mean = data.test.costs.mean(axis=0)
    price = 0.1 / max(float(mean[data.reference]), 1e-12)
    taken: list[float] = []
    for text in texts:
        start = time.perf_counter()
        prediction = learned.predict(read(encoder, text))
        costs = mean if prediction.cost_usd is None else prediction.cost_usd
        if len(costs) == len(prediction.quality):
            int((prediction.quality - price * costs).argmax())
        taken.append((time.perf_counter() - start) * 1e6)
    half, most = np.percentile(taken, [50, 99])
    return Micros(round(float(half), 1), round(float(most), 1))
