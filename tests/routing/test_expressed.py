"""Nobody is asked what its dialect has no words for, unless the caller lets it be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from builders import a_deployment, a_model, a_policy, a_profile, a_task
from plain import a_plain_task, install
from tierwise.errors import Unsatisfiable
from tierwise.routing import PriorPredictor, Router
from tierwise.types import Decision, Deployment, Policy, Prices, Task, Tier
from tierwise.wire import dialect as dialects

PICTURE = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
CHEAP, DEAR = Prices(input=0.1, output=0.2), Prices(input=10.0, output=20.0)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def a_router(
    policy: Policy | None = None,
    lacks: Mapping[str, frozenset[str]] | None = None,
    **places: Sequence[Deployment],
) -> Router:
    """`small` is served in words of `plain`, `large` in OpenAI's; `lacks` is by deployment."""
    served: Mapping[str, Sequence[Deployment]] = places or {
        "small": [a_deployment("small", "far")], "large": [a_deployment("large", "near")],
    }  # fmt: skip
    models = {
        "small": a_model("small", quality=0.9, prices=CHEAP),
        "large": a_model("large", quality=0.95, prices=DEAR),
    }
    speaks = {d.id: "plain" if d.provider == "far" else "openai-chat"
              for group in served.values() for d in group}  # fmt: skip
    known = {name: models[name] for name in served}
    return Router(
        known, served, {"auto": policy or a_policy()}, PriorPredictor(), speaks, lacks or {}
    )


def decided(router: Router, task: Task) -> tuple[Decision, Mapping[str, Sequence[Deployment]]]:
    unsaid = router.unsaid(task)
    profile = a_profile(difficulty=0.05)
    decision = router.decide(task, profile, decision_id="d", now=1.0, latency={}, unsaid=unsaid)
    return decision, router.paths(decision, unsaid)


def whys(decision: Decision) -> dict[str, str]:
    return {one.model: one.why for one in decision.candidates if one.role == "excluded"}


def test_a_request_that_everybody_understands_goes_to_whoever_is_best() -> None:
    router = a_router()
    assert router.unsaid(a_task(temperature=0.5)) is None
    decision, paths = decided(router, a_task(temperature=0.5))
    assert decision.plan.tiers[0].model == "small"
    assert paths["small"]


def test_a_model_that_cannot_be_asked_is_left_out_and_it_says_why() -> None:
    decision, _ = decided(a_router(), a_task(seed=7))
    assert [tier.model for tier in decision.plan.tiers] == ["large"]
    assert decision.plan.fallbacks == ()
    assert whys(decision) == {"small": "plain has no word for `seed`"}


def test_of_a_models_places_only_those_that_understand_are_asked_and_lend_their_price() -> None:
    near, far = a_deployment("small", "near", prices=DEAR), a_deployment("small", "far")
    router = a_router(small=[far, near])
    decision, paths = decided(router, a_task(seed=7))
    assert [d.id for d in paths["small"]] == ["near/small"]
    known = {one.model: one.estimate for one in decision.candidates}
    plain, _ = decided(router, a_task())
    usual = {one.model: one.estimate for one in plain.candidates}
    assert known["small"] is not None
    assert usual["small"] is not None
    assert known["small"].cost_usd > usual["small"].cost_usd


@pytest.mark.parametrize("name", ["small", "far/small"])
def test_a_model_that_is_named_and_cannot_is_refused_with_the_parameter_and_the_remedy(
    name: str,
) -> None:
    with pytest.raises(Unsatisfiable) as caught:
        decided(a_router(), a_task(model=name, seed=7))
    assert (caught.value.param, caught.value.code) == ("seed", "unsupported_parameter")
    assert caught.value.status == 400
    assert "plain has no word for `seed`" in caught.value.message
    assert "`x-tierwise-drop-unsupported: true`" in caught.value.message


def test_if_nobody_can_the_caller_is_told_what_to_leave_out() -> None:
    with pytest.raises(Unsatisfiable) as caught:
        decided(a_router(small=[a_deployment("small", "far")]), a_task(seed=7, n=2))
    assert caught.value.param == "seed"
    assert "Leave `seed`, `n` out" in caught.value.message


@pytest.mark.parametrize("by", ["request", "policy"])
def test_what_may_be_left_out_bars_nobody_and_is_told(by: str) -> None:
    router = a_router(a_policy(drop_unsupported=by == "policy"))
    task = a_task(seed=7, drop_unsupported=True if by == "request" else None)
    unsaid = router.unsaid(task)
    assert unsaid is not None
    decision, paths = decided(router, task)
    assert decision.plan.tiers[0].model == "small"
    assert paths["small"]
    assert (unsaid.dropped("far/small"), unsaid.dropped("near/large")) == (("seed",), ())
    named, paths = decided(router, a_task(model="small", seed=7, drop_unsupported=True))
    assert [d.id for d in paths["small"]] == ["far/small"]
    assert named.pinned is None


def test_a_request_may_forbid_what_its_policy_allows() -> None:
    router = a_router(a_policy(drop_unsupported=True))
    decision, _ = decided(router, a_task(seed=7, drop_unsupported=False))
    assert [tier.model for tier in decision.plan.tiers] == ["large"]


def test_where_one_place_understands_all_nothing_is_left_out() -> None:
    places = [a_deployment("small", "far"), a_deployment("small", "near")]
    _, paths = decided(a_router(small=places), a_task(seed=7, drop_unsupported=True))
    assert [d.id for d in paths["small"]] == ["near/small"]


def test_what_the_question_consists_of_is_never_left_out() -> None:
    task = a_task(PICTURE, drop_unsupported=True)  # type: ignore[arg-type]
    decision, _ = decided(a_router(), task)
    assert whys(decision)["small"].startswith("plain has no word for")
    with pytest.raises(Unsatisfiable, match="Ask without"):
        decided(a_router(), a_task(PICTURE, model="small", drop_unsupported=True))  # type: ignore[arg-type]


def test_a_pinned_plan_skips_who_cannot_be_asked() -> None:
    tiers = (Tier(model="small"), Tier(model="large"))
    decision, _ = decided(a_router(a_policy(tiers=tiers)), a_task(seed=7))
    assert [tier.model for tier in decision.plan.tiers] == ["large"]


def test_a_judge_is_asked_whatever_the_request_uses() -> None:
    policy = a_policy(gates=("judge",), judge="small")
    _, paths = decided(a_router(policy), a_task(seed=7))
    assert [d.id for d in paths["small"]] == ["far/small"]


def test_where_all_speak_the_clients_dialect_its_request_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr("tierwise.routing.expressed.conversation_of", fail)
    near = {"large": [a_deployment("large", "near")]}
    assert a_router(**near).unsaid(a_task(seed=7)) is None
    # Nor where only others speak another than the model that was named.
    assert a_router().unsaid(a_task(model="large", seed=7)) is None
    with pytest.raises(AssertionError):
        a_router().unsaid(a_task(seed=7))
    assert "plain" in dialects._DIALECTS


def test_what_a_deployment_does_not_take_of_its_dialect_is_as_if_there_were_no_word_for_it() -> (
    None
):
    router = a_router(lacks={"far/small": frozenset({"temperature"})})
    decision, _ = decided(router, a_task(temperature=0.5))
    assert [tier.model for tier in decision.plan.tiers] == ["large"]
    assert whys(decision) == {"small": "far/small does not take `temperature`"}
    with pytest.raises(Unsatisfiable) as caught:
        decided(router, a_task(model="small", temperature=0.5))
    assert (caught.value.param, caught.value.status) == ("temperature", 400)
    assert "far/small does not take `temperature`" in caught.value.message
    task = a_task(model="small", temperature=0.5, seed=7, drop_unsupported=True)
    unsaid = router.unsaid(task)
    assert unsaid is not None
    assert unsaid.dropped("far/small") == ("seed", "temperature")


def test_callers_of_chat_are_held_to_what_a_provider_takes_of_it() -> None:
    router = a_router(
        lacks={"near/large": frozenset({"logprobs", "image_url"})},
        small=[a_deployment("small", "near")],
        large=[a_deployment("large", "near")],
    )
    assert router.unsaid(a_task(temperature=0.5)) is None
    decision, _ = decided(router, a_task(logprobs=True))
    assert whys(decision) == {"large": "near/large does not take `logprobs`"}
    with pytest.raises(Unsatisfiable, match="Ask without image url"):
        decided(router, a_task(PICTURE, model="large", drop_unsupported=True))  # type: ignore[arg-type]
    _, paths = decided(router, a_task(model="large", logprobs=True, drop_unsupported=True))
    assert [d.id for d in paths["large"]] == ["near/large"]


def test_if_everybody_refuses_it_the_caller_is_told_what_to_leave_out() -> None:
    places = {"large": [a_deployment("large", "near")]}
    router = a_router(lacks={"near/large": frozenset({"stop"})}, **places)
    with pytest.raises(Unsatisfiable) as caught:
        decided(router, a_task(stop=["x"]))
    assert (caught.value.param, caught.value.code) == ("stop", "unsupported_parameter")
    assert "Leave `stop` out" in caught.value.message


def test_callers_of_other_dialects_are_told_by_their_own_provider_what_it_does_not_take() -> None:
    places = {"small": [a_deployment("small", "far")]}
    router = a_router(lacks={"far/small": frozenset({"temperature"})}, **places)
    assert router.unsaid(a_plain_task("Hi", heat=0.5)) is None


@pytest.mark.parametrize("fields", [{"temperature": 1}, {"top_p": 1.0}, {"n": 1}], ids=str)
def test_what_is_asked_for_as_it_is_anyway_bars_nobody(fields: Any) -> None:
    lacks = {"near/large": frozenset({"temperature", "top_p", "choices"})}
    router = a_router(lacks=lacks, large=[a_deployment("large", "near")])
    assert router.unsaid(a_task(**fields)) is None


def test_a_request_that_only_its_own_provider_may_understand_is_its_to_judge() -> None:
    lacks = {"near/large": frozenset({"logprobs"})}
    router = a_router(lacks=lacks, large=[a_deployment("large", "near")])
    strange = a_task(logprobs=True, top_logprobs="many")
    assert router.unsaid(strange) is None


def test_a_request_that_uses_nothing_of_what_is_lacking_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr("tierwise.routing.expressed.conversation_of", fail)
    lacks = {"near/large": frozenset({"logprobs", "top_k"})}
    router = a_router(lacks=lacks, large=[a_deployment("large", "near")])
    assert router.unsaid(a_task(temperature=0.3, tools=[])) is None
    with pytest.raises(AssertionError):
        router.unsaid(a_task(top_k=3))
