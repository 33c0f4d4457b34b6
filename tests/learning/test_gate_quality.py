"""What gates are worth on recorded answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tierwise.cli import app
from tierwise.errors import ConfigError
from tierwise.gates.complete import CompleteGate
from tierwise.learning.contribution import auroc_within
from tierwise.learning.gate_quality import measure, quality


@pytest.fixture
def answers(tmp_path, record):
    """Four answers of two prompts; the two empty ones are worth nothing."""
    rows = [(f"sums-{n}", name, score, 0.1) for n in (1, 2) for name, score in (("a", 1), ("b", 0))]
    prompts = {"sums-1": "What is 1 + 1?", "sums-2": "What is 2 + 2?"}
    return record(tmp_path / "said", prompts, rows, response=["2", "", "4", " "])


def test_a_gate_s_verdicts_are_counted_with_what_they_were_worth(answers) -> None:
    found = measure([answers], {"complete": CompleteGate()})
    (gate,) = found.gates
    assert (found.answers, found.base, found.sources) == (4, 0.5, ("said",))
    assert (gate.verdicts, gate.passed, gate.failed) == (4, 2, 2)
    assert (gate.base, gate.passed_score, gate.failed_score) == (0.5, 1.0, 0.0)
    assert [(level.p, level.answers, level.score) for level in gate.levels] == [
        (0.0, 2, 0.0),
        (1.0, 2, 1.0),
    ]


def test_a_gate_without_a_word_has_no_figures() -> None:
    found = quality("mute", np.array([np.nan, np.nan]), np.array([1.0, 0.0]), ["a", "a"], 1.0)
    assert (found.verdicts, found.base, found.passed_score, found.auroc) == (0, None, None, None)


def test_only_answers_of_the_same_dataset_are_compared() -> None:
    """A gate that fires on the harder dataset alone tells nothing within either."""
    groups = np.repeat(["easy", "hard"], 40)
    scores = np.concatenate([np.repeat([1.0, 0.0], [30, 10]), np.repeat([1.0, 0.0], [10, 30])])
    assert auroc_within(np.repeat([0.9, 0.2], 40), scores, groups) == 0.5
    assert auroc_within(scores, scores, groups) == 1.0
    assert auroc_within(1 - scores, scores, groups) == 0.0


def test_data_without_answers_is_an_error(tmp_path, record) -> None:
    folder = record(
        tmp_path / "mute", {"p": "What?"}, [("p", "a", 1.0, 0.1)], response=[None]
    )  # fmt: skip
    with pytest.raises(ConfigError, match="no answer is recorded"):
        measure([folder], {"complete": CompleteGate()})


def test_the_command_prints_json_alone_or_a_table(answers) -> None:
    done = CliRunner().invoke(app, ["gates", "--outcomes", str(answers), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert "complete" in {gate["gate"] for gate in said["gates"]}
    shown = CliRunner().invoke(app, ["gates", "--outcomes", str(answers), "--gates", "complete"])
    assert shown.exit_code == 0, shown.output
    assert "What the gates are worth" in shown.stdout


def test_a_gate_of_one_s_own_is_measured_like_ours_and_said_to_break(
    answers, tmp_path, monkeypatch
) -> None:
    (tmp_path / "measured_gates.py").write_text(
        "def short(task, answer):\n    return len(answer.text.strip()) == 1\n"
        "async def later(task, answer):\n    return 0.4\n"
        "def breaks(task, answer):\n    return 2.0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ["measured_gates:short", "measured_gates:later", "measured_gates:breaks"]
    options = ["gates", "--outcomes", str(answers), "--gates", ",".join(names)]
    done = CliRunner().invoke(app, [*options, "--json"])
    assert done.exit_code == 0, done.output
    found = {gate["gate"]: gate for gate in json.loads(done.stdout)["gates"]}
    assert (found[names[0]]["passed_score"], found[names[0]]["failed_score"]) == (1.0, 0.0)
    assert (found[names[1]]["verdicts"], found[names[1]]["failed"]) == (4, 4)
    assert (found[names[2]]["verdicts"], found[names[2]]["broken"]) == (0, 4)
    assert "2.0 is no verdict" in found[names[2]]["why"]
    assert "broke over 4 answers" in " ".join(CliRunner().invoke(app, options).stdout.split())


@pytest.mark.parametrize("name", ["judge", "code_tests"])
def test_a_gate_that_cannot_be_measured_is_not_passed_over(answers, name) -> None:
    done = CliRunner().invoke(app, ["gates", "--outcomes", str(answers), "--gates", name])
    assert done.exit_code != 0
    assert "cannot be measured on recordings" in str(done.exception) + done.output
