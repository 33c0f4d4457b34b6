"""Evaluation of cascades: answers are read, compared and paid for."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tierwise.errors import ConfigError
from tierwise.learning.data import Options
from tierwise.learning.evaluate import evaluate

from .conftest import questions
from .test_evaluate import OUTCOMES

MODELS = (("big", 0.02, 0.95), ("small", 0.001, 0.7), ("other", 0.001, 0.7))


def recording(prompts, seed=0):
    """Rows and answers of three models: the right answer is 42, wrong ones are all different."""
    random = np.random.default_rng(seed)
    rows, answers = [], []
    for prompt_id in prompts:
        for model, cost, able in MODELS:
            right = random.random() < able
            rows.append((prompt_id, model, float(right), cost))
            answers.append("42" if right else str(random.integers(100, 10_000)))
    return rows, answers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from .conftest import write

    prompts = questions(400)
    rows, answers = recording(prompts)
    parts = ["train" if number % 2 else "test" for number in range(len(prompts))]
    path = tmp_path_factory.mktemp("answers") / "answers"
    return write(path, prompts, rows, response=answers, prompts_split=parts)


@pytest.fixture(scope="module")
def result(folder):
    return evaluate(Options(test=(folder,), reference="big", folds=3, cascade=True))


def test_agreement_saves_what_the_prompt_alone_cannot(result, folder):
    plain = evaluate(Options(test=(folder,), reference="big", folds=3))
    assert result.at["0.99"].saving > plain.at["0.99"].saving + 0.15
    assert result.at["0.99"].chosen.saving > 0.2


def test_what_is_served_is_as_cautious_as_serving_is_with_plans(result):
    points = [(found.chosen, found.served) for found in result.at.values() if found is not None]
    assert all(served.saving <= chosen.saving + 1e-9 for chosen, served in points)
    assert any(served.saving < chosen.saving - 0.01 for chosen, served in points)


def test_every_call_of_the_chosen_point_is_billed(result):
    chosen = result.at["0.95"].chosen
    # Whoever finishes without the big model paid for one call at least, the others for it too.
    least = (1 - chosen.small_share) * 0.02 + chosen.small_share * 0.001
    assert chosen.cost_usd >= least - 1e-9
    assert result.cascade.calls["0.95"] > 1


def test_the_answers_of_others_make_judgement_better(result):
    error = result.cascade.squared_error
    assert error.answers < error.prompt
    assert result.ece < 0.1


def test_the_json_has_the_keys_of_an_evaluation_without_a_cascade(result, folder):
    plain = evaluate(Options(test=(folder,), reference="big", folds=3))
    one, other = (msgspec.json.decode(msgspec.json.encode(r)) for r in (result, plain))
    assert set(one) == set(other)
    assert set(one["at"]["0.95"]) == set(other["at"]["0.95"])


def test_the_source_s_own_split_is_learned_on_train_and_tested_on_test(folder):
    found = evaluate(Options(test=(folder,), reference="big", own_split=True, cascade=True))
    assert found.prompts == found.trained_on == 200


def test_without_recorded_answers_it_says_what_is_missing(traffic):
    with pytest.raises(ConfigError, match="no answers are recorded"):
        evaluate(Options(test=(traffic,), reference="big", cascade=True))


def test_an_own_split_that_is_not_there_is_an_error(traffic):
    with pytest.raises(ConfigError, match="no split"):
        evaluate(Options(test=(traffic,), reference="big", own_split=True))


@pytest.mark.skipif(not OUTCOMES.is_dir(), reason="the shared outcomes are not here")
def test_reading_the_weak_model_s_sums_ranks_grade_school_mathematics():
    found = evaluate(
        Options(
            test=(OUTCOMES / "routellm",),
            reference="gpt-4-1106-preview",
            datasets=("gsm8k",),
            prices={"gpt-4-1106-preview": 0.0247, "mistralai/mixtral-8x7b-instruct-v0.1": 0.00024},
            cascade=True,
        )
    )
    assert found.apgr > 0.73
    assert found.cpt80 < 46
