"""`tierwise train` and `tierwise evaluate` as a user types them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tierwise.cli import app
from tierwise.errors import ConfigError

from .conftest import outcomes, questions


def run(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_train_takes_several_folders_after_one_option(tmp_path, record):
    folders = []
    for seed in (1, 2):
        prompts = questions(60, seed=seed)
        folders.append(record(tmp_path / f"f{seed}", prompts, outcomes(prompts)))
    done = run("train", "--outcomes", *folders, "--out", tmp_path / "r.npz", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["sources"] == ["f1", "f2"]
    assert (tmp_path / "r.npz").is_file()


def test_evaluate_prints_json_alone(traffic):
    done = run("evaluate", "--test", traffic, "--reference", "big", "--folds", "2", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["at"]["0.95"]["saving"] > 0.3


def test_evaluate_prints_tables_for_people_and_draws(traffic, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "curve.png"
    done = run(
        "evaluate", "--test", traffic, "--reference", "big", "--labels", 80, "--plot", file
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for words in ("APGR", "Saving against big", "oracle", "ECE", "router", "chosen", "served"):
        assert words in done.stdout
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_an_unknown_format_is_an_error(traffic, tmp_path):
    pytest.importorskip("matplotlib")
    done = run(
        "evaluate", "--test", traffic, "--reference", "big", "--labels", 80,
        "--plot", tmp_path / "curve.nonsense",
    )  # fmt: skip
    assert isinstance(done.exception, ConfigError)
    assert "cannot write the plot" in str(done.exception)


@pytest.mark.parametrize("price", ["gpt-4o", "gpt-4o=cheap", "gpt-4o=-1", "=3", "a=inf", "a=nan"])
def test_what_is_no_price_is_an_error(traffic, price):
    done = run("evaluate", "--test", traffic, "--reference", "big", "--price", price)
    assert isinstance(done.exception, ConfigError)
    assert "--price" in str(done.exception)


def test_a_price_of_a_model_that_is_not_there_is_an_error_that_lists_those_there_are(traffic):
    done = run("evaluate", "--test", traffic, "--reference", "big", "--price", "smal=0.1")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "--price: no outcomes of smal. There are: big, small."


@pytest.mark.parametrize(
    "wrong", [("--labels", "0"), ("--folds", "1"), ("--seed", "-1"), ("--labels", "many")]
)
def test_a_number_out_of_range_is_refused_by_the_name_of_its_option(traffic, wrong):
    done = run("evaluate", "--test", traffic, "--reference", "big", *wrong)
    assert done.exit_code == 2
    assert f"'{wrong[0]}'" in done.output


def test_a_negative_seed_trains_nothing(traffic, tmp_path):
    done = run("train", "--outcomes", traffic, "--out", tmp_path / "r.npz", "--seed", "-1")
    assert done.exit_code == 2
    assert "'--seed'" in done.output
    assert not list(tmp_path.iterdir())


def test_only_datasets_can_be_left_out(traffic):
    done = run("evaluate", "--test", traffic, "--reference", "big", "--leave-out", "model")
    assert isinstance(done.exception, ConfigError)
    assert "Write `dataset`" in str(done.exception)


def test_models_and_datasets_are_separated_by_commas(traffic):
    done = run(
        "evaluate", "--test", traffic, "--reference", "big", "--models", "small, big",
        "--datasets", "sums", "--labels", 40, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["datasets"] == {"sums": 60}


@pytest.mark.parametrize(
    "other",
    [("--train", "elsewhere"), ("--labels", "80"), ("--leave-out", "dataset"), ("--own-split",)],
)
def test_folds_are_refused_where_there_are_none(traffic, other):
    done = run("evaluate", "--test", traffic, "--reference", "big", "--folds", "5", *other)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith(f"--folds: {other[0]} says what to learn from")


def test_two_ways_to_choose_what_is_learned_from_are_refused(traffic):
    done = run(
        "evaluate", "--test", traffic, "--reference", "big", "--labels", 80,
        "--leave-out", "dataset",
    )  # fmt: skip
    assert isinstance(done.exception, ConfigError)
    assert "--labels and --leave-out" in str(done.exception)


def test_a_plot_that_cannot_be_written_is_refused_before_the_work(traffic, tmp_path):
    file = tmp_path / "nowhere" / "curve.png"
    done = run("evaluate", "--test", traffic, "--reference", "big", "--plot", file)
    assert isinstance(done.exception, ConfigError)
    assert "its folder does not exist" in str(done.exception)
