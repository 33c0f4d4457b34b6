"""A cascade at work: after each answer the planner stops, or asks whoever is worth asking."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from builders import a_task
from gateway import PATIENCE_S, Provider, fails, says
from tierwise import Answer, Orchestrator
from tierwise.analysis.encoder import Encoder
from tierwise.analysis.reading import Reading
from tierwise.errors import AllPathsFailed, ConfigError
from tierwise.execution.check import Checker
from tierwise.execution.course import Courses
from tierwise.gates.scorer import Scorer
from tierwise.learning.train import train
from tierwise.routing.artifact import Artifact
from tierwise.routing.cascade import Cascade
from tierwise.types import Completion, Decision, Record

from .conftest import Row, questions, write
from .test_evaluate_cascade import MODELS as ABLE

SUM = "Ada has 17 shells and buys 25 more. How many shells are there in all?"
MODELS: dict[str, dict[str, Any]] = {
    "big": {"prices": {"input": 10.0, "output": 30.0}, "quality": 0.9, "capabilities": ["tools"]},
    "small": {"prices": {"input": 0.1, "output": 0.3}, "quality": 0.6, "capabilities": ["tools"]},
    "other": {"prices": {"input": 0.1, "output": 0.3}, "quality": 0.6, "capabilities": ["tools"]},
}
ANYBODY = {name: says("420") for name in MODELS}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def recording(prompts: dict[str, str]) -> tuple[list[Row], list[str]]:
    """Every prompt has an answer of its own; wrong ones are all different."""
    random = np.random.default_rng(0)
    rows: list[Row] = []
    answers: list[str] = []
    for prompt_id in prompts:
        truth = random.integers(100, 1000)
        for model, cost, able in ABLE:
            right = random.random() < able
            rows.append((prompt_id, model, float(right), cost))
            answers.append(str(truth if right else random.integers(100, 1000)))
    return rows, answers


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small models that are right when they agree, and a big one for when they do not."""
    prompts = questions(600)
    rows, answers = recording(prompts)
    folder = write(tmp_path_factory.mktemp("answers") / "answers", prompts, rows, response=answers)
    file = tmp_path_factory.mktemp("router") / "router.npz"
    assert set(train([folder], file).cascade) == set(MODELS)
    return file


def configured(artifact: Path, url: str = "http://127.0.0.1:9/v1", **auto: Any) -> Orchestrator:
    return Orchestrator.from_config(
        {
            "providers": {"p": {"base_url": url, "models": list(MODELS)}},
            "models": MODELS,
            "policies": {"auto": {"quality": 0.95, "reference": "big", **auto}},
            "ledger": {"path": ":memory:"},
            "router": {"artifact": str(artifact)},
        }
    )


def decide(orchestrator: Orchestrator, **fields: Any) -> Decision:
    return orchestrator.decide(a_task(SUM, **fields))


async def asked(orchestrator: Orchestrator, stream: bool = False) -> tuple[str, Record]:
    """What the client read, and the record of it."""
    if not stream:
        answer = await orchestrator.chat(SUM)
        assert isinstance(answer, Answer)
        return answer.text, answer.record
    text = "".join([part async for part in await orchestrator.chat_stream(SUM)])
    assert await asyncio.to_thread(orchestrator.ledger.flush, PATIENCE_S)
    return text, next(orchestrator.ledger.recent(1))


def outcomes(record: Record) -> list[tuple[str, str]]:
    return [(attempt.model, attempt.outcome) for attempt in record.attempts]


@both
async def test_small_models_that_agree_are_believed(
    artifact: Path, provider: Provider, stream: bool
) -> None:
    for model in ("small", "other"):
        provider.acts[model] = says("420")
    provider.acts["big"] = says("170")
    async with configured(artifact, provider.url) as o:
        text, record = await asked(o, stream)
    assert text == "420"
    assert "big" not in [attempt.model for attempt in record.attempts]
    first, second = record.attempts
    assert {first.outcome, second.outcome} == {"rejected", "accepted"}
    # Alone the first answer was not good enough; now that another says the same it is.
    assert first.verdicts[-1].p < 0.8
    assert max(first.p or 0, second.p or 0) > 0.9
    assert f"agrees with {first.model}" in second.verdicts[-1].reason


@both
async def test_small_models_that_differ_call_for_the_big_one(
    artifact: Path, provider: Provider, stream: bool
) -> None:
    provider.acts |= {"small": says("420"), "other": says("123"), "big": says("170")}
    async with configured(artifact, provider.url) as o:
        text, record = await asked(o, stream)
    assert text == "170"
    assert outcomes(record)[-1] == ("big", "accepted")
    assert len(record.attempts) == 3
    assert record.cost_usd == pytest.approx(sum(a.cost_usd for a in record.attempts))


@both
async def test_of_several_answers_the_likeliest_is_given_out(
    artifact: Path, provider: Provider, stream: bool
) -> None:
    provider.acts |= {"small": says("420"), "other": says("123"), "big": fails(500, "down")}
    async with configured(artifact, provider.url) as o:
        text, record = await asked(o, stream)
    # Nobody else is left. The earlier answer may be the better one, and is not lost.
    judged = {a.model: a.p for a in record.attempts if a.verdicts}
    assert len(judged) == 2
    assert record.status == "ok"
    assert text in ("420", "123")


async def test_a_model_that_cannot_answer_is_left_out_of_the_course(
    artifact: Path, provider: Provider
) -> None:
    async with configured(artifact, provider.url) as o:
        first = decide(o).plan.tiers[0].model
        provider.acts |= ANYBODY
        provider.acts[first] = fails(500, "down")
        text, record = await asked(o)
    assert text == "420"
    assert outcomes(record)[0][0] == first
    assert outcomes(record)[-1][1] == "accepted"
    assert record.model != first


@both
async def test_an_answer_that_was_cut_neither_wins_nor_votes(
    artifact: Path, provider: Provider, stream: bool
) -> None:
    async with configured(artifact, provider.url) as o:
        first = decide(o).plan.tiers[0].model
        provider.acts |= ANYBODY
        provider.acts[first] = says("420", finish="length")
        _, record = await asked(o, stream)
    assert record.attempts[0].p == 0.0
    assert record.attempts[0].outcome == "rejected"
    assert record.model != first
    assert all(first not in a.verdicts[-1].reason for a in record.attempts[1:] if a.verdicts)


async def test_the_prompt_is_read_once_for_routing_and_for_judging(
    artifact: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    reads = Encoder.read

    def noted(self: Encoder, text: str, *, tools: bytes | None = None) -> Reading:
        read.append(text)
        return reads(self, text, tools=tools)

    monkeypatch.setattr(Encoder, "read", noted)
    provider.acts |= ANYBODY
    async with configured(artifact, provider.url) as o:
        _, record = await asked(o)
    assert any(verdict.gate == "scorer" for verdict in record.attempts[0].verdicts)
    assert read == [SUM]


async def test_a_scorer_that_breaks_is_counted_and_the_request_is_served(
    artifact: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Scorer, "posterior", broken)
    provider.acts |= ANYBODY
    async with configured(artifact, provider.url) as o:
        text, _ = await asked(o)
        assert o.checker.broken["scorer"] >= 1
    assert text == "420"


async def test_everybody_failing_is_an_error_with_all_reasons(
    artifact: Path, provider: Provider
) -> None:
    provider.acts |= {name: fails(500, "down") for name in MODELS}
    async with configured(artifact, provider.url) as o:
        with pytest.raises(AllPathsFailed) as error:
            await o.chat(SUM)
    assert all(name in str(error.value) for name in MODELS)


async def test_a_user_s_doubt_counts_beside_the_scorer(
    artifact: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine_of_a_user.py").write_text(
        "def doubts(task, answer):\n    return 0.05 if '420' in answer.text else 0.95\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    provider.acts |= ANYBODY
    async with configured(artifact, provider.url) as o:
        _, trusted = await asked(o)
    gates = ["complete", "mine_of_a_user:doubts"]
    async with configured(artifact, provider.url, gates=gates) as o:
        _, doubted = await asked(o)
    assert all((a.p or 0) > 0.9 for a in trusted.attempts if a.outcome == "accepted")
    assert all((a.p or 0) < 0.7 for a in doubted.attempts)


def test_a_decision_says_at_what_rate_and_can_be_kept(artifact: Path) -> None:
    decision = decide(configured(artifact))
    assert decision.plan.adaptive
    assert decision.rate is not None
    assert decision.rate > 0
    assert {tier.model for tier in decision.plan.tiers} == set(MODELS)
    assert "its answer decides" in decision.reason
    assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


def test_less_quality_is_worth_less_money(artifact: Path) -> None:
    orchestrator = configured(artifact)
    strict, lax = (decide(orchestrator, quality=quality) for quality in (0.98, 0.9))
    assert strict.plan.adaptive
    assert lax.plan.adaptive
    assert strict.rate is not None
    assert lax.rate is not None
    assert strict.rate < lax.rate


def test_a_prompt_that_tells_as_much_asks_nobody_to_be_judged(artifact: Path) -> None:
    learned = Artifact.load(artifact)
    assert learned.meta.cascade is not None
    cascade = Cascade(learned, learned.meta.cascade, list(learned.meta.cascade.models))
    rate = cascade.price(0.95)
    assert rate is not None
    at = int(np.flatnonzero(learned.arrays["plan_prices"] == rate)[0])
    share = float(learned.arrays["plan_cost"][at] / learned.arrays["plan_reference"][1])
    assert cascade.price(0.95, share * 1.001) == rate
    assert cascade.price(0.95, share * 0.999) is None


@pytest.mark.parametrize(
    "auto",
    [
        {"tiers": [{"model": "small", "accept": 0.8}, {"model": "big"}]},
        {"reference": "small"},
        {"deny": ["other"]},
        {"gates": []},
        {"gates": ["complete", "self_check"]},
        {"weights": {"latency": 0.01}},
    ],
    ids=["pinned", "reference", "line-up", "no-gates", "probes", "waiting"],
)
def test_what_it_was_not_learned_for_keeps_fixed_tiers(
    artifact: Path, auto: dict[str, Any]
) -> None:
    assert not decide(configured(artifact, **auto)).plan.adaptive


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"n": 2},
        {"stream": True, "streams": "unchecked"},
        {"stream": True, "streams": "prefix"},
        {"model": "big"},
    ],
    ids=["tools", "choices", "unchecked", "prefix", "named"],
)
def test_requests_unlike_what_was_recorded_keep_fixed_tiers(
    artifact: Path, fields: dict[str, Any]
) -> None:
    own = {name: fields[name] for name in fields if name == "streams"}
    task = a_task(SUM, **{name: value for name, value in fields.items() if name not in own})
    decision = configured(artifact).decide(replace(task, **own))
    assert not decision.plan.adaptive


async def test_a_course_can_be_replayed_from_its_decision_and_its_answers(
    artifact: Path, provider: Provider
) -> None:
    said = {"small": "420", "other": "123", "big": "170"}
    provider.acts |= {name: says(text) for name, text in said.items()}
    async with configured(artifact, provider.url) as o:
        answer = await o.chat(SUM)
    kept = msgspec.json.decode(msgspec.json.encode(answer.record), type=Record)
    loaded = Artifact.load(artifact)
    assert loaded.meta.cascade is not None
    courses = Courses(Cascade(loaded, loaded.meta.cascade, loaded.meta.cascade.models))
    course = courses.start(a_task(SUM), kept.decision, Checker({}))
    assert course is not None
    again: list[str] = []
    for tier, judged in course.tiers():
        again.append(tier.model)
        attempt = kept.attempts[len(again) - 1]
        if not judged:
            break
        _, p, accepted = course.heard(tier, Completion(text=said[tier.model]), ())
        assert p == attempt.p
        if accepted:
            break
    assert again == [attempt.model for attempt in kept.attempts]


def test_a_scorer_of_other_features_is_refused_with_a_remedy(artifact: Path) -> None:

    loaded = Artifact.load(artifact)
    assert loaded.meta.cascade is not None
    other = replace(loaded.meta.cascade, features=["colour"])
    with pytest.raises(ConfigError, match="other features") as error:
        Courses(Cascade(loaded, other, other.models))
    assert "tierwise train" in str(error.value.remedy)
