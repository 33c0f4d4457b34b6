"""Where answers are recorded, training also learns to judge them and to plan by them."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.errors import ConfigError
from tierwise.learning.train import train
from tierwise.routing.artifact import Artifact

from .conftest import outcomes, questions, write
from .test_evaluate_cascade import recording


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    prompts = questions(400)
    rows, answers = recording(prompts)
    return write(tmp_path_factory.mktemp("answers") / "answers", prompts, rows, response=answers)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, folder):
    file = tmp_path_factory.mktemp("router") / "router.npz"
    return train([folder], file), Artifact.load(file)


def test_the_artifact_says_whose_answers_it_judges(trained):
    result, artifact = trained
    assert artifact.meta.cascade is not None
    assert artifact.meta.cascade.reference == "big"
    assert artifact.meta.cascade.models == result.cascade
    assert "big" in result.cascade
    assert not artifact.meta.cascade.logprobs


def test_plans_save_more_the_less_quality_is_asked_for(trained):
    arrays = trained[1].arrays
    score, cost = arrays["plan_reference"]
    saving = []
    for fraction in (0.99, 0.95, 0.9):
        able = arrays["plan_score"] >= fraction * score
        saving.append(1 - arrays["plan_cost"][able].min() / cost)
    assert saving == sorted(saving)
    assert saving[0] > 0.2


def test_what_answers_said_is_not_in_the_file(tmp_path, record):
    prompts = questions(400)
    rows, answers = recording(prompts)
    said = [f"{answer} said the oracle of Delphi" for answer in answers]
    train([record(tmp_path / "x", prompts, rows, response=said)], tmp_path / "router.npz")
    assert b"Delphi" not in (tmp_path / "router.npz").read_bytes()


def test_without_answers_there_is_no_cascade(tmp_path, traffic):
    assert train([traffic], tmp_path / "router.npz").cascade == []
    artifact = Artifact.load(tmp_path / "router.npz")
    assert artifact.meta.cascade is None
    assert not any(name.startswith(("scorer_", "plan_")) for name in artifact.arrays)


def test_prompts_that_a_model_did_not_answer_are_not_learned_from(tmp_path, record):
    prompts = questions(500)
    rows, answers = recording(prompts)
    gaps: list[str | None] = list(answers)
    gaps[: 3 * 100] = [None if n % 3 == 1 else one for n, one in enumerate(answers[: 3 * 100])]
    train([record(tmp_path / "x", prompts, rows, response=gaps)], tmp_path / "router.npz")
    cascade = Artifact.load(tmp_path / "router.npz").meta.cascade
    assert cascade is not None
    assert cascade.rows == 400


def test_too_few_answers_make_no_cascade(tmp_path, record):
    prompts = questions(100)
    rows, answers = recording(prompts)
    folder = record(tmp_path / "x", prompts, rows, response=answers)
    assert train([folder], tmp_path / "router.npz").cascade == []


def test_the_reference_can_be_named_and_must_exist(tmp_path, folder):
    train([folder], tmp_path / "router.npz", reference="small")
    cascade = Artifact.load(tmp_path / "router.npz").meta.cascade
    assert cascade is None or cascade.reference == "small"
    with pytest.raises(ConfigError, match="huge is not among the models"):
        train([folder], tmp_path / "router.npz", reference="huge")


def test_answers_of_one_folder_do_not_make_up_for_another_s(tmp_path, record, folder):
    prompts = {f"other-{key}": f"In {text}" for key, text in questions(100).items()}
    other = record(tmp_path / "other", prompts, outcomes(prompts))
    train([folder, other], tmp_path / "router.npz", models=["big", "small"])
    cascade = Artifact.load(tmp_path / "router.npz").meta.cascade
    assert cascade is not None
    assert cascade.rows == 400
    assert np.isfinite(Artifact.load(tmp_path / "router.npz").arrays["plan_later"]).all()
