"""What a cascade is worth on prompts that it did not learn from, every call billed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.reading import Reading
from tierwise.errors import ConfigError
from tierwise.gates.scorer import Answers
from tierwise.learning import choose, metrics
from tierwise.learning.answers import read_answers
from tierwise.learning.cascade import Cascade, Recorded, crossed, fit_cascade, prices
from tierwise.learning.data import Data, Options, Split, drawn, load, priors, read_all, splits
from tierwise.learning.figures import Came, Figures, assembled
from tierwise.learning.fit import About, fit
from tierwise.learning.margin import falling, standard_error
from tierwise.learning.outcomes import Outcomes, groups
from tierwise.learning.result import FRACTIONS, CascadeReport, Evaluation, Judged, Micros
from tierwise.routing import sample as prompts
from tierwise.routing.exchange import worth_most
from tierwise.routing.induction import Sample, Walked, induce, walk
from tierwise.routing.learned import Learned
from tierwise.routing.lineup import line_up
from tierwise.routing.planner import State
from tierwise.routing.sample import CAUTION

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_TIMED = 300


class TestedCascade(Struct, frozen=True):
    """A split after its run; `sample` is of its test rows.

    `path` is what each λ came to, always the reference first; `picks` what the λ came to that the
    training rows chose for each fraction, and `served` the same with the caution of serving.
    """

    split: Split
    cascade: Cascade
    sample: Sample
    path: list[Walked]
    picks: dict[str, Walked]
    served: dict[str, Walked]
    rows: int


def evaluate_cascade(options: Options, say: Callable[[str, float], None]) -> Evaluation:
    """As `evaluate`, with the recorded answers read and judged.

    Raises:
        ConfigError: the data is bad, records no answers, or does not fit the options.
    """
    data = load(options)
    plan = splits(options, data)
    bench = CascadeBench(options, data, lambda done: say("reading answers", 0.3 * done))
    tested: list[TestedCascade] = []
    for number, split in enumerate(plan):
        say(split.name, 0.3 + 0.6 * number / len(plan))
        tested.append(bench.run(split))
    say("figures", 0.95)
    result = _evaluation(options, data, tested)
    say("done", 1.0)
    return result


class CascadeBench:
    """Runs splits of one evaluation.

    Raises:
        ConfigError: see `evaluate_cascade`.
    """

    def __init__(self, options: Options, data: Data, say: Callable[[float], None]) -> None:
        _same_models(options, data)
        encoder = Encoder.builtin()
        self._options = options
        self._data = data
        self._test, self._test_answers = _read(options.test, data.test, encoder, say)
        self._train, self._train_answers = self._test, self._test_answers
        if options.train:
            self._train, self._train_answers = _read(options.train, data.train, encoder, say)
        self._groups = groups(data.train.prompts)

    def run(self, split: Split) -> TestedCascade:
        """Learns from the split's training rows and runs the cascade on its test rows."""
        data, seed = self._data, self._options.seed
        rows = drawn(split.train, seed)
        train, test = data.train.rows(rows), data.test.rows(split.test)
        fitted = fit(
            [self._train[i] for i in rows],
            train.scores,
            train.costs,
            [self._groups[i] for i in rows],
            train.models,
            seed=seed,
            about=About(priors=priors(train.models)),
        )
        predictions = Learned(fitted.artifact).predict_many([self._test[i] for i in split.test])
        expected = np.array([p.cost_usd for p in predictions], np.float64)
        learned = Recorded(
            self._train_answers.rows(rows),
            fitted.quality.astype(np.float64),
            train.costs if fitted.cost is None else fitted.cost.astype(np.float64),
            train.scores,
            train.costs,
        )
        unseen = Recorded(
            self._test_answers.rows(split.test),
            np.array([p.quality for p in predictions], np.float64),
            expected,
            test.scores,
            test.costs,
        )
        cascade = fit_cascade(learned, data.reference, seed)
        datasets = [prompt.dataset for prompt in train.prompts]
        path, families = self._walks(cascade, learned, unseen)
        picks, served = (_picks(path, families, datasets, caution) for caution in (0.0, CAUTION))
        return TestedCascade(
            split, cascade, cascade.sample_of(unseen), path, picks, served, len(rows)
        )

    def _walks(
        self, cascade: Cascade, learned: Recorded, unseen: Recorded
    ) -> tuple[list[Walked], list[list[Walked]]]:
        """What each plan comes to on the test, and on training rows that it was not fitted to.

        For every λ there are two: to ask the one model that is worth most by the prompt and to
        leave it at that, or to go on by what its answer says. The training rows' are by family: the
        reference alone, the first sort of plan by ascending λ, the second.
        """
        reference = self._data.reference
        scale = max(float(learned.cost_usd[:, reference].mean()), 1e-12)
        sample = cascade.sample_of(unseen)
        path = [_always(unseen, reference)]
        among = line_up(
            prompts.Sample(learned.quality, learned.score, learned.expected_usd), reference
        )
        once: list[Walked] = []
        for price in prompts.rates(scale):
            path.append(_once(unseen, float(price), among))
            once.append(_once(learned, float(price), among))
        further: list[Walked] = []
        for price in prices(scale):
            plan = induce(cascade.sample, float(price), cascade.reference)
            path.append(_widened(walk(plan, sample), cascade, unseen))
            came = crossed(cascade, float(price), self._options.seed)
            further.append(_widened(came, cascade, learned))
        return path, [[_always(learned, reference)], once, further]


def _picks(
    path: Sequence[Walked],
    families: Sequence[Sequence[Walked]],
    datasets: Sequence[str],
    caution: float,
) -> dict[str, Walked]:
    """For each fraction, what the plan came to that training rows chose; the reference if none.

    Args:
        datasets: of the training rows.
        caution: by how many standard errors of the score less the reference's, as
            `routing.cascade` has it, the fraction must be reached.
    """
    wanted = families[0][0].score
    # Each family by itself: within it quality falls with λ.
    sure = np.concatenate([_surely(came, wanted, datasets, caution) for came in families])
    cost = np.array([came.cost_usd.mean() for family in families for came in family])
    picks: dict[str, Walked] = {}
    for fraction in FRACTIONS:
        point = choose.cheapest(sure, cost, fraction * float(wanted.mean()))
        picks[str(fraction)] = path[0 if point is None else point]
    return picks


def _surely(
    came: Sequence[Walked], wanted: Vector, datasets: Sequence[str], caution: float
) -> Vector:
    """The mean score of each plan less so many standard errors, by ascending λ."""
    error = np.array([standard_error(one.score - wanted, datasets) for one in came])
    surely: Vector = falling(np.array([one.score.mean() for one in came])) - caution * error
    return surely


def _widened(came: Walked, cascade: Cascade, recorded: Recorded) -> Walked:
    """The same with places among all models instead of those of the line-up."""
    line_up = np.array(cascade.line_up)
    asked = np.zeros(recorded.score.shape, np.bool_)
    asked[:, line_up] = came.asked
    return Walked(came.score, came.cost_usd, line_up[came.model], asked)


def _once(recorded: Recorded, price: float, among: Sequence[int]) -> Walked:
    """The model of the highest quality - λ cost by the prompt, and its answer whatever it is."""
    places = np.array(among, np.intp)
    best = worth_most(recorded.quality[:, places], recorded.expected_usd[:, places], price)
    return _of(recorded, places[best])


def _always(recorded: Recorded, model: int) -> Walked:
    return _of(recorded, np.full(len(recorded.score), model))


def _of(recorded: Recorded, model: NDArray[np.intp]) -> Walked:
    row = np.arange(len(model))
    asked = np.zeros(recorded.score.shape, np.bool_)
    asked[row, model] = True
    return Walked(recorded.score[row, model], recorded.cost_usd[row, model], model, asked)


def _same_models(options: Options, data: Data) -> None:
    if options.train and (
        data.train.models != data.models
        or np.isnan(data.train.scores).any()
        or np.isnan(data.train.costs).any()
    ):
        raise ConfigError(
            "a cascade learns from prompts on which all its models were tried, costs included",
            field="--train",
            remedy="Name models that the training folders have in common with --models.",
        )


def _read(
    folders: Sequence[Path], outcomes: Outcomes, encoder: Encoder, say: Callable[[float], None]
) -> tuple[list[Reading], Answers]:
    readings = read_all(encoder, outcomes.prompts)
    return readings, read_answers(folders, outcomes, readings, encoder, say)


def _evaluation(options: Options, data: Data, tested: Sequence[TestedCascade]) -> Evaluation:
    random = np.random.default_rng(options.seed)
    rows = np.concatenate([one.split.test for one in tested])
    outcomes = data.test.rows(rows)
    figures = Figures(outcomes, data.reference, random)
    path = _curve(tested, data.reference)

    def came(ways: Sequence[dict[str, Walked]]) -> dict[str, Came]:
        return {key: _came([way[key] for way in ways], data.reference) for key in ways[0]}

    return assembled(
        figures, data, path,
        came([one.picks for one in tested]),
        _ranking(figures, data, tested),
        _in_hand([one.sample for one in tested], 1),
        served=came([one.served for one in tested]),
        speed=_speed(tested[-1]),
        trained_on=[one.rows for one in tested],
        cascade=_report(data, tested),
    )  # fmt: skip


def _curve(tested: Sequence[TestedCascade], reference: int) -> choose.Curve:
    """The test curve. A prompt counts as the reference's wherever that was asked at all."""
    points = range(len(tested[0].path))
    chosen = np.stack(
        [
            np.concatenate([_finished(one.path[point], reference) for one in tested])
            for point in points
        ]
    )
    scores = np.stack([np.concatenate([one.path[p].score for one in tested]) for p in points])
    costs = np.stack([np.concatenate([one.path[p].cost_usd for one in tested]) for p in points])
    order = np.concatenate([[0], 1 + np.argsort(-costs[1:].mean(axis=1), kind="stable")])
    scores, costs = scores[order], costs[order]
    return choose.Curve(chosen[order], scores, costs, scores.mean(axis=1), costs.mean(axis=1))


def _finished(came: Walked, reference: int) -> NDArray[np.int16]:
    """Who answered; the reference wherever it was asked."""
    return np.where(came.asked[:, reference], reference, came.model).astype(np.int16)


def _came(walks: Sequence[Walked], reference: int) -> Came:
    small = [~came.asked[:, reference] for came in walks]
    return Came(
        np.concatenate([came.score for came in walks]),
        np.concatenate([came.cost_usd for came in walks]),
        np.concatenate(small),
    )


def _ranking(
    figures: Figures, data: Data, tested: Sequence[TestedCascade]
) -> tuple[metrics.Ranked | None, dict[str, metrics.Interval]]:
    """APGR and CPT where there are two models: who needs the strong one, now that the weak one
    has answered."""
    if len(data.models) != 2:
        return None, {}
    weak = 1 - data.reference
    if any(len(one.cascade.line_up) != 2 for one in tested):
        return None, {}
    return figures.ranking([one.sample.posterior[(weak,)] for one in tested])


def _in_hand(samples: Sequence[Sample], least: int) -> tuple[Matrix, Matrix]:
    """P(right) of the answers in hand, and whether they were, in states of `least` and more.

    One row an answer in a state of a prompt, (k, 1).
    """
    predicted: list[Vector] = []
    came: list[Vector] = []
    for sample in samples:
        for seen, known in sample.posterior.items():
            if len(seen) >= least:
                predicted.append(known[:, list(seen)].ravel())
                came.append(sample.score[:, list(seen)].ravel())
    return np.concatenate(predicted)[:, None], np.concatenate(came)[:, None]


def _report(data: Data, tested: Sequence[TestedCascade]) -> CascadeReport:
    def calls(fraction: float) -> float:
        asked = [one.picks[str(fraction)].asked.sum(axis=1) for one in tested]
        return float(np.concatenate(asked).mean())

    samples = [one.sample for one in tested]
    prompt = [((one.quality - one.score) ** 2).ravel() for one in samples]
    answer = [
        (one.posterior[(model,)][:, model] - one.score[:, model]) ** 2
        for one in samples
        for model in range(one.score.shape[1])
    ]
    known, came = _in_hand(samples, 2)
    return CascadeReport(
        line_up=[[data.models[model] for model in one.cascade.line_up] for one in tested],
        calls={str(fraction): calls(fraction) for fraction in FRACTIONS},
        squared_error=Judged(
            prompt=float(np.concatenate(prompt).mean()),
            answer=float(np.concatenate(answer).mean()),
            answers=float(((known - came) ** 2).mean()),
        ),
    )


def _speed(one: TestedCascade) -> Micros:
    """How long the planner takes for a step, once answers are judged."""
    sample, reference = one.sample, one.cascade.reference
    scale = max(float(one.cascade.sample.cost_usd[:, reference].mean()), 1e-12)
    plan = induce(one.cascade.sample, 0.1 / scale, reference)
    taken: list[float] = []
    for row in range(min(_TIMED, len(sample.score))):
        state = State(
            quality=sample.quality[row],
            cost_usd=sample.expected_usd[row],
            asked=(reference,),
            posterior=sample.posterior[(reference,)][row],
        )
        start = time.perf_counter()
        plan.next(state)
        taken.append((time.perf_counter() - start) * 1e6)
    half, most = np.percentile(taken, [50, 99])
    return Micros(round(float(half), 1), round(float(most), 1))
