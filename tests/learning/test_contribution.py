"""What each gate adds to all of them together."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tierwise.cli import app
from tierwise.learning.contribution import Together, contributions

pytest.importorskip("sklearn")
GATES = ("tells", "echoes", "guesses", "mute")


def answers(count: int = 2000, seed: int = 0) -> Together:
    """Four gates: one that tells half of it, one that says the same, one that guesses, one mute."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=count)
    right = (random.random(count) < 1 / (1 + np.exp(-2 * signal))).astype(float)
    tells = 1 / (1 + np.exp(-signal))
    p = np.column_stack([tells, tells, random.uniform(0.01, 0.99, count), np.full(count, np.nan)])
    found = contributions(GATES, p, right, ["all"] * count, list(range(count)))
    assert found is not None
    return found


def test_a_gate_pays_by_what_no_other_gate_says() -> None:
    together = answers()
    gates = {one.gate: one for one in together.gates}
    assert together.brier < together.brier_base - 0.02
    assert gates["tells"].auroc_alone == pytest.approx(gates["echoes"].auroc_alone)
    assert gates["tells"].auroc_alone > 0.7
    # What it says the other says, too.
    assert abs(gates["tells"].adds) < 0.001
    assert gates["guesses"].auroc_alone == pytest.approx(0.5, abs=0.05)
    assert {"guesses", "mute"} <= set(together.idle)
    assert "mute" not in gates


def test_without_its_echo_it_does() -> None:
    random = np.random.default_rng(1)
    right = (random.random(1000) < 0.6).astype(float)
    tells = np.where(random.random(1000) < 0.8, right, 1 - right) * 0.8 + 0.1
    p = np.column_stack([tells, random.uniform(0.1, 0.9, 1000)])
    found = contributions(("tells", "guesses"), p, right, ["all"] * 1000, list(range(1000)))
    assert found is not None
    assert found.gates[0].gate == "tells"
    assert found.gates[0].pays
    assert found.gates[0].adds_low > 0.05
    assert found.idle == ("guesses",)


def test_a_gate_that_only_knows_the_dataset_adds_nothing() -> None:
    """It fires on the harder one, and tells nothing within either."""
    random = np.random.default_rng(2)
    hard = np.repeat([False, True], 600)
    right = (random.random(1200) < np.where(hard, 0.3, 0.8)).astype(float)
    datasets = ["hard" if one else "easy" for one in hard]
    p = np.where(hard, 0.2, 0.9)[:, None]
    found = contributions(("knows",), p, right, datasets, list(range(1200)))
    assert found is not None
    assert found.idle == ("knows",)
    assert found.brier == pytest.approx(found.brier_base, abs=0.002)


def test_a_gate_that_wrongly_rejects_is_worse_than_none() -> None:
    random = np.random.default_rng(3)
    right = (random.random(600) < 0.7).astype(float)
    p = np.where(random.random(600) < 0.3, 0.0, 1.0)[:, None]
    found = contributions(("strict",), p, right, ["all"] * 600, list(range(600)))
    assert found is not None
    assert found.gates[0].adds < -0.05
    assert found.brier > found.brier_base


def test_answers_to_one_prompt_are_no_independent_evidence() -> None:
    random = np.random.default_rng(4)
    right = np.repeat((random.random(120) < 0.6).astype(float), 10)
    said = np.repeat(random.uniform(0.2, 0.8, 120), 10) * 0.5 + right * 0.3
    alone = contributions(("one",), said[:, None], right, ["all"] * 1200, list(range(1200)))
    shared = contributions(
        ("one",), said[:, None], right, ["all"] * 1200, list(np.repeat(np.arange(120), 10))
    )
    assert alone is not None
    assert shared is not None
    assert shared.prompts == 120
    width = [found.gates[0].adds - found.gates[0].adds_low for found in (alone, shared)]
    assert width[1] > 2 * width[0]


@pytest.mark.parametrize("right", [np.ones(200), np.zeros(200), np.tile([0.0, 1.0], 20)])
def test_too_few_answers_or_all_alike_say_nothing(right) -> None:
    p = np.full((len(right), 1), 0.5)
    assert contributions(("one",), p, right, ["all"] * len(right), range(len(right))) is None


@pytest.fixture
def recorded(tmp_path, record):
    """Sums, half of them wrong, with log-probabilities that tell which."""
    prompts = {f"sums-{n}": f"What is {n} + 1?" for n in range(150)}
    rows = [(f"sums-{n}", model, float((n + m) % 2), 0.1) for n in range(150)
            for m, model in enumerate(("a", "b"))]  # fmt: skip
    chosen = [-0.05 if score else -1.5 for _, _, score, _ in rows]
    said = [f"It is {n}." for n in range(300)]
    return record(tmp_path / "said", prompts, rows, response=said, logprob=chosen)


def test_recorded_log_probabilities_stand_in_for_the_gate_that_reads_them(recorded) -> None:
    options = ["gates", "--outcomes", str(recorded), "--gates", "token_confidence,citations"]
    done = CliRunner().invoke(app, [*options, "--json"])
    assert done.exit_code == 0, done.output
    together = json.loads(done.stdout)["together"]
    assert [(one["gate"], one["pays"]) for one in together["gates"]] == [("token_confidence", True)]
    assert together["idle"] == ["citations"]
    shown = CliRunner().invoke(app, options)
    assert "What each adds to all together" in shown.stdout
    assert "Not paying here: citations." in " ".join(shown.stdout.split())
