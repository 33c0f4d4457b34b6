"""Plans under a certificate: its thresholds where it applies, the reference where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from builders import (
    a_certificate,
    a_deployment,
    a_model,
    a_policy,
    a_profile,
    a_task,
    a_threshold,
)
from tierwise.config.certified import Certified
from tierwise.routing import PriorPredictor, Router
from tierwise.types import Decision, Prices, Task, Tier

SMALL = a_model("small", quality=0.8, prices=Prices(input=0.1, output=0.2))
LARGE = a_model("large", quality=0.95, prices=Prices(input=10.0, output=20.0))
GATES = ("complete", "json_schema")
POLICY = a_policy(
    "auto", reference="large", tiers=(Tier(model="small", gates=GATES), Tier(model="large"))
)


def decide(
    task: Task | None = None, *, void: str | None = None, kind: str = "qa", **fields: Any
) -> Decision:
    on_void = fields.pop("on_void", "reference")
    models = fields.pop("models", (SMALL, LARGE))
    requires = fields.pop("requires", frozenset())
    certified = Certified(
        certificate=a_certificate(**fields), hash="abc", on_void=on_void, void=void
    )
    router = Router(
        {model.id: model for model in models},
        {model.id: [a_deployment(model.id, prices=model.prices)] for model in models},
        {"auto": POLICY},
        PriorPredictor(),
    )
    return router.decide(
        task or a_task(), a_profile(kind=kind, requires=requires),
        decision_id="d", now=1.0, latency={}, certificates={"auto": certified},
    )  # fmt: skip


def models_of(decision: Decision) -> list[str]:
    return [tier.model for tier in decision.plan.tiers]


def test_the_certified_threshold_is_the_plan_s_and_the_decision_names_the_certificate() -> None:
    decision = decide()
    assert models_of(decision) == ["small", "large"]
    assert decision.plan.tiers[0].accept == 0.75
    assert decision.plan.tiers[0].gates == GATES
    assert (decision.certificate, decision.promised) == ("abc", True)
    assert "accepted from 0.750 as certified" in decision.reason


@pytest.mark.parametrize(
    ("by", "caller", "accept"),
    [("kind", None, 0.6), ("caller", "key-1", 0.5), ("caller", None, 0.9), ("", "key-1", 0.75)],
)
def test_classes_of_traffic_have_their_own_thresholds(
    by: str, caller: str | None, accept: float
) -> None:
    thresholds = (
        a_threshold(0.75), a_threshold(0.6, "qa"), a_threshold(0.5, "key-1"),
        a_threshold(0.9, "nobody"),
    )  # fmt: skip
    decision = decide(a_task(caller=caller), by=by, thresholds=thresholds)
    assert decision.plan.tiers[0].accept == accept


def test_where_nothing_is_accepted_the_small_model_is_not_paid_for() -> None:
    decision = decide(thresholds=(a_threshold(2.0),))
    assert models_of(decision) == ["large"]
    assert decision.promised, "the reference loses nothing to itself"


def test_a_void_certificate_leaves_it_to_the_reference() -> None:
    decision = decide(void="it expired")
    assert models_of(decision) == ["large"]
    assert (decision.certificate, decision.promised) == (None, False)
    assert "void (it expired)" in decision.reason
    assert "small" in decision.plan.fallbacks


def test_or_answers_must_reach_half_way_from_the_threshold_to_one() -> None:
    decision = decide(void="it expired", on_void="stricter")
    assert decision.plan.tiers[0].accept == pytest.approx(0.875)
    assert (decision.certificate, decision.promised) == ("abc", False)
    assert "instead of 0.750" in decision.reason


def test_requests_that_a_certified_model_cannot_serve_are_the_reference_s() -> None:
    blind = a_model("small", prices=SMALL.prices, capabilities=frozenset())
    decision = decide(models=(blind, LARGE), requires=frozenset({"vision"}))
    assert models_of(decision) == ["large"]
    assert not decision.promised
    assert "small cannot serve it" in decision.reason


def test_nothing_is_promised_against_another_reference() -> None:
    decision = decide(a_task(model="small", quality=0.9))
    assert decision.reference == "small"
    assert models_of(decision) == ["small"]
    assert not decision.promised


@pytest.mark.parametrize("streams", ["prefix", "unchecked"])
def test_who_will_not_wait_for_the_gates_gives_up_the_promise(streams: str) -> None:
    task = a_task(stream=True)
    assert decide(task).promised
    assert not decide(replace(task, streams=streams)).promised


def test_what_a_router_expects_counts_only_if_it_did_at_calibration() -> None:
    assert decide().plan.tiers[0].expected is None
    assert decide(artifact_hash="0" * 64).plan.tiers[0].expected is not None
