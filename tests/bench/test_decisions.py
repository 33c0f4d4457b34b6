"""Decision times are of the decisions that requests get."""

from __future__ import annotations

import json

import pytest

from tierwise.bench.decisions import CHARS, MODELS, DecisionTimes, time_decisions
from tierwise.catalog import Catalog
from tierwise.cli import bench
from tierwise.orchestrator import Orchestrator
from tierwise.types import Decision, Task


def test_every_prompt_is_long_and_every_model_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[tuple[str, Decision]] = []
    decide = Orchestrator.decide

    def watched(self: Orchestrator, task: Task) -> Decision:
        decision = decide(self, task)
        decided.append((task.messages[0].text, decision))
        return decision

    monkeypatch.setattr(Orchestrator, "decide", watched)
    times = time_decisions(3)
    assert (times.prompts, times.models) == (3, 10)
    assert times.p50_us <= times.p99_us
    assert len({text for text, _ in decided}) == 3
    assert all(len(text) == CHARS for text, _ in decided)
    for _, decision in decided:
        assert decision.router == "default"
        assert sum(one.role != "excluded" for one in decision.candidates) == len(MODELS)


def test_the_models_are_in_the_catalogue() -> None:
    catalog = Catalog.builtin()
    assert all(catalog.resolve(name) is not None for name in MODELS)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_prints_both_percentiles(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = DecisionTimes(
        p50_us=700, p99_us=900, first_ms=200, prompts=50, models=10, load=0.5, cpu="A CPU",
        tierwise="1",
    )  # fmt: skip
    monkeypatch.setattr(
        "tierwise.bench.decisions.time_decisions", lambda prompts: times if prompts == 50 else None
    )
    bench.command(as_json=as_json, quick=True, decisions=True)
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out)["p50_us"] == 700
    else:
        assert "700 µs (p50), 900 µs (p99): 50 prompts of 2 kB, 10 candidates" in out
