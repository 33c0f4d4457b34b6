"""The share of decisions that rewording leaves unchanged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from tierwise.cli import app
from tierwise.learning.data import Options
from tierwise.learning.evaluate import evaluate
from tierwise.learning.result import Evaluation
from tierwise.learning.reword import SORTS
from tierwise.learning.stability import QUALITIES

MODELS = ("gpt-4o", "gpt-4o-mini")


@pytest.fixture(scope="module")
def result(traffic: Path) -> Evaluation:
    return evaluate(Options(test=(traffic,), reference="big", folds=2, reword=True))


def test_every_sort_and_quality_has_a_share_with_an_interval(result: Evaluation) -> None:
    found = result.stability
    assert found is not None
    assert found.prompts == 200
    assert list(found.sorts) == list(SORTS)
    assert list(found.at) == [str(quality) for quality in QUALITIES]
    for share in (found.all, *found.at.values(), *found.sorts.values()):
        assert 0.0 <= share.interval[0] <= share.unchanged <= share.interval[1] <= 1.0
        assert share.beyond_tie <= 1.0 - share.unchanged


def test_capitals_change_no_decision_and_sorts_far_apart_hardly_any(result: Evaluation) -> None:
    found = result.stability
    assert found is not None
    assert found.sorts["case"].unchanged == 1.0
    assert found.all.unchanged > 0.95


def test_it_is_measured_only_when_asked_for_and_the_same_each_time(
    traffic: Path, result: Evaluation
) -> None:
    options = Options(test=(traffic,), reference="big", folds=2)
    assert evaluate(options).stability is None
    again = evaluate(msgspec.structs.replace(options, reword=True))
    assert again.stability == result.stability


def test_the_command_prints_it_for_people(traffic: Path) -> None:
    words = ["evaluate", "--test", str(traffic), "--reference", "big", "--folds", "2", "--reword"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    assert "rewording leaves unchanged" in found.output
    assert "paraphrase" in found.output
