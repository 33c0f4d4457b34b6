"""Evaluation: what is learned on one part is counted on the other."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tierwise.errors import ConfigError
from tierwise.learning.data import MOST_ROWS, Options, drawn, load, splits
from tierwise.learning.evaluate import evaluate
from tierwise.learning.figures import conclusion
from tierwise.learning.result import At, Point

from .conftest import outcomes, questions

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
OUTCOMES = SHARED / "outcomes"


@pytest.fixture(scope="module")
def result(traffic):
    return evaluate(Options(test=(traffic,), reference="big", folds=3))


def test_a_router_of_two_sorts_of_prompts_saves_nearly_half(result):
    found = result.at["0.95"]
    assert found.saving > 0.3
    assert found.chosen.saving > 0.3
    assert found.chosen.quality_rel > 0.9
    assert found.constant.model == "big"
    assert result.conclusion.startswith("A router saves more")


def test_ranking_and_calibration_are_good_where_sorts_decide(result):
    assert result.apgr > 0.65
    assert result.cpt50 < 40
    assert result.cpt50 < result.cpt80
    assert result.ece < 0.1


def test_the_json_has_the_keys_that_programs_read(result):
    data = msgspec.json.decode(msgspec.json.encode(result))
    assert set(data) >= {
        "apgr", "cpt50", "cpt80", "curve", "at", "best_constant", "oracle", "reference", "ece",
        "decision_us",
    }  # fmt: skip
    assert list(data["at"]) == ["0.95", "0.98", "0.99", "0.995", "0.998", "1.0"]
    figures = {"quality", "quality_rel", "cost_usd", "saving", "small_share"}
    spans = {f"{name}_interval" for name in figures}
    assert set(data["curve"][0]) == figures | spans
    assert set(data["at"]["0.95"]["chosen"]) == set(data["at"]["0.95"]["served"]) == figures | spans
    assert set(data["decision_us"]) == {"p50", "p99"}
    assert {"saving", "small_share", "chosen"} <= set(data["at"]["0.95"])


def test_every_statistic_has_an_interval_that_holds_it(result):
    for name in ("apgr", "cpt50", "cpt80"):
        low, high = result.intervals[name]
        assert low <= getattr(result, name) <= high
    assert result.intervals["ece"][0] < result.intervals["ece"][1]
    for model in (result.best_constant, result.oracle, result.reference):
        assert model.quality_interval[0] <= model.quality <= model.quality_interval[1]
    found = result.at["0.95"]
    singles = (result.best_constant, result.oracle, result.reference)
    points = [found, found.chosen, found.served, *result.curve, *singles]
    for point in points:
        for figure in ("quality", "quality_rel", "cost_usd", "saving", "small_share"):
            low, high = getattr(point, f"{figure}_interval")
            assert low - 1e-12 <= getattr(point, figure) <= high + 1e-12
    for figure in ("quality", "quality_rel", "cost_usd", "saving", "small_share"):
        low, high = getattr(found, f"{figure}_interval")
        assert low < high < low + 0.5


def test_what_is_served_keeps_more_and_saves_less_than_what_just_reached_the_fraction(result):
    points = [(found.chosen, found.served) for found in result.at.values()]
    for chosen, served in points:
        assert served.saving <= chosen.saving + 1e-9
    assert sum(served.saving < chosen.saving - 0.01 for chosen, served in points) >= 3
    assert result.at["0.95"].served.quality_rel >= 0.95


def test_constants_and_oracle_are_what_the_recording_says(result):
    assert result.reference.model == result.best_constant.model == "big"
    assert result.reference.cost_usd == pytest.approx(0.01)
    assert result.reference.saving == 0
    assert result.oracle.quality >= result.best_constant.quality
    assert result.oracle.cost_usd < 0.01
    assert {one.model for one in result.constants} == {"big", "small"}


def test_the_curve_runs_from_the_reference_over_the_best_to_the_cheapest(result):
    assert result.curve[0].small_share == 0
    assert result.curve[0].quality_rel == 1
    assert result.curve[-1].small_share == 1.0
    assert result.curve[-1].cost_usd == pytest.approx(0.001)
    costs = [point.cost_usd for point in result.curve[1:]]
    assert costs == sorted(costs, reverse=True)


def test_a_reference_that_is_never_right_has_no_fractions_but_no_crash_either(tmp_path, record):
    prompts = questions(60)
    rows = [(p, m, float(m == "big"), c) for p in prompts for m, c in (("big", 2.0), ("bad", 1.0))]
    found = evaluate(Options(test=(record(tmp_path / "x", prompts, rows),), reference="bad"))
    assert found.apgr is None
    data = msgspec.json.decode(msgspec.json.encode(found))
    assert data["reference"]["quality_rel"] is None
    assert data["best_constant"]["model"] == "big"


def test_where_one_model_does_everything_the_conclusion_says_so(tmp_path, record):
    prompts = questions(60)
    rows = [(p, m, 1.0, c) for p in prompts for m, c in (("big", 2.0), ("small", 1.0))]
    found = evaluate(Options(test=(record(tmp_path / "x", prompts, rows),), reference="big"))
    assert found.conclusion.startswith("One model is enough: small")
    assert found.apgr is None


def test_prompts_without_text_are_counted_in_the_notes_of_test_and_training(tmp_path, record):
    prompts, others = questions(60), questions(60, seed=3)
    rows = outcomes(prompts)
    test = record(tmp_path / "test", {**prompts, "sums-3": None}, rows)
    train = record(tmp_path / "train", {**others, "sums-3": "", "sums-4": ""}, rows)
    data = load(Options(test=(test,), train=(train,), reference="big"))
    assert data.notes[:2] == [
        "1 prompts without a text left out of test/prompts.parquet",
        "2 prompts without a text left out of train/prompts.parquet",
    ]
    assert len(data.test.prompts) == 59


def test_models_without_a_score_are_left_out_and_named(tmp_path, record):
    prompts = questions(60)
    rows = [(p, m, None if m == "small" else s, c) for p, m, s, c in outcomes(prompts)]
    folder = record(tmp_path / "x", prompts, rows)
    data = load(Options(test=(folder,), reference="big"))
    assert data.models == ("big",)
    assert data.notes == ["models without a score in every folder left out: small"]
    with pytest.raises(ConfigError, match="no prompt has a score of every one of big, small"):
        load(Options(test=(folder,), reference="big", models=("big", "small")))


def test_labels_limit_what_is_learned_from(traffic):
    found = evaluate(Options(test=(traffic,), reference="big", labels=60))
    assert (found.trained_on, found.prompts) == (60, 140)


def test_more_labels_than_prompts_is_an_error(traffic):
    with pytest.raises(ConfigError, match=r"--labels: 200 labels leave none of 200"):
        evaluate(Options(test=(traffic,), reference="big", labels=200))


def test_more_labels_than_training_folders_hold_is_an_error(tmp_path, record, traffic):
    prompts = questions(60, seed=9)
    train = record(tmp_path / "train", prompts, outcomes(prompts))
    options = Options(test=(traffic,), train=(train,), reference="big", labels=61)
    with pytest.raises(ConfigError, match=r"--labels: 61 labels are more than the \d+ prompts"):
        splits(options, load(options))


def test_more_folds_than_prompts_is_an_error(tmp_path, record):
    folder = record(tmp_path / "x", {"a-1": "One?"}, [("a-1", "big", 1.0, 0.1)])
    with pytest.raises(ConfigError, match=r"--folds: 1 prompts make no 5 folds"):
        evaluate(Options(test=(folder,), reference="big"))


@pytest.mark.parametrize(
    ("field", "options"), [("--labels", {"labels": 0}), ("--folds", {"folds": 1})]
)
def test_a_split_with_nothing_to_learn_from_is_an_error(traffic, field, options):
    with pytest.raises(ConfigError, match=f"{field}: .* nothing to learn from"):
        evaluate(Options(test=(traffic,), reference="big", **options))


def test_a_reference_that_is_not_there_is_an_error(traffic):
    with pytest.raises(ConfigError, match=r"huge is not among the models.*big, small"):
        evaluate(Options(test=(traffic,), reference="huge"))


def test_folds_are_apart_and_hold_every_prompt_once(traffic):
    options = Options(test=(traffic,), reference="big", folds=4)
    plan = splits(options, load(options))
    assert sorted(row for split in plan for row in split.test) == list(range(200))
    for split in plan:
        assert not set(split.train) & set(split.test)


def test_a_dataset_left_out_is_never_learned_from(traffic):
    options = Options(test=(traffic,), reference="big", leave_out=True)
    data = load(options)
    for split in splits(options, data):
        names = {data.test.prompts[row].dataset for row in split.test}
        assert names == {split.name}
        assert split.name not in {data.test.prompts[row].dataset for row in split.train}


def test_on_a_dataset_it_never_saw_the_router_stays_with_the_base(traffic):
    found = evaluate(Options(test=(traffic,), reference="big", leave_out=True))
    assert {one.dataset for one in found.left_out} == {"sums", "works"}
    works = next(one for one in found.left_out if one.dataset == "works")
    assert works.foreign > 0.5
    # Trained on sums alone, small looks as good as big.
    assert works.base in {"big", "small"}
    assert works.loss <= 0.005


def test_a_test_prompt_is_not_learned_from_by_way_of_another_folder(tmp_path, record, traffic):
    prompts = questions(200)
    again = {f"other-{i}": f"Please answer: {text}" for i, text in enumerate(prompts.values())}
    fresh = questions(60, seed=9)
    both = again | {f"new-{key}": text for key, text in fresh.items()}
    rows = outcomes(both)
    folder = record(tmp_path / "train", both, rows)
    options = Options(test=(traffic,), train=(folder,), reference="big")
    data = load(options)
    assert not any(prompt.id.startswith("other") for prompt in data.train.prompts)
    assert len(data.train.prompts) > 20
    assert any("dropped because they stand in the test" in note for note in data.notes)
    found = evaluate(options)
    assert found.trained_on == len(data.train.prompts)
    assert found.prompts == 200


def test_folds_over_several_folders_do_not_share_a_question(tmp_path, record, traffic):
    again = {f"x-{i}": f"Q: {text}" for i, text in enumerate(questions(200).values())}
    options = Options(
        test=(traffic, record(tmp_path / "again", again, outcomes(again))), reference="big", folds=2
    )
    data = load(options)
    for split in splits(options, data):
        texts = {data.test.prompts[row].text.removeprefix("Q: ") for row in split.test}
        assert not texts & {data.test.prompts[row].text.removeprefix("Q: ") for row in split.train}


def test_training_folders_need_not_know_the_tested_models(tmp_path, record):
    learned = {
        f"sums-{i}": f"There are {i} pens in a bag, {3 * i} in a box. How many pens in total?"
        for i in range(40)
    }
    learned |= {
        f"works-{i}": f"Who is the painter of portrait {i}, and what was it called by critics?"
        for i in range(40)
    }
    rows = [(p, "other", 1.0 if p.startswith("sums") else 0.4, 0.001) for p in learned]
    names = {"big": "gpt-4o", "small": "gpt-4o-mini"}
    renamed = [(p, names[m], s, c) for p, m, s, c in outcomes(questions(80))]
    train = record(tmp_path / "train", learned, rows)
    test = record(tmp_path / "test", questions(80), renamed)
    found = evaluate(Options(test=(test,), train=(train,), reference="gpt-4o"))
    assert found.trained_on == 80
    # Serving would have no outcomes of these models to keep caution on, but made-up ones.
    assert found.at["0.95"].served is None
    # Only how hard sums and works are was learned; the catalogue knows that mini is the weaker.
    assert found.apgr > 0.55


def test_a_tested_model_that_nobody_knows_is_an_error(tmp_path, record, traffic):
    prompts = questions(60, seed=4)
    train = record(tmp_path / "train", prompts, [(p, "other", 1.0, 0.001) for p in prompts])
    with pytest.raises(ConfigError, match="big is neither in the training data nor"):
        evaluate(Options(test=(traffic,), train=(train,), reference="big"))


@pytest.mark.skipif(not OUTCOMES.is_dir(), reason=f"no recorded outcomes at {OUTCOMES}")
def test_with_a_thousand_labels_a_router_saves_on_routerbench():
    options = Options(
        test=(OUTCOMES / "routerbench",), reference="gpt-4-1106-preview", labels=1000
    )  # fmt: skip
    found = evaluate(options)
    assert found.prompts == 1337
    assert found.at["0.95"].saving > 0.6
    assert found.at["0.98"].saving > 0.3
    assert found.ece < 0.04


def test_of_more_rows_than_can_be_learned_from_some_are_drawn_out_of_all() -> None:
    rows = np.arange(3 * MOST_ROWS)
    kept = drawn(rows, seed=0)
    assert len(kept) == MOST_ROWS
    assert np.all(np.diff(kept) > 0)
    assert (kept >= 2 * MOST_ROWS).mean() == pytest.approx(1 / 3, abs=0.05)
    assert drawn(rows[:10], seed=0).tolist() == list(range(10))


def test_a_choice_that_missed_its_target_is_no_gain() -> None:
    def at(reached: float) -> At:
        point = {"quality": reached, "quality_rel": reached, "cost_usd": 0.1, "saving": 0.9,
                 "small_share": 1.0}  # fmt: skip
        spans = {f"{name}_interval": (value - 0.01, value + 0.01) for name, value in point.items()}
        chosen = Point(**point, **spans)
        return At(**point, **spans, chosen=chosen, constant=None)

    assert "saves more" in conclusion({"0.95": at(0.95)})
    assert conclusion({"0.95": at(0.9)}) == "Nothing is gained."


def test_the_operating_point_is_chosen_on_training_rows_and_not_on_the_test(
    tmp_path: Path, record, traffic: Path
) -> None:
    # By the recordings to learn from, `small` does sums as well as `big`; in the test it does none.
    prompts = questions(200, seed=5)
    rows = [(p, m, float(m == "big"), 0.01 if m == "big" else 0.001) for p in prompts
            for m in ("big", "small")]  # fmt: skip
    test = record(tmp_path / "test", prompts, rows)
    found = evaluate(Options(test=(test,), train=(traffic,), reference="big")).at["0.95"]
    assert found is not None
    assert found.quality_rel >= 0.95
    assert found.chosen.quality_rel < 0.8
    assert found.chosen.saving > found.saving
