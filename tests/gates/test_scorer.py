"""The learned scorer: what an answer shows, who agrees with whom, and what that says."""

from __future__ import annotations

import numpy as np

from tierwise.analysis.encoder import Encoder
from tierwise.gates.closed_answer import asked
from tierwise.gates.evidence import FEATURES, alike, read_answer
from tierwise.gates.scorer import Scorer, gathered

PROMPT = "Which planet is the largest?\nA) Mars\nB) Jupiter\nC) Venus\nAnswer:"
SUM = "Ann has 3 boxes of 12 eggs and 4 more. How many eggs are there?"


def evidence(answer: str, prompt: str = PROMPT, logprob: float | None = None):
    encoder = Encoder.builtin()
    return read_answer(prompt, asked(prompt), encoder.read(prompt), answer, logprob, encoder.embed)


def feature(one, name: str) -> float:
    return float(one.features[FEATURES.index(name)])


def test_answers_of_one_letter_are_alike_whatever_is_around_it():
    assert alike(evidence("B"), evidence("B) Jupiter")) == 1.0
    assert alike(evidence("B"), evidence("A")) == 0.0


def test_an_open_answer_and_a_closed_one_are_not_alike():
    story = "Once upon a time there was a planet that nobody had ever seen from close by at all."
    assert alike(evidence("B"), evidence(story)) == 0.0


def test_open_answers_are_never_known_to_be_the_same():
    story = "It was a dark night, and all the people of the town had long gone to their beds."
    assert 0.5 < alike(evidence(story, "Tell a story"), evidence(story, "Tell a story")) < 1.0


def test_wrong_sums_are_counted():
    right = evidence("3 * 12 = 36 and 36 + 4 = 40. #### 40", SUM)
    wrong = evidence("3 * 12 = 38 and 38 + 4 = 42. #### 42", SUM)
    assert feature(right, "wrong_sums") == 0
    assert feature(wrong, "wrong_sums") == 1


def test_a_surer_model_has_more_confidence_and_an_unknown_one_is_in_the_middle():
    sure, unsure, unknown = (evidence("B", logprob=p) for p in (-0.001, -1.5, None))
    assert feature(sure, "confidence") > feature(unknown, "confidence")
    assert feature(unknown, "confidence") > feature(unsure, "confidence")


def fitted():
    """A scorer of three models, fitted to answers where agreement means being right."""
    from tierwise.learning.cascade import Recorded, fit_scorer, own_left_out
    from tierwise.routing.induction import states

    random = np.random.default_rng(0)
    rows, texts = 300, ("A", "B", "C")
    read = {text: evidence(text) for text in texts}
    score = (random.random((rows, 3)) < 0.6).astype(float)
    said = [
        {m: read["B" if score[i, m] else random.choice(("A", "C"))] for m in range(3)}
        for i in range(rows)
    ]
    parts = [gathered(one, 3) for one in said]
    answers = type(parts[0])(
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("features", "alike", "kind"))
    )
    # Which letter is right must not be learned: only who agrees.
    answers.features[:] = 0.0
    flat = np.full((rows, 3), 0.6)
    recorded = Recorded(answers, flat, flat, score, flat)
    own = own_left_out(recorded, random)
    return Scorer(fit_scorer(recorded, own, states(3, 2), 5.0)), read


def test_agreement_raises_a_posterior_and_disagreement_lowers_it():
    scorer, read = fitted()
    quality = np.full((1, 3), 0.6)
    agree = scorer.posterior(gathered({0: read["B"], 1: read["B"]}, 3), quality, (0, 1))[0, 0]
    differ = scorer.posterior(gathered({0: read["B"], 1: read["A"]}, 3), quality, (0, 1))[0, 0]
    assert agree > 0.65
    assert differ < 0.6
    assert agree > differ + 0.1


def test_a_posterior_is_a_probability_for_every_model():
    scorer, read = fitted()
    known = scorer.posterior(gathered({2: read["C"]}, 3), np.full((1, 3), 0.6), (2,))
    assert known.shape == (1, 3)
    assert ((known > 0) & (known < 1)).all()
