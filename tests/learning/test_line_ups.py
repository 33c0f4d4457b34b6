"""Which models a cascade learns to judge is searched for from two starts."""

from __future__ import annotations

import numpy as np

from tierwise.gates.evidence import FEATURES
from tierwise.gates.scorer import Answers
from tierwise.learning.cascade import MOST_MODELS, Recorded, fit_cascade, line_ups

SMALL, SPECIALIST, BIG = 0, 1, 2
COSTS = (1.0, 3.0, 20.0)


def recorded(rows: int = 300) -> Recorded:
    """A specialist that is right on a third of the prompts, as the prompts tell."""
    random = np.random.default_rng(0)
    special = np.arange(rows) % 3 == 0
    quality = np.column_stack(
        [np.full(rows, 0.6), np.where(special, 0.95, 0.1), np.where(special, 0.9, 0.95)]
    )
    answers = Answers(
        np.zeros((rows, 3, len(FEATURES)), np.float32),
        np.repeat(np.eye(3, dtype=np.float32)[None], rows, axis=0),
        np.full((rows, 3), 5, np.int8),
    )
    cost = np.tile(COSTS, (rows, 1))
    score = (random.random((rows, 3)) < quality).astype(float)
    return Recorded(answers, quality, cost, score, cost)


def test_a_specialist_that_prompts_tell_of_is_in_a_line_up():
    offered = line_ups(recorded(), BIG, np.random.default_rng(0))
    assert any(SPECIALIST in one for one in offered)
    assert all(BIG in one and len(one) <= MOST_MODELS for one in offered)


def test_a_line_up_that_is_given_is_kept():
    cascade = fit_cascade(recorded(), BIG, 0, [SMALL, BIG])
    assert cascade.line_up == (SMALL, BIG)
    assert cascade.reference == 1
