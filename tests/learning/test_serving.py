"""A trained router at work: an orchestrator that is configured with its artifact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tierwise.errors import ConfigError
from tierwise.gates.combine import posterior
from tierwise.learning.train import train
from tierwise.orchestrator import Orchestrator
from tierwise.state.traffic import WINDOW
from tierwise.types import Decision
from tierwise.wire.openai_chat import read_request

SUM = "Ada has 17 shells and buys 25 more. How many shells are there in all?"
WORK = "Who is the author of the sonata number 7 kept in Oslo, and what was it called?"
STRANGE = "Schreibe bitte eine SQL-Abfrage: SELECT * FROM kunden JOIN auftraege USING (id) ### {0}"
MODELS: dict[str, dict[str, Any]] = {
    "big": {"prices": {"input": 10.0, "output": 30.0}, "quality": 0.9},
    "small": {"prices": {"input": 0.1, "output": 0.3}, "quality": 0.6},
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, traffic: Path) -> Path:
    file = tmp_path_factory.mktemp("router") / "router.npz"
    train([traffic], file)
    return file


@contextmanager
def with_router(artifact: Path | None, **models: dict[str, Any]) -> Iterator[Orchestrator]:
    known = {**MODELS, **models}
    yield Orchestrator.from_config(
        {
            "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": list(known)}},
            "models": known,
            "policies": {"auto": {"quality": 0.95, "reference": "big"}},
            "ledger": {"path": ":memory:"},
            "router": {"artifact": str(artifact) if artifact is not None else "none"},
        }
    )


def decide(orchestrator: Orchestrator, prompt: str, model: str = "auto") -> Decision:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return orchestrator.decide(read_request(msgspec.json.encode(body)))


def test_each_prompt_goes_to_the_smallest_model_that_has_learned_to_do_it(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        easy, hard = decide(orchestrator, SUM), decide(orchestrator, WORK)
    assert easy.plan.tiers[0].model == "small"
    assert [tier.model for tier in hard.plan.tiers] == ["big"]
    # By its prior alone the small model may do neither.
    with with_router(None) as orchestrator:
        assert decide(orchestrator, SUM).plan.tiers[0].model == "big"


def test_the_decision_says_what_quality_is_worth_and_what_the_guard_thinks(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        decision = decide(orchestrator, SUM)
    assert decision.rate is not None
    assert "best single" in decision.guard
    values = {c.model: c.value for c in decision.candidates}
    for candidate in decision.candidates:
        assert candidate.estimate is not None
        worth = candidate.estimate.quality - decision.rate * candidate.estimate.cost_usd
        assert values[candidate.model] == pytest.approx(worth)
    # Costs are those that were learned, not list prices times a guess.
    assert candidate.estimate.cost_usd == pytest.approx(
        {"big": 0.01, "small": 0.001}[candidate.model], rel=0.2
    )


def test_the_difficulty_is_the_one_that_was_learned_where_the_prompt_is_familiar(
    artifact: Path,
) -> None:
    with with_router(artifact) as orchestrator:
        easy, hard = (decide(orchestrator, text).profile for text in (SUM, WORK))
    assert easy.difficulty < 0.4 < hard.difficulty
    # By rules, both look like everyday questions.
    with with_router(None) as orchestrator:
        easy, hard = (decide(orchestrator, text).profile for text in (SUM, WORK))
    assert easy.difficulty == pytest.approx(hard.difficulty, abs=0.01)


def test_a_decision_can_be_kept_and_read_again(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        decision = decide(orchestrator, SUM)
    again = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert again == decision


def test_a_model_nobody_has_tried_is_expected_to_do_what_its_prior_says(artifact: Path) -> None:
    twin = {"prices": {"input": 0.05, "output": 0.1}, "quality": 0.9}
    weak = {"prices": {"input": 0.05, "output": 0.1}, "quality": 0.3}
    with with_router(artifact, twin=twin, weak=weak) as orchestrator:
        found = {c.model: c.estimate for c in decide(orchestrator, WORK).candidates}
    assert found["twin"] is not None
    assert found["weak"] is not None
    assert found["twin"].quality > found["weak"].quality


def test_foreign_traffic_must_prove_its_gains(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        assert "foreign" not in decide(orchestrator, SUM).guard
        for number in range(WINDOW):
            decide(orchestrator, STRANGE.format(number))
        assert "foreign" in decide(orchestrator, SUM).guard


def test_naming_a_model_asks_nobody_what_was_learned(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        decision = decide(orchestrator, WORK, model="small")
    assert decision.plan.tiers[0].model == "small"
    assert decision.rate is None


def test_an_artifact_that_cannot_be_used_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "router.npz"
    file.write_bytes(b"not a router")
    with pytest.raises(ConfigError, match=r"router\.npz"), with_router(file):
        pass


def test_an_answer_must_be_worth_more_than_asking_the_next_tier(artifact: Path) -> None:
    with with_router(artifact) as orchestrator:
        decision = decide(orchestrator, SUM)
    first, second = decision.plan.tiers
    values = {c.model: c.value for c in decision.candidates}
    estimates = {c.model: c.estimate for c in decision.candidates}
    assert first.expected == estimates[first.model].quality
    assert first.accept == pytest.approx(min(values[second.model], first.expected))
    # Nothing said against it, what was expected of the first tier is enough.
    assert posterior((), expected=first.expected) >= first.accept


def test_what_is_read_costs_at_least_its_price_whatever_was_learned(artifact: Path) -> None:
    long = SUM + " " + "shells and pencils " * 5000
    with with_router(artifact) as orchestrator:
        decision = decide(orchestrator, long)
    assert len(decision.candidates) == len(MODELS)
    for candidate in decision.candidates:
        assert candidate.estimate is not None
        read = decision.profile.input_tokens * MODELS[candidate.model]["prices"]["input"] * 1e-6
        assert candidate.estimate.cost_usd >= read
        assert candidate.estimate.cost_p90_usd >= candidate.estimate.cost_usd


def test_the_lower_bound_is_as_far_below_as_the_learners_are_apart(artifact: Path) -> None:
    apart = []
    with with_router(artifact) as orchestrator:
        for prompt in (SUM, WORK):
            for candidate in decide(orchestrator, prompt).candidates:
                assert candidate.estimate is not None
                apart.append(candidate.estimate.quality - candidate.estimate.quality_low)
    assert min(apart) >= 0.0
    assert len({round(one, 4) for one in apart}) > 1, "no constant, but what the learners say"
    assert max(apart) > 0.001
