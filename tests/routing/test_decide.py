"""Who is asked, in which order, and why: readable in the Decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from builders import a_deployment, a_model, a_policy, a_profile, a_task
from tierwise.errors import UnknownModel, Unsatisfiable
from tierwise.routing import PriorPredictor, Router
from tierwise.types import (
    Decision,
    Deployment,
    Estimate,
    Model,
    Policy,
    Prices,
    Profile,
    Task,
    Tier,
)

SMALL = a_model("small", quality=0.75, prices=Prices(input=0.1, output=0.2))
MIDDLE = a_model("middle", quality=0.85, prices=Prices(input=1.0, output=2.0))
LARGE = a_model("large", quality=0.95, prices=Prices(input=10.0, output=20.0))
EASY = a_profile(difficulty=0.05)
HARD = a_profile(difficulty=0.9)


@dataclass
class Seen:
    """What was observed of a deployment."""

    ttft_s: float | None = None
    latency_s: float | None = None


def a_router(
    *models: Model,
    policies: tuple[Policy, ...] = (),
    deployments: dict[str, list[Deployment]] | None = None,
) -> Router:
    known = {model.id: model for model in models or (SMALL, MIDDLE, LARGE)}
    places = {name: [a_deployment(name, "near", upstream_model=f"up-{name}")] for name in known}
    rules = {"auto": a_policy("auto"), "best": a_policy("best", quality=1.0)}
    return Router(
        known,
        {**places, **(deployments or {})},
        {**rules, **{policy.name: policy for policy in policies}},
        PriorPredictor(),
    )


def decide(
    router: Router,
    task: Task | None = None,
    profile: Profile = EASY,
    latency: dict[str, Seen] | None = None,
) -> Decision:
    return router.decide(task or a_task(), profile, decision_id="d", now=1.0, latency=latency or {})


def roles(decision: Decision) -> dict[str, str]:
    return {candidate.model: candidate.role for candidate in decision.candidates}


def whys(decision: Decision) -> dict[str, str]:
    return {candidate.model: candidate.why for candidate in decision.candidates}


def order(decision: Decision) -> list[str]:
    tiers = [tier.model for tier in decision.plan.tiers]
    return [*tiers, *decision.plan.fallbacks]


# --- the plan


def test_an_easy_task_goes_to_the_cheapest_and_then_to_the_reference() -> None:
    decision = decide(a_router())
    assert order(decision) == ["small", "large", "middle"]
    assert [tier.gates for tier in decision.plan.tiers] == [("complete", "json_schema"), ()]
    assert decision.reason.startswith("small is the cheapest that is good enough")


def test_a_hard_task_goes_to_a_model_that_is_up_to_it() -> None:
    decision = decide(a_router(), profile=HARD)
    assert order(decision)[0] == "large"
    assert len(decision.plan.tiers) == 1


def test_the_best_policy_asks_the_reference() -> None:
    decision = decide(a_router(), a_task(model="best"))
    assert (decision.policy, decision.reference) == ("best", "large")
    assert order(decision)[0] == "large"


def test_a_reference_can_be_named_by_the_policy() -> None:
    decision = decide(a_router(policies=(a_policy("auto", reference="middle"),)))
    assert decision.reference == "middle"
    assert [tier.model for tier in decision.plan.tiers] == ["small", "middle"]


def test_a_reference_that_may_not_be_asked_is_still_the_yardstick() -> None:
    strict = a_policy("auto", reference="large", deny=("large",))
    decision = decide(a_router(policies=(strict,)), profile=HARD)
    assert decision.reference == "large"
    assert order(decision) == ["middle", "small"]
    assert "no candidate reaches" in decision.reason


def test_a_specialist_of_the_domain_goes_first() -> None:
    expert = a_model(
        "expert", quality=0.8, specialises=frozenset({"finance"}), prices=Prices(input=2, output=4)
    )
    router = a_router(SMALL, LARGE, expert)
    finance = decide(router, profile=a_profile(difficulty=0.05, domain="finance"))
    assert order(finance)[0] == "expert"
    assert "specialises in finance" in finance.reason
    assert order(decide(router))[0] == "small"


def test_a_specialist_dearer_than_the_reference_must_be_better_than_it() -> None:
    dear = Prices(input=50, output=90)
    finance = a_profile(difficulty=0.4, domain="finance")
    weak = a_model("expert", quality=0.89, specialises=frozenset({"finance"}), prices=dear)
    strong = a_model("expert", quality=0.94, specialises=frozenset({"finance"}), prices=dear)
    spared = decide(a_router(SMALL, LARGE, weak), profile=finance)
    assert order(spared)[0] == "large"
    assert "large is the reference" in spared.reason
    assert order(decide(a_router(SMALL, LARGE, strong), profile=finance))[0] == "expert"


def test_pinned_tiers_are_the_plan() -> None:
    pinned = (Tier(model="middle", gates=("complete",), accept=0.9), Tier(model="small"))
    decision = decide(a_router(policies=(a_policy("auto", tiers=pinned),)))
    assert decision.plan.tiers == pinned
    assert decision.plan.fallbacks == ("large",)
    assert decision.reason == "the policy pins middle then small"


def test_the_last_pinned_tier_has_no_gates_since_nobody_is_left_to_ask() -> None:
    pinned = tuple(Tier(model=name, gates=("complete",), accept=0.9) for name in ("small", "large"))
    router = a_router(policies=(a_policy("auto", tiers=pinned),))
    assert decide(router).plan.tiers == (pinned[0], Tier(model="large", accept=0.9))
    # The last is the last of those that can serve the task.
    only_small = decide(router, profile=a_profile(requires=frozenset({"vision"})))
    assert [tier.gates for tier in only_small.plan.tiers][-1] == ()


def test_a_pinned_tier_that_cannot_serve_the_task_is_left_out_and_listed() -> None:
    blind = a_model("small", capabilities=frozenset())
    pinned = (Tier(model="small"), Tier(model="large"))
    router = a_router(blind, LARGE, policies=(a_policy("auto", tiers=pinned),))
    decision = decide(router, profile=a_profile(requires=frozenset({"vision"})))
    assert order(decision) == ["large"]
    assert whys(decision)["small"] == "lacks vision"


def test_fallbacks_of_the_policy_come_before_the_others() -> None:
    router = a_router(policies=(a_policy("auto", fallbacks=("small", "large")),))
    assert order(decide(router, profile=HARD)) == ["large", "small", "middle"]


def test_fallbacks_go_from_the_cheapest_that_is_able_to_the_best_that_is_not() -> None:
    models = [
        a_model(name, quality=quality, prices=Prices(input=price, output=price))
        for name, quality, price in (
            ("top", 0.95, 20),
            ("good", 0.94, 8),
            ("fine", 0.93, 9),
            ("poor", 0.5, 1),
            ("weak", 0.6, 2),
        )
    ]
    decision = decide(a_router(*models, policies=(a_policy("auto", quality=0.95),)), profile=HARD)
    assert order(decision) == ["good", "top", "fine", "weak", "poor"]


def test_a_stream_that_may_not_be_held_back_is_answered_by_the_first_tier() -> None:
    router = a_router(policies=(a_policy("auto", streams="unchecked"),))
    stream = decide(router, a_task(stream=True))
    assert len(stream.plan.tiers) == 1
    assert order(stream) == ["small", "large", "middle"]
    assert len(decide(router).plan.tiers) == 2


# --- exclusions


@pytest.mark.parametrize(
    ("policy", "profile", "why"),
    [
        ({"deny": ("small",)}, EASY, "denied by the policy"),
        ({"deny": ("near",)}, EASY, "denied by the policy: near"),
        ({"deny": ("us",)}, EASY, "denied by the policy: us"),
        ({"allow": ("large", "far")}, EASY, "not on the policy's allow list"),
        ({"allow": ("far",)}, EASY, "not on the policy's allow list"),
        ({"regions": ("eu",)}, EASY, "not served in eu, where the policy wants it"),
        ({}, a_profile(requires=frozenset({"vision", "tools"})), "lacks tools, vision"),
        ({}, a_profile(requires=frozenset({"json_mode"})), "lacks json_mode"),
        (
            {},
            a_profile(input_tokens=900, output_tokens=200),
            "needs 1,100 tokens, its window has 1,000",
        ),
        ({"max_cost_usd": 1e-9}, EASY, "may cost 0.000050 USD, over 1e-09"),
        ({"max_latency_s": 0.1}, EASY, "takes about 1.2 s, over 0.1"),
    ],
)
def test_a_model_that_may_not_or_cannot_serve_is_left_out_with_a_reason(
    policy: dict[str, Any], profile: Profile, why: str
) -> None:
    limited = a_model(
        "small", capabilities=frozenset(), context_window=1000, prices=Prices(input=0.1, output=0.2)
    )
    free = a_model("large", prices=Prices(input=0, output=0), quality=0.95)
    places = {
        "large": [a_deployment("large", "far", region="eu")],
        "small": [a_deployment("small", "near", region="us")],
    }
    router = a_router(limited, free, policies=(a_policy("auto", **policy),), deployments=places)
    quick = {"far/large": Seen(0.01, 0.02)}
    decision = decide(router, profile=profile, latency=quick)
    assert roles(decision) == {"large": "tier", "small": "excluded"}
    assert whys(decision)["small"] == why
    # What was kept out by an estimate is shown with it.
    kept_out_by_a_ceiling = any(name.startswith("max_") for name in policy)
    assert (decision.candidates[-1].estimate is not None) == kept_out_by_a_ceiling


def test_json_schema_is_good_enough_for_json_mode() -> None:
    model = a_model("only", capabilities=frozenset({"json_schema"}))
    wants = a_profile(requires=frozenset({"json_mode"}))
    assert order(decide(a_router(model), profile=wants)) == ["only"]


def test_when_nobody_can_serve_the_reasons_are_given() -> None:
    blind = a_model("small", capabilities=frozenset())
    with pytest.raises(Unsatisfiable) as caught:
        decide(a_router(blind), profile=a_profile(requires=frozenset({"vision"})))
    assert "small: lacks vision" in caught.value.message
    assert "'auto'" in caught.value.message


def test_every_model_appears_with_a_reason() -> None:
    decision = decide(a_router(policies=(a_policy("auto", deny=("middle",)),)))
    assert roles(decision) == {"small": "tier", "large": "tier", "middle": "excluded"}
    assert all(candidate.why for candidate in decision.candidates)
    assert whys(decision)["small"] == "tier 1"
    assert whys(decide(a_router()))["middle"] == "stands in as 1: dearer than small"
    hard = whys(decide(a_router(), profile=HARD))
    assert hard["small"] == "stands in as 2: below the target 0.84"


def test_only_permitted_deployments_are_paths() -> None:
    eu, us = a_deployment("small", "a", region="eu"), a_deployment("small", "b", region="us")
    router = a_router(
        SMALL, policies=(a_policy("auto", regions=("eu",)),), deployments={"small": [eu, us]}
    )
    assert router.paths(decide(router))["small"] == (eu,)
    assert list(router.paths(decide(router, a_task(model="best")))["small"]) == [eu, us]


# --- what the caller says


def test_a_model_named_by_the_caller_is_the_plan() -> None:
    router = a_router()
    decision = decide(router, a_task(model="middle"), profile=HARD)
    assert order(decision) == ["middle"]
    assert (decision.policy, decision.reason) == (None, "named by the caller")
    assert decision.reference == "large"
    assert list(router.paths(decision)["middle"])


@pytest.mark.parametrize("name", ["far/small", "far/far-small"])
def test_a_provider_s_model_is_asked_at_that_provider_only(name: str) -> None:
    near = a_deployment("small", "near")
    far = a_deployment("small", "far", upstream_model="far-small")
    router = a_router(SMALL, LARGE, deployments={"small": [near, far]})
    decision = decide(router, a_task(model=name))
    assert (order(decision), decision.pinned) == (["small"], "far/small")
    assert router.paths(decision) == {"small": [far]}


def test_a_provider_s_own_name_with_slashes_is_understood() -> None:
    there = a_deployment("small", "router", upstream_model="vendor/small-v2")
    router = a_router(SMALL, deployments={"small": [there]})
    assert decide(router, a_task(model="router/vendor/small-v2")).pinned == "router/small"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("smal", "small"), ("atuo", "auto"), ("near/smal", "small"), ("bset", "best")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownModel, match=suggestion) as caught:
        decide(a_router(), a_task(model=name))
    assert caught.value.param == "model"
    assert caught.value.status == 404


def test_a_name_like_nothing_is_answered_with_the_policies() -> None:
    with pytest.raises(UnknownModel, match="auto or best"):
        decide(a_router(), a_task(model="zzzzzzzz"))


def test_a_policy_header_wins_over_the_model() -> None:
    decision = decide(a_router(), a_task(model="small", policy="best"))
    assert (decision.policy, decision.requested) == ("best", "small")


def test_an_unknown_policy_header_lists_the_policies() -> None:
    with pytest.raises(UnknownModel, match="auto, best") as caught:
        decide(a_router(), a_task(policy="cheap"))
    assert (caught.value.param, caught.value.code) == ("x-tierwise-policy", "policy_not_found")


def test_a_quality_header_replaces_the_policy_s() -> None:
    assert order(decide(a_router(), a_task(quality=1.0)))[0] == "large"
    assert order(decide(a_router(), a_task(quality=0.1), profile=HARD))[0] == "small"


def test_a_model_with_a_quality_is_a_yardstick() -> None:
    decision = decide(a_router(), a_task(model="middle", quality=0.8))
    assert (decision.reference, decision.policy) == ("middle", "auto")
    assert order(decision)[0] == "small"


def test_a_cost_header_is_a_ceiling() -> None:
    assert roles(decide(a_router(), a_task(max_cost_usd=0.001)))["large"] == "excluded"
    with pytest.raises(Unsatisfiable, match="over 1e-09"):
        decide(a_router(), a_task(max_cost_usd=1e-9))


def test_a_cost_header_holds_for_a_named_model_too() -> None:
    with pytest.raises(Unsatisfiable) as caught:
        decide(a_router(), a_task(model="large", max_cost_usd=0.001))
    assert (caught.value.param, caught.value.code) == ("x-tierwise-max-cost-usd", "over_max_cost")
    assert order(decide(a_router(), a_task(model="small", max_cost_usd=0.001))) == ["small"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "small"}, True),
        ({"model": "near/small"}, True),
        ({"model": "auto"}, False),
        ({"model": "small", "policy": "best"}, False),
        ({"model": "small", "quality": 0.5}, False),
        ({"model": "small", "max_cost_usd": 0.5}, False),
        ({"model": "small", "max_latency_s": 0.5}, False),
    ],
)
def test_there_is_nothing_to_weigh_only_if_a_model_is_named(
    fields: dict[str, Any], expected: bool
) -> None:
    assert a_router().explicit(a_task(**fields)) is expected


# --- purity


def test_the_same_inputs_give_the_same_decision() -> None:
    router, task = a_router(), a_task("Why?", tools=[])
    assert decide(router, task, HARD) == decide(router, task, HARD)
    assert decide(a_router(), task, HARD) == decide(router, task, HARD)


def test_observed_latency_is_what_is_expected() -> None:
    decision = decide(a_router(), latency={"near/small": Seen(0.25, 7.0)})
    estimates = {c.model: c.estimate for c in decision.candidates}
    assert estimates["small"] is not None
    assert (estimates["small"].ttft_s, estimates["small"].latency_s) == (0.25, 7.0)


def expected(profile: Profile) -> Estimate:
    return PriorPredictor().estimates(profile, None, [MIDDLE], {})[MIDDLE.id]


def test_harder_tasks_are_expected_to_be_done_worse() -> None:
    qualities = [expected(a_profile(difficulty=d)).quality for d in (0.1, 0.4, 0.9)]
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[1] == pytest.approx(0.85)


def test_costs_are_expected_from_tokens_and_prices() -> None:
    estimate = expected(a_profile(input_tokens=1000, output_tokens=500))
    assert estimate.cost_usd == pytest.approx(0.002)
    assert estimate.cost_p90_usd == pytest.approx(0.003)
