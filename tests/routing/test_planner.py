"""Planner and induction: stop or ask, by what the next answer is worth and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from tierwise.routing.induction import Sample, induce, states, walk
from tierwise.routing.planner import Ask, State, Stop

SMALL, OTHER, BIG = 0, 1, 2
COSTS = (1.0, 1.0, 20.0)


def a_sample(rows: int = 1200, seed: int = 0) -> Sample:
    """Two small models, right three times in four, and a big one that is right nine in ten.

    Where the small ones agree they are right, so that the second is worth asking first.
    """
    random = np.random.default_rng(seed)
    agree = random.random(rows) < 0.6
    small = np.where(agree, 1.0, random.random(rows) < 0.4)
    other = np.where(agree, 1.0, (1 - small) * (random.random(rows) < 0.5))
    big = (random.random(rows) < 0.95).astype(float)
    score = np.column_stack([small, other, big])
    prior = np.repeat(score.mean(axis=0)[None], rows, axis=0)
    posterior = {seen: prior.copy() for seen in states(3, 2)}
    posterior[(SMALL, OTHER)][:, SMALL] = np.where(agree, 0.98, 0.4)
    posterior[(SMALL, OTHER)][:, OTHER] = np.where(agree, 0.98, 0.3)
    cost = np.repeat(np.array(COSTS)[None], rows, axis=0)
    return Sample(prior, cost, posterior, score, cost)


def a_state(sample: Sample, *asked: int, row: int = 0) -> State:
    seen = tuple(sorted(asked))
    return State(
        quality=sample.quality[row],
        cost_usd=sample.expected_usd[row],
        asked=asked,
        posterior=sample.posterior[seen][row] if seen else None,
    )


@pytest.fixture(scope="module")
def sample() -> Sample:
    return a_sample()


def test_where_money_does_not_count_the_best_model_answers(sample):
    came = walk(induce(sample, 0.0, BIG), sample)
    assert came.score.mean() >= sample.score[:, BIG].mean() - 0.02


def test_where_only_money_counts_one_cheap_model_is_asked_and_nobody_else(sample):
    came = walk(induce(sample, 10.0, BIG), sample)
    assert came.cost_usd.max() == 1.0
    assert came.asked.sum(axis=1).max() == 1


def test_agreement_of_two_small_models_spares_the_big_one(sample):
    plan = induce(sample, 0.008, BIG)
    came = walk(plan, a_sample(seed=1))
    assert came.cost_usd.mean() < 0.6 * COSTS[BIG]
    assert came.score.mean() > 0.93
    spared = ~came.asked[:, BIG]
    assert 0.4 < spared.mean() < 0.8


def test_every_call_is_billed(sample):
    came = walk(induce(sample, 0.008, BIG), sample)
    assert came.cost_usd == pytest.approx(came.asked @ np.array(COSTS))


def test_one_request_is_planned_as_many_are(sample):
    plan = induce(sample, 0.008, BIG)
    came = walk(plan, sample)
    for row in range(40):
        asked: tuple[int, ...] = ()
        while isinstance(step := plan.next(_state(sample, asked, row)), Ask):
            asked = (*asked, step.model)
        assert step.model == came.model[row]
        assert set(asked) == set(np.flatnonzero(came.asked[row]))


def test_a_barred_model_is_never_asked(sample):
    plan = induce(sample, 0.0, BIG)
    state = State(
        quality=sample.quality[0], cost_usd=sample.expected_usd[0], barred=frozenset({BIG})
    )
    step = plan.next(state)
    assert isinstance(step, Ask)
    assert step.model != BIG


def test_when_nobody_is_left_the_best_answer_in_hand_is_given(sample):
    plan = induce(sample, 0.0, BIG)
    state = State(
        quality=sample.quality[0],
        cost_usd=sample.expected_usd[0],
        asked=(SMALL,),
        posterior=np.array([0.2, 0.9, 0.9]),
        barred=frozenset({OTHER, BIG}),
    )
    assert plan.next(state) == Stop(SMALL, 0.2)


def _state(sample: Sample, asked: tuple[int, ...], row: int) -> State:
    # Once all states that were weighed are behind, posteriors no longer matter.
    if len(asked) > sample.depth:
        return State(
            quality=sample.quality[row], cost_usd=sample.expected_usd[row], asked=asked,
            posterior=sample.quality[row],
        )  # fmt: skip
    return a_state(sample, *asked, row=row)


def test_an_answer_that_looks_better_than_it_is_does_not_end_the_search():
    rows, small, big = 400, 0, 1
    row = np.arange(rows)
    score = np.column_stack([row % 5 < 3, row % 25 < 23]).astype(float)
    looks = np.tile([0.9, 0.92], (rows, 1))
    cost = np.tile([0.0, 1.0], (rows, 1))
    posterior = {seen: looks.copy() for seen in states(2, 2)}
    plan = induce(Sample(looks, cost, posterior, score, cost), 0.05, big)
    seen = State(quality=looks[0], cost_usd=cost[0], asked=(small,), posterior=looks[0])
    assert isinstance(plan.next(seen), Ask)


def test_the_lead_of_a_model_is_what_is_lost_if_the_next_best_must_do(sample):
    plan = induce(sample, 0.01, BIG)
    move = plan.next(a_state(sample))
    assert isinstance(move, Ask)
    barred = replace(a_state(sample), barred=frozenset({move.model}))
    other = plan.next(barred)
    assert isinstance(other, Ask)
    assert move.lead == pytest.approx(move.gain - other.gain)
    assert move.lead >= 0


def test_with_an_answer_in_hand_the_lead_is_at_most_the_gain_over_giving_it(sample):
    plan = induce(sample, 0.0, BIG)
    move = plan.next(a_state(sample, SMALL))
    assert isinstance(move, Ask)
    assert 0 <= move.lead <= move.gain


def test_of_a_model_that_nobody_can_replace_everything_is_at_stake(sample):
    plan = induce(sample, 0.01, BIG)
    alone = replace(a_state(sample), barred=frozenset({OTHER, BIG}))
    move = plan.next(alone)
    assert isinstance(move, Ask)
    assert move.lead == np.inf
