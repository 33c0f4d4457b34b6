"""What a policy says about places, waiting, fields of knowledge and conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from builders import a_deployment, a_model, a_policy, a_profile, a_task
from tierwise.errors import Unsatisfiable
from tierwise.routing import PriorPredictor, Router
from tierwise.routing.weigh import STAY
from tierwise.types import Decision, Deployment, Held, Model, Policy, Prices, Profile, Task, Weights

CHEAP, DEAR = Prices(input=0.1, output=0.2), Prices(input=10.0, output=20.0)
SMALL = a_model("small", quality=0.8, prices=CHEAP)
LARGE = a_model("large", quality=0.95, prices=DEAR)
EASY = a_profile(difficulty=0.05)


@dataclass
class Seen:
    """What was observed of a deployment."""

    ttft_s: float | None = None
    latency_s: float | None = None


def a_place(model: Model, provider: str, region: str | None = None, **fields: Any) -> Deployment:
    return a_deployment(model.id, provider, region=region, prices=model.prices, **fields)


def decide(
    policy: Policy,
    *models: Model,
    places: dict[str, list[Deployment]] | None = None,
    profile: Profile = EASY,
    task: Task | None = None,
    latency: dict[str, Seen] | None = None,
    held: Held | None = None,
) -> Decision:
    known = {model.id: model for model in models or (SMALL, LARGE)}
    served = {name: [a_place(model, "near")] for name, model in known.items()}
    router = Router(known, {**served, **(places or {})}, {"auto": policy}, PriorPredictor())
    return router.decide(
        task or a_task(), profile, decision_id="d", now=1.0, latency=latency or {}, held=held
    )


def first(decision: Decision) -> str:
    return decision.plan.tiers[0].model


def why(decision: Decision, model: str) -> str:
    return next(c.why for c in decision.candidates if c.model == model)


# --- places


@pytest.mark.parametrize("denied", ["far", "us"])
def test_a_place_that_is_denied_by_provider_or_region_leaves_the_models_other_places(
    denied: str,
) -> None:
    near, far = a_place(SMALL, "near", "eu"), a_place(SMALL, "far", "us")
    policy = a_policy("auto", deny=(denied,))
    known = {"small": SMALL}
    router = Router(known, {"small": [far, near]}, {"auto": policy}, PriorPredictor())
    decision = router.decide(a_task(), EASY, decision_id="d", now=1.0, latency={})
    assert first(decision) == "small"
    assert list(router.paths(decision)["small"]) == [near]


@pytest.mark.parametrize("denied", ["near", "eu", "small"])
def test_a_model_with_no_place_left_is_out(denied: str) -> None:
    places = {"small": [a_place(SMALL, "near", "eu")], "large": [a_place(LARGE, "far", "us")]}
    decision = decide(a_policy("auto", deny=(denied,)), places=places)
    assert first(decision) == "large"
    assert why(decision, "small").startswith("denied by the policy")


def test_a_place_that_may_not_be_asked_lends_neither_its_price_nor_its_pace() -> None:
    here = a_deployment("small", "here", prices=DEAR)
    places = {"small": [a_place(SMALL, "there"), here]}
    seen = {"there/small": Seen(0.1, 0.2), "here/small": Seen(1.0, 9.0)}
    estimates = [
        next(c.estimate for c in decide(policy, places=places, latency=seen).candidates)
        for policy in (a_policy("auto"), a_policy("auto", deny=("there",)))
    ]
    free, bound = estimates
    assert free is not None
    assert bound is not None
    assert bound.cost_usd == pytest.approx(100 * free.cost_usd)
    assert (free.latency_s, bound.latency_s) == (0.2, 9.0)


# --- waiting


def test_a_request_may_set_its_own_ceiling_on_waiting() -> None:
    seen = {"near/small": Seen(0.1, 5.0), "near/large": Seen(0.1, 1.0)}
    hasty = a_task(max_latency_s=2.0)
    decision = decide(a_policy("auto"), task=hasty, latency=seen)
    assert first(decision) == "large"
    assert why(decision, "small") == "takes about 5.0 s, over 2"
    patient = a_policy("auto", max_latency_s=2.0)
    assert first(decide(patient, task=a_task(max_latency_s=6.0), latency=seen)) == "small"


def test_a_ceiling_on_waiting_holds_for_a_named_model_too() -> None:
    seen = {"near/small": Seen(0.1, 5.0)}
    with pytest.raises(Unsatisfiable, match=r"takes about 5\.0 s") as caught:
        decide(a_policy("auto"), task=a_task(model="small", max_latency_s=2.0), latency=seen)
    assert caught.value.param == "x-tierwise-max-latency-s"


def test_seconds_that_are_worth_money_buy_a_dearer_model() -> None:
    seen = {"near/small": Seen(0.1, 9.0), "near/large": Seen(0.1, 1.0)}
    hasty = a_policy("auto", weights=Weights(latency=0.01))
    assert first(decide(a_policy("auto"), latency=seen)) == "small"
    assert first(decide(hasty, latency=seen)) == "large"


# --- specialists

LEDGER = a_model(
    "ledger",
    quality=0.85,
    prices=Prices(input=1.0, output=2.0),
    specialises=frozenset({"finance", "legal"}),
)
HARD_FINANCE = a_profile(domain="finance", difficulty=0.8)


def test_hard_tasks_of_its_own_field_are_no_harder_to_a_specialist() -> None:
    assert first(decide(a_policy("auto"), SMALL, LEDGER, LARGE, profile=HARD_FINANCE)) == "ledger"
    elsewhere = a_profile(domain="medical", difficulty=0.8)
    assert first(decide(a_policy("auto"), SMALL, LEDGER, LARGE, profile=elsewhere)) == "large"


def test_a_task_that_touches_two_fields_of_a_specialist_counts_for_both() -> None:
    found = [
        PriorPredictor().estimates(profile, None, [LEDGER], {})["ledger"].quality
        for profile in (
            a_profile(domain="finance"),
            a_profile(domain="finance", also=frozenset({"legal"})),
            a_profile(domain="finance", also=frozenset({"code"})),
            a_profile(domain="code", also=frozenset({"finance"})),
        )
    ]
    assert found == pytest.approx([1 - 0.15 / 2, 1 - 0.15 / 4, 1 - 0.15 / 2, 1 - 0.15])


# --- conversations


def test_a_conversation_stays_with_a_model_that_all_but_reaches_the_target() -> None:
    target = 0.95 * LARGE.quality
    almost = a_model("almost", quality=target - STAY / 2, prices=CHEAP)
    everyday = a_profile(difficulty=PriorPredictor.EVERYDAY)
    models = (almost, LARGE)
    held = Held("almost", 0, 0.0)
    assert first(decide(a_policy("auto"), *models, profile=everyday)) == "large"
    assert first(decide(a_policy("auto"), *models, profile=everyday, held=held)) == "almost"
    worse = a_model("almost", quality=target - 2 * STAY, prices=CHEAP)
    assert first(decide(a_policy("auto"), worse, LARGE, profile=everyday, held=held)) == "large"


def test_a_conversation_in_the_prompt_cache_costs_less_where_it_is() -> None:
    prices = Prices(input=1.0, output=2.0, cached_input=0.1)
    one, other = (a_model(name, quality=0.9, prices=prices) for name in ("one", "other"))
    long = a_profile(difficulty=0.05, input_tokens=10_000)
    policy = a_policy("auto")
    assert first(decide(policy, one, other, profile=long)) == "one"
    assert (
        first(decide(policy, one, other, profile=long, held=Held("other", 9_000, 0.0))) == "other"
    )
    expired = Held("other", 0, 0.0)
    assert first(decide(policy, one, other, profile=long, held=expired)) == "one"
