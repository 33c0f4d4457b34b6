"""What judging costs: the answers that it is measured by, and the shape of the figures."""

from __future__ import annotations

import json

import msgspec
import pytest

from tierwise.bench import unlearned
from tierwise.bench.exams import CHARACTERS, exams
from tierwise.bench.gates import Judging, Options, run
from tierwise.cli.bench_gates import show
from tierwise.execution.course import SCORER
from tierwise.gates import Gate, load_gates
from tierwise.gates.base import BUILTIN

KINDS = {"prose", "code", "json", "tool calls", "arithmetic", "citations"}
GATES = {name: g for name, g in load_gates(BUILTIN).items() if isinstance(g, Gate)}


@pytest.fixture(scope="module")
def result() -> Judging:
    return run(Options(answers=2))


def test_every_gate_has_something_to_say_about_some_answer_and_nothing_against_any() -> None:
    spoke: set[str] = set()
    for exam in exams(3, seed=0):
        verdicts = [gate.judge(exam.task, exam.answer) for gate in GATES.values()]
        told = {verdict.gate: verdict.p for verdict in verdicts if verdict is not None}
        spoke |= told.keys()
        told.pop("token_confidence", None)
        assert set(told.values()) == {1.0}, (exam.kind, told)
    assert spoke == GATES.keys()


def test_answers_are_of_about_two_thousand_characters_and_all_different() -> None:
    made = exams(5, seed=0)
    said = [exam.answer.text or str(exam.answer.tool_calls) for exam in made]
    assert {exam.kind for exam in made} == KINDS
    assert len(set(said)) == len(said)
    assert all(CHARACTERS * 0.8 < len(e.answer.text) < CHARACTERS * 1.25
               for e in made if e.answer.text)  # fmt: skip


def test_another_seed_makes_other_answers_and_the_same_one_the_same() -> None:
    assert exams(1, seed=1) == exams(1, seed=1)
    assert exams(1, seed=1)[0] != exams(1, seed=2)[0]


def test_the_unlearned_scorer_judges_as_a_learned_one_would() -> None:
    from tierwise.analysis.encoder import Encoder

    exam = exams(1, seed=0)[0]
    reading = Encoder.builtin().read(exam.task.messages[-1].text)
    course = unlearned.course(exam.task, reading)
    next(course.tiers())
    verdicts, p, _ = course.heard(unlearned.tier(0), exam.answer, ())
    assert verdicts[-1].gate == SCORER
    assert 0 < p < 1


def test_the_json_has_figures_for_each_gate_and_each_kind(result: Judging) -> None:
    told = json.loads(msgspec.json.encode(result))
    assert told["simulated"] is True
    assert told["answers"] == 2 * len(KINDS)
    assert set(told["gates"]) == set(GATES)
    assert set(told["together"]) == KINDS
    assert set(told["scorer"]) == set(told["scored"]) == KINDS - {"tool calls"}
    for part in ("gates", "together", "scorer", "scored"):
        assert all(set(cost) == {"p50_us", "p99_us"} for cost in told[part].values())


def test_people_are_told_that_the_answers_are_made_up(
    result: Judging, capsys: pytest.CaptureFixture[str]
) -> None:
    show(result)
    assert "made up" in capsys.readouterr().out
