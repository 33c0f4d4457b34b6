"""Recordings become matrices; what is bad in them is named."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.errors import ConfigError
from tierwise.learning.outcomes import (
    choose_models,
    groups,
    price_missing,
    read_outcomes,
    scored_rows,
)

TWO = {"a-1": "first?", "a-2": "second?"}
FULL = [(p, m, 1.0, 0.1) for p in TWO for m in ("big", "small")]


def test_scores_and_costs_stand_where_they_were_recorded(tmp_path, record):
    rows = [("a-1", "big", 1.0, 0.2), ("a-2", "small", 0.5, None)]
    found = read_outcomes([record(tmp_path / "x", TWO, rows)])
    assert found.models == ("big", "small")
    assert [prompt.text for prompt in found.prompts] == ["first?", "second?"]
    np.testing.assert_equal(found.scores, [[1.0, np.nan], [np.nan, 0.5]])
    np.testing.assert_equal(found.costs, [[0.2, np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"score": None}, ["outcomes.parquet", "'score'"]),
        ({"model": None}, ["outcomes.parquet", "'model'"]),
        ({"prompts_prompt": None}, ["prompts.parquet", "'prompt'"]),
        ({"score": [1.0, 1.2, 1.0, 1.0]}, ["outcomes.parquet", "score", "row 1", "1.2", "0 to 1"]),
        ({"score": [None] * 4}, ["x/outcomes.parquet", "score", "no row has a score", "needs"]),
        ({"score": [1.0, 1.0, -0.5, 1.0]}, ["score", "row 2", "-0.5"]),
        ({"score": [1.0, 1.0, 1.0, float("nan")]}, ["score", "row 3", "nan"]),
        ({"score": ["1", "x", "1", "1"]}, ["score", "row 0", "'1'"]),
        ({"cost_usd": [0.1, 0.1, 0.1, -1.0]}, ["cost_usd", "row 3", "-1.0"]),
        ({"cost_usd": [0.1, 0.1, float("inf"), 0.1]}, ["cost_usd", "row 2", "inf"]),
        ({"prompt_id": None}, ["outcomes.parquet", "'prompt_id'"]),
        ({"model": ["big", "", "big", "small"]}, ["outcomes.parquet", "model", "row 1", "''"]),
        ({"model": ["big", None, "big", "small"]}, ["model", "row 1", "None"]),
        ({"prompt_id": ["a-1", "a-1", "a-9", "a-2"]}, ["prompt_id", "row 2", "'a-9'"]),
        ({"model": ["big", "big", "big", "small"]}, ["row 1 repeats", "'big'", "'a-1'"]),
        ({"prompts_prompt_id": ["a-1", "a-1"]}, ["prompts.parquet", "row 1 repeats", "'a-1'"]),
        ({"prompts_prompt": [None, None]}, ["prompts.parquet", "no row has a prompt"]),
    ],
)
def test_bad_data_is_an_error_with_file_column_and_row(tmp_path, record, columns, words):
    folder = record(tmp_path / "x", TWO, FULL, **columns)
    with pytest.raises(ConfigError) as wrong:
        read_outcomes([folder])
    for word in words:
        assert word in str(wrong.value)


@pytest.mark.parametrize("nothing", [None, ""])
def test_prompts_without_text_are_left_out_with_their_outcomes_and_counted(
    tmp_path, record, nothing
):
    found = read_outcomes([record(tmp_path / "x", {"a-1": nothing, "a-2": "second?"}, FULL)])
    assert [prompt.id for prompt in found.prompts] == ["a-2"]
    assert found.scores.shape == (1, 2)
    assert found.notes == ("1 prompts without a text left out of x/prompts.parquet",)


def test_notes_name_each_file_and_outlive_a_choice_of_rows_and_models(tmp_path, record):
    folders = [
        record(tmp_path / "one", {"a-1": None, "a-2": "second?"}, FULL),
        record(tmp_path / "two", TWO, FULL),
        record(tmp_path / "three", {"a-1": "", "a-2": "other?"}, FULL),
    ]
    found = read_outcomes(folders).only(["small"]).rows(np.array([0]))
    assert [note.rsplit(" ", 1)[1] for note in found.notes] == [
        "one/prompts.parquet", "three/prompts.parquet",
    ]  # fmt: skip
    assert read_outcomes(folders[1:2]).notes == ()


def test_several_folders_stand_below_each_other_and_share_models(tmp_path, record):
    one = record(tmp_path / "one", TWO, [(p, m, 1.0, 0.1) for p in TWO for m in ("big", "x")])
    two = record(tmp_path / "two", TWO, [(p, m, 0.0, 0.1) for p in TWO for m in ("big", "y")])
    found = read_outcomes([one, two])
    assert found.models == ("big", "x", "y")
    assert [prompt.source for prompt in found.prompts] == ["one", "one", "two", "two"]
    assert found.scores[:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert choose_models(found, [], [one, two]) == ["big"]


def test_folders_without_a_model_in_common_are_an_error(tmp_path, record):
    one = record(tmp_path / "one", TWO, [(p, "x", 1.0, 0.1) for p in TWO])
    two = record(tmp_path / "two", TWO, [(p, "y", 1.0, 0.1) for p in TWO])
    with pytest.raises(ConfigError, match="no model has outcomes in every one"):
        choose_models(read_outcomes([one, two]), [], [one, two])


def test_an_unknown_model_or_dataset_is_an_error_that_lists_those_there_are(tmp_path, record):
    folder = record(tmp_path / "x", TWO, FULL)
    with pytest.raises(ConfigError, match=r"no outcomes of huge.*There are: big, small"):
        choose_models(read_outcomes([folder]), ["huge", "big"], [folder])
    with pytest.raises(ConfigError, match=r"no prompts of dataset b.*There are: a"):
        read_outcomes([folder], ["b"])


def test_rows_where_a_wanted_model_has_no_score_are_dropped_and_counted(tmp_path, record):
    rows = [(p, m, None if (p, m) == ("a-2", "small") else 1.0, 0.1) for p, m, _, _ in FULL]
    folder = record(tmp_path / "x", TWO, rows)
    kept, note = scored_rows(read_outcomes([folder]), [folder])
    assert [prompt.id for prompt in kept.prompts] == ["a-1"]
    assert note == "1 prompts dropped for missing scores (small 1)"
    alone, note = scored_rows(read_outcomes([folder]).only(["big"]), [folder])
    assert len(alone.prompts) == 2
    assert note == ""


def test_no_complete_row_is_an_error(tmp_path, record):
    folder = record(tmp_path / "x", TWO, [("a-1", "big", 1.0, 1.0), ("a-2", "small", 1.0, 1.0)])
    with pytest.raises(ConfigError, match="no prompt has a score of every one of big, small"):
        scored_rows(read_outcomes([folder]), [folder])


def test_models_without_costs_need_a_price(tmp_path, record):
    rows = [(p, m, 1.0, None if m == "small" else 0.1) for p, m, _, _ in FULL]
    found = read_outcomes([record(tmp_path / "x", TWO, rows)])
    with pytest.raises(
        ConfigError, match=r"x/outcomes\.parquet: cost_usd: no cost is recorded for small.*--price"
    ):
        price_missing(found, {"big": 1.0})
    priced, note = price_missing(found, {"small": 0.02, "big": 1.0})
    assert priced.costs.tolist() == [[0.1, 0.02], [0.1, 0.02]]
    assert note == ""


def test_a_gap_in_recorded_costs_is_the_models_mean_and_is_told(tmp_path, record):
    rows = [("a-1", "big", 1.0, 0.3), ("a-2", "big", 1.0, None)]
    priced, note = price_missing(read_outcomes([record(tmp_path / "x", TWO, rows)]), {})
    assert priced.costs[:, 0].tolist() == [0.3, 0.3]
    assert "big 1" in note


def test_a_small_category_counts_to_its_dataset(tmp_path, record):
    prompts = {f"a-{i}": f"question {i}" for i in range(12)}
    folder = record(
        tmp_path / "x", prompts, [(p, "big", 1.0, 0.1) for p in prompts],
        prompts_category=["law"] * 9 + ["art"] * 3,
    )  # fmt: skip
    assert groups(read_outcomes([folder]).prompts) == ["a/law"] * 9 + ["a"] * 3
