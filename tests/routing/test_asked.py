"""Whom probes may ask, by policy and estimates."""

from __future__ import annotations

from typing import Any

import pytest

from builders import a_deployment, a_model, a_policy, a_profile, a_task
from tierwise.routing import PriorPredictor, Router
from tierwise.types import Decision, Prices, Tier

MODELS = [
    a_model("tiny", prices=Prices(input=0.1, output=0.2), quality=0.4),
    a_model("small", prices=Prices(input=1, output=2), quality=0.7),
    a_model("middle", prices=Prices(input=5, output=10), quality=0.8),
    a_model("large", prices=Prices(input=10, output=20), quality=0.95),
]
GATES = ("complete", "agreement")
PINNED = (Tier(model="small", gates=GATES), Tier(model="large"))


def a_router(**policy: Any) -> Router:
    places = {
        "tiny": [a_deployment("tiny", "near")],
        "small": [a_deployment("small", "near")],
        "middle": [a_deployment("middle", "near"), a_deployment("middle", "far", region="us")],
        "large": [a_deployment("large", "far", region="us")],
    }
    auto = a_policy("auto", **{"tiers": PINNED, "gates": GATES, **policy})
    models = {model.id: model for model in MODELS}
    return Router(models, places, {"auto": auto}, PriorPredictor())


def decide(router: Router, **fields: Any) -> Decision:
    return router.decide(a_task(**fields), a_profile(), decision_id="d1", now=1.7e9, latency={})


@pytest.mark.parametrize(
    ("policy", "second"),
    [
        ({}, "tiny"),
        ({"second": "middle"}, "middle"),
        ({"deny": ("tiny",)}, "middle"),
        ({"deny": ("tiny", "middle")}, "small"),
    ],
    ids=["the cheapest", "the policy's", "the cheapest permitted", "nobody else"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_agreement_asks_the_cheapest_other_model_unless_one_is_named(
    policy: dict[str, Any], second: str, stream: bool
) -> None:
    first, last = decide(a_router(**policy), stream=stream).plan.tiers
    assert (first.second, last.second) == (second, None)


def test_a_second_model_costs_less_than_the_next_tier() -> None:
    tiers = (Tier(model="tiny", gates=GATES), Tier(model="small"))
    assert decide(a_router(tiers=tiers)).plan.tiers[0].second == "tiny"


def test_a_plan_by_rules_has_a_second_model_too() -> None:
    first = decide(a_router(tiers=(), quality=0.7)).plan.tiers[0]
    assert "agreement" in first.gates
    assert first.second not in (None, first.model)


def test_what_the_policy_says_of_probes_and_drafts_is_in_the_plan() -> None:
    router = a_router(judge="large", probe_share=0.3, hand_over=True)
    plan = decide(router).plan
    assert (plan.judge, plan.probe_share, plan.hand_over) == ("large", 0.3, True)
    alone = Tier(model="small", gates=("self_check",)), Tier(model="large")
    assert decide(a_router(tiers=alone, probe_share=0.3)).plan.probe_share == 0.3
    plan = decide(a_router(gates=("complete",), tiers=(), hand_over=True)).plan
    assert (plan.judge, plan.hand_over) == (None, True)


def test_a_judge_need_not_be_allowed_to_answer_but_must_not_be_denied() -> None:
    tiers = (Tier(model="small", gates=("judge",)), Tier(model="middle"))
    allowed = {"tiers": tiers, "allow": ("small", "near"), "judge": "large"}
    router = a_router(**allowed)
    paths = router.paths(decide(router))
    assert [d.id for d in paths["large"]] == ["far/large"]
    assert [d.id for d in paths["middle"]] == ["near/middle"]
    router = a_router(**allowed, deny=("us",))
    assert list(router.paths(decide(router))["large"]) == []
