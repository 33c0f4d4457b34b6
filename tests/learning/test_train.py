"""Training writes one file, or none."""

from __future__ import annotations

import pytest

from tierwise.analysis.encoder import Encoder
from tierwise.errors import ConfigError
from tierwise.learning.size import Size
from tierwise.learning.train import train
from tierwise.routing.artifact import Artifact
from tierwise.routing.learned import Learned

from .conftest import outcomes, questions


def test_what_is_trained_can_be_loaded_and_knows_its_data(tmp_path, traffic):
    found = train([traffic], tmp_path / "router.npz")
    artifact = Artifact.load(tmp_path / "router.npz")
    assert artifact.meta.models == found.models == ["big", "small"]
    assert artifact.meta.sources == ["traffic"]
    assert artifact.meta.groups == ["sums", "works"]
    assert artifact.meta.rows == 200
    prediction = Learned(artifact).predict(
        Encoder.builtin().read("Zoe has 3 pears and buys 9 more. How many are there in all?")
    )
    assert prediction.quality[1] > 0.7
    assert prediction.cost_usd is not None


def test_no_prompt_stands_in_the_file(tmp_path, traffic):
    train([traffic], tmp_path / "router.npz")
    raw = (tmp_path / "router.npz").read_bytes()
    meta = Artifact.load(tmp_path / "router.npz").meta
    assert b"How many" not in raw
    assert "How many" not in str(meta)


def test_the_same_question_of_two_folders_counts_once_with_all_its_outcomes(tmp_path, record):
    prompts = questions(80)
    one = record(tmp_path / "one", prompts, [r for r in outcomes(prompts) if r[1] == "big"])
    loud = {f"x-{key}": text.upper() for key, text in prompts.items()}
    rows = [(f"x-{p}", m, s, c) for p, m, s, c in outcomes(prompts) if m == "small"]
    two = record(tmp_path / "two", loud, rows)
    found = train([one, two], tmp_path / "router.npz")
    assert (found.prompts, found.merged) == (80, 80)
    # Every row has both models now, so all can serve to set λ on.
    assert Artifact.load(tmp_path / "router.npz").arrays["sample_outcome"].shape == (80, 2)


def test_of_too_many_prompts_small_sources_keep_all_of_theirs(tmp_path, record):
    large, small = questions(160), {f"s-{k}": f"In {v}" for k, v in questions(40, seed=7).items()}
    folders = [
        record(tmp_path / "large", large, outcomes(large)),
        record(tmp_path / "small", small, outcomes(small)),
    ]
    found = train(folders, tmp_path / "router.npz", most_rows=100)
    assert found.prompts == 100
    assert any("100 of" in note for note in found.notes)


def test_prompts_without_text_are_not_learned_from_and_the_report_says_so(tmp_path, record):
    prompts = questions(40)
    rows = outcomes(prompts)
    folder = record(tmp_path / "x", {**prompts, "sums-3": "", "works-5": None}, rows)
    found = train([folder], tmp_path / "router.npz")
    assert found.prompts == 38
    assert found.notes == ["2 prompts without a text left out of x/prompts.parquet"]


def test_bad_data_leaves_nothing_behind(tmp_path, record):
    prompts = questions(40)
    rows = outcomes(prompts)
    folder = record(tmp_path / "x", prompts, rows, score=[2.0] * len(rows))
    with pytest.raises(ConfigError, match=r"outcomes\.parquet.*score.*row 0"):
        train([folder], tmp_path / "router.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_does_not_exist_is_told_before_the_work(tmp_path, traffic):
    with pytest.raises(ConfigError, match="its folder does not exist"):
        train([traffic], tmp_path / "nowhere" / "router.npz")


def test_a_folder_in_the_place_of_the_file_is_told_before_the_work(tmp_path, traffic):
    with pytest.raises(ConfigError, match="--out: it is a folder"):
        train([traffic], tmp_path)


def test_what_fails_leaves_an_older_router_as_it_was(tmp_path, record):
    prompts = questions(40)
    rows = outcomes(prompts)
    folder = record(tmp_path / "x", prompts, rows, score=[None] * len(rows))
    file = tmp_path / "router.npz"
    file.write_bytes(b"older")
    with pytest.raises(ConfigError, match="no row has a score"):
        train([folder], file)
    assert file.read_bytes() == b"older"


def test_unknown_models_are_an_error(tmp_path, traffic):
    with pytest.raises(ConfigError, match=r"no outcomes of huge.*big, small"):
        train([traffic], tmp_path / "router.npz", models=["huge"])


def test_the_same_data_and_seed_make_the_same_file(tmp_path, traffic):
    for name in ("one.npz", "two.npz"):
        train([traffic], tmp_path / name, size=Size.SMALL)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_small_is_smaller_and_says_nearly_the_same(tmp_path, traffic):
    full = train([traffic], tmp_path / "full.npz")
    small = train([traffic], tmp_path / "small.npz", size=Size.SMALL)
    assert (tmp_path / "small.npz").stat().st_size < (tmp_path / "full.npz").stat().st_size
    assert small.mean_squared_error == pytest.approx(full.mean_squared_error, abs=0.02)


def test_a_model_that_folders_spell_differently_is_one_unless_both_answered_a_prompt(
    tmp_path, record
):
    def folder(name, models):
        prompts = {f"{name}-{key}": f"{name}: {text}" for key, text in questions(60).items()}
        rows = [(p, model, s, c) for p, _, s, c in outcomes(prompts)[::2] for model in models]
        return record(tmp_path / name, prompts, rows)

    one = folder("one", ["openai/gpt-4o-2024-05-13", "claude-3-haiku-20240307"])
    two = folder("two", ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"])
    found = train([one, two], tmp_path / "router.npz")
    assert sorted(found.models) == [
        "claude-3-haiku-20240307", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini-2024-07-18",
    ]  # fmt: skip
