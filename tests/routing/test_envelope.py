"""Where lines cross is where trying every rate finds it, many times quicker."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.config.schema import SHIPPED_FILE
from tierwise.routing.artifact import Artifact
from tierwise.routing.envelope import Envelope
from tierwise.routing.exchange import walk
from tierwise.routing.lineup import TARGETS, WORTH, line_up
from tierwise.routing.sample import CAUTION, Sample

Chosen = np.ndarray


@pytest.fixture(scope="module")
def shipped() -> Sample:
    """The sample that ships, at prices of each task's own."""
    arrays = Artifact.load(SHIPPED_FILE).arrays
    predicted = arrays["sample_predicted"].astype(float)
    random = np.random.default_rng(7)
    prices = 10 ** random.uniform(-5, -2, predicted.shape[1])
    costs = prices * random.lognormal(0.0, 0.5, predicted.shape)
    return Sample(predicted, arrays["sample_outcome"].astype(float), costs)


def some(sample: Sample, random: np.random.Generator) -> tuple[Sample, int]:
    """A few of its models and the place of one of them."""
    size = int(random.integers(2, 9))
    places = random.choice(sample.predicted.shape[1], size, replace=False)
    return sample.of([int(place) for place in places]), int(random.integers(size))


def chosen(sample: Sample, rate: float, models: list[int]) -> Chosen:
    """The model of the highest value for each task, by trying; the first of equals."""
    value = sample.predicted[:, models] - rate * sample.cost_usd[:, models]
    return np.array(models)[value.argmax(axis=1)]


def level(sample: Sample, models: list[int], reference: int) -> float:
    """The mean log cost that a line-up is judged by, by trying each rate."""
    wanted, tasks = sample.outcome[:, reference], np.arange(len(sample.outcome))
    costs, margins = [], []
    for rate in sample.rates(reference)[::6]:
        who = chosen(sample, rate, models)
        gain = sample.outcome[tasks, who] - wanted
        margins.append(gain.mean() - CAUTION * gain.std() / np.sqrt(len(wanted)))
        costs.append(sample.cost_usd[tasks, who].mean() / sample.mean_cost_usd[reference])
    cost, margin = np.array(costs), np.array(margins)
    found = []
    for target in TARGETS:
        able = cost[margin + (1.0 - target) * wanted.mean() >= -1e-12]
        found.append(np.log(min(1.0, able.min())) if len(able) else 0.0)
    return float(np.mean(found))


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_comes_to_what_trying_every_rate_comes_to(shipped: Sample, seed: int) -> None:
    sample, reference = some(shipped, np.random.default_rng(seed))
    path = walk(sample, reference)
    models = list(range(sample.predicted.shape[1]))
    tasks = np.arange(len(sample.predicted))
    wanted = sample.outcome[:, reference]
    for place, rate in enumerate(path.rates):
        who = chosen(sample, rate, models)
        came = sample.outcome[tasks, who]
        gain = came - wanted
        assert path.quality[place] == pytest.approx(came.mean(), abs=1e-10)
        assert path.cost_usd[place] == pytest.approx(sample.cost_usd[tasks, who].mean(), abs=1e-12)
        assert path.gain[place] == pytest.approx(gain.mean(), abs=1e-10)
        assert path.gain_variance[place] == pytest.approx(gain.var(), abs=1e-10)
        common = (gain * wanted).mean() - gain.mean() * wanted.mean()
        assert path.covariance[place] == pytest.approx(common, abs=1e-10)


@pytest.mark.parametrize("seed", range(10, 14))
def test_a_line_up_is_the_one_that_trying_every_rate_would_find(shipped: Sample, seed: int) -> None:
    sample, reference = some(shipped, np.random.default_rng(seed))
    expected, best = [reference], 0.0
    others = [place for place in range(sample.predicted.shape[1]) if place != reference]
    while others:
        levels = {place: level(sample, [*expected, place], reference) for place in others}
        place = min(others, key=levels.__getitem__)
        if levels[place] > best + np.log1p(-WORTH):
            break
        expected.append(place)
        others.remove(place)
        best = levels[place]
    assert line_up(sample, reference) == tuple(expected)


def test_of_equals_the_one_that_joined_earlier_is_chosen() -> None:
    # Equal at any rate; equal where nothing costs anything; equal at a rate that is tried.
    predicted = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.75]])
    costs = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    sample = Sample(predicted, predicted, costs)
    rates = np.array([0.0, 0.25, 0.5])
    for models in ([0, 1], [1, 0]):
        found = Envelope.of(sample, rates, models)
        for task in range(len(predicted)):
            for place, rate in enumerate(rates):
                holders = [
                    model
                    for model, first, end in zip(found.models, found.first, found.end, strict=True)
                    if first[task] <= place < end[task]
                ]
                assert holders == [chosen(sample, rate, models)[task]]
