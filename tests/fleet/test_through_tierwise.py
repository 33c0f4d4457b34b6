"""The fleet under an orchestrator: the whole path on real HTTP."""

from __future__ import annotations

import pytest

from tierwise import Orchestrator
from tierwise.fleet import Faults, Fleet, answer_text
from tierwise.fleet.faults import Errors


def config_of(fleet, tmp_path):
    return fleet.config() | {"ledger": {"path": str(tmp_path / "ledger.db")}}


def split(item):
    rest = dict(item.request)
    return rest.pop("messages"), rest


async def test_a_workload_is_answered_exactly_and_its_cost_is_known(fleet, tmp_path):
    async with Orchestrator.from_config(config_of(fleet, tmp_path)) as orchestrator:
        for item in fleet.workload(40):
            messages, rest = split(item)
            answer = await orchestrator.chat(messages, "sim-medium", **rest)
            said = answer_text(answer.json()["choices"][0]["message"])
            assert said == fleet.expected(item, "sim-medium")
            assert answer.cost_usd == pytest.approx(fleet.cost(item, "sim-medium"))


async def test_the_recorded_cost_is_what_is_billed(recording, tmp_path):
    async with (
        Fleet.recorded(recording, speed=0) as fleet,
        Orchestrator.from_config(config_of(fleet, tmp_path)) as orchestrator,
    ):
        for item in fleet.workload(10):
            answer = await orchestrator.chat(item.request["messages"], "tiny-7b")
            assert answer.text == fleet.expected(item, "tiny-7b")
            assert answer.json()["model"] == "tiny-7b"
            assert answer.cost_usd == pytest.approx(fleet.cost(item, "tiny-7b"))
            assert answer.record.usage.cost_usd == answer.cost_usd


async def test_a_simulated_provider_names_no_cost_to_be_believed(fleet):
    assert {tuple(p["quirks"]) for p in fleet.config()["providers"].values()} == {()}


async def test_a_policy_serves_the_workload_for_less_than_the_reference(fleet, tmp_path):
    cost = reference = 0.0
    scores = []
    async with Orchestrator.from_config(config_of(fleet, tmp_path)) as orchestrator:
        for item in fleet.workload(150):
            messages, rest = split(item)
            answer = await orchestrator.chat(messages, "economy", **rest)
            said = answer_text(answer.json()["choices"][0]["message"])
            scores.append(fleet.score(item, answer.model, said))
            cost += answer.cost_usd
            reference += fleet.reference_cost(item)
    assert None not in scores
    assert sum(scores) / len(scores) > 0.75
    assert cost < 0.5 * reference


async def test_with_one_home_dead_and_one_failing_every_other_is_enough(fleet, tmp_path):
    await fleet.providers["alpha"].kill()
    fleet.providers["gamma"].faults = Faults(errors=Errors(status=503))
    async with Orchestrator.from_config(config_of(fleet, tmp_path)) as orchestrator:
        for item in fleet.workload(20):
            messages, rest = split(item)
            for model in ("sim-large", "sim-nano"):
                answer = await orchestrator.chat(messages, model, **rest)
                said = answer_text(answer.json()["choices"][0]["message"])
                assert said == fleet.expected(item, model)
    assert fleet.providers["beta"].counts.answered == 20
    assert fleet.providers["delta"].counts.answered == 20
