"""A checked configuration becomes models, deployments and policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tierwise.config import Setup, build, from_mapping, load
from tierwise.config.mistakes import each
from tierwise.config.presets import PRESETS
from tierwise.errors import ConfigError
from tierwise.types import Prices, Timeouts, Weights

OPENAI = {"models": ["gpt-4o", "gpt-4o-mini"], "api_key": "sk-secret-secret"}


def built(**sections: Any) -> Setup:
    sections.setdefault("providers", {"openai": OPENAI})
    return build(from_mapping(sections, {}))


def failing(**sections: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        built(**sections)
    assert caught.value.remedy
    return caught.value


def test_a_provider_s_models_become_deployments() -> None:
    setup = built()
    assert set(setup.models) == {"gpt-4o", "gpt-4o-mini"}
    (deployment,) = setup.deployments["gpt-4o"]
    assert deployment.id == "openai/gpt-4o"
    assert deployment.base_url == PRESETS["openai"].base_url
    assert deployment.quirks == PRESETS["openai"].quirks
    assert deployment.api_key == "sk-secret-secret"
    assert deployment.prices.input == pytest.approx(2.5)


def test_a_deployment_does_not_show_its_key() -> None:
    (deployment,) = built(
        providers={"openai": {**OPENAI, "models": ["gpt-4o"], "headers": {"X-Key": "hunter22"}}}
    ).all_deployments()
    assert deployment.headers == (("x-key", "hunter22"),)
    for secret in ("sk-secret-secret", "hunter22"):
        assert secret not in repr(deployment) + str(deployment)


def test_one_model_at_two_providers_has_two_deployments_and_the_lower_price() -> None:
    mine = {"base_url": "http://127.0.0.1:1/v1", "preset": "vllm", "models": ["gpt-4o"]}
    setup = built(providers={"openai": OPENAI, "mine": mine})
    assert [d.id for d in setup.deployments["gpt-4o"]] == ["openai/gpt-4o", "mine/gpt-4o"]
    cheapest = min(setup.deployments["gpt-4o"], key=lambda d: d.prices.input)
    assert setup.models["gpt-4o"].prices == cheapest.prices


def test_a_model_of_one_s_own_needs_prices() -> None:
    mine = {"base_url": "http://127.0.0.1:1/v1", "models": ["my-own-model"]}
    error = failing(providers={"mine": mine})
    assert "my-own-model" in str(error)
    assert "prices" in str(error)
    setup = built(
        providers={"mine": mine},
        models={
            "my-own-model": {
                "prices": {"input": 0.2, "output": 0.6},
                "quality": 0.7,
                "context_window": 4096,
                "capabilities": ["tools"],
                "specialises": ["finance"],
            }
        },
    )
    model = setup.models["my-own-model"]
    assert model.prices == Prices(input=0.2, output=0.6)
    assert (model.quality, model.context_window) == (0.7, 4096)
    assert model.capabilities == frozenset({"tools"})
    assert model.specialises == frozenset({"finance"})


def test_the_tokens_of_a_local_server_cost_nothing() -> None:
    setup = built(providers={"ollama": {"models": ["some-local-model:7b"]}})
    (deployment,) = setup.all_deployments()
    assert deployment.prices == Prices(input=0.0, output=0.0)


def test_a_configured_price_wins_over_the_list() -> None:
    setup = built(models={"gpt-4o": {"prices": {"input": 1, "output": 2}}})
    assert setup.deployments["gpt-4o"][0].prices == Prices(input=1.0, output=2.0)
    assert setup.models["gpt-4o"].prices == Prices(input=1.0, output=2.0)


def test_a_served_model_can_have_another_name_weight_and_region() -> None:
    item = {"model": "gpt-4o", "upstream": "prod/gpt4o", "weight": 3, "region": "eu"}
    (deployment,) = built(providers={"openai": {"models": [item]}}).all_deployments()
    assert (deployment.model, deployment.upstream_model) == ("gpt-4o", "prod/gpt4o")
    assert (deployment.weight, deployment.region) == (3, "eu")


def test_ids_have_no_slash_and_the_upstream_keeps_its_name() -> None:
    (deployment,) = built(providers={"openrouter": {"models": ["openai/gpt-4o"]}}).all_deployments()
    assert deployment.upstream_model == "openai/gpt-4o"
    assert "/" not in deployment.model
    assert deployment.id == f"openrouter/{deployment.model}"


def test_timeouts_of_a_provider_win_over_the_general_ones() -> None:
    setup = built(
        providers={
            "openai": {"models": ["gpt-4o"], "timeouts": {"total": 9}},
            "groq": {"models": [{"model": "gpt-4o-mini"}]},
        },
        timeouts={"total": 7},
    )
    assert setup.deployments["gpt-4o"][0].timeouts == Timeouts(total=9)
    assert setup.deployments["gpt-4o-mini"][0].timeouts == Timeouts(total=7)


def test_three_policies_always_exist_and_the_file_may_change_them() -> None:
    policies = built(policies={"auto": {"quality": 0.9}, "mine": {}}).policies
    assert {name: policies[name].quality for name in policies} == {
        "auto": 0.9,
        "economy": 0.8,
        "best": 1.0,
        "mine": 0.95,
    }


def test_a_policy_may_deny_places_and_weigh_waiting() -> None:
    providers = {"openai": {**OPENAI, "region": "eu"}}
    policies = {"auto": {"deny": ["eu"]}, "chat": {"regions": ["eu"], "weights": {"latency": 0.01}}}
    found = built(providers=providers, policies=policies).policies
    assert found["auto"].deny == ("eu",)
    assert found["auto"].weights == Weights(cost=1.0, latency=0.0)
    assert found["chat"].weights == Weights(cost=1.0, latency=0.01)
    with pytest.raises(ConfigError, match=r"policies\.auto\.weights\.latency"):
        built(policies={"auto": {"weights": {"latency": -1}}})


def test_a_tier_without_gates_of_its_own_has_the_policy_s() -> None:
    tiers = [{"model": "gpt-4o-mini"}, {"model": "gpt-4o", "gates": [], "accept": 0.9}]
    policy = built(policies={"auto": {"tiers": tiers, "gates": ["complete"]}}).policies["auto"]
    assert [tier.gates for tier in policy.tiers] == [("complete",), ()]
    assert policy.tiers[1].accept == 0.9


@pytest.mark.parametrize(
    ("policy", "field", "word"),
    [
        ({"reference": "gpt-4"}, "policies.auto.reference", "gpt-4o"),
        ({"tiers": [{"model": "gpt-4o-min"}]}, "policies.auto.tiers.0.model", "gpt-4o-mini"),
        ({"fallbacks": ["nope"]}, "policies.auto.fallbacks.0", "gpt-4o"),
        ({"allow": ["opnai"]}, "policies.auto.allow.0", "openai"),
        ({"deny": ["gpt-4"]}, "policies.auto.deny.0", "gpt-4o"),
        ({"deny": ["ue"]}, "policies.auto.deny.0", "openai"),
        ({"regions": ["ue"]}, "policies.auto.regions.0", "providers"),
    ],
)
def test_a_policy_may_only_name_what_is_configured(
    policy: dict[str, Any], field: str, word: str
) -> None:
    error = failing(policies={"auto": policy})
    assert error.field == field
    assert word in (error.remedy or "")


@pytest.mark.parametrize(
    ("provider", "field", "word"),
    [
        ({"preset": "opnai", "models": ["x"]}, "providers.p.preset", "openai"),
        ({"models": ["x"]}, "providers.p.base_url", "base_url"),
        ({"base_url": "ftp://h/v1", "models": ["x"]}, "providers.p.base_url", "http://"),
        ({"base_url": "http://", "models": ["x"]}, "providers.p.base_url", "names no host"),
        ({"base_url": "http://h h/v1", "models": ["x"]}, "providers.p.base_url", "names no host"),
        ({"base_url": "http://h:99999", "models": ["x"]}, "providers.p.base_url", "no port"),
        (
            {"base_url": "http://h", "quirks": ["max-token"], "models": ["gpt-4o"]},
            "providers.p.quirks.0",
            "Did you mean 'max-tokens'?",
        ),
        (
            {"preset": "openai", "models": ["gpt-4o", "gpt-4o"]},
            "providers.p.models.1",
            "Remove one",
        ),
    ],
)
def test_a_provider_that_cannot_be_called_is_refused(
    provider: dict[str, Any], field: str, word: str
) -> None:
    error = failing(providers={"p": provider})
    assert error.field == field
    assert word in str(error)


def test_a_policy_may_not_be_named_like_a_model() -> None:
    assert failing(policies={"gpt-4o": {}}).field == "policies.gpt-4o"


def test_a_model_may_not_be_named_like_a_policy_that_always_exists() -> None:
    mine = {"base_url": "http://127.0.0.1:1/v1", "models": ["auto"]}
    prices = {"auto": {"prices": {"input": 1, "output": 1}}}
    error = failing(providers={"mine": mine}, models=prices)
    assert error.field == "providers.mine.models.0"
    assert "both a policy and a model" in str(error)


PROVIDERS = """\
providers:
  openai:
    models: [gpt-4o]
"""


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("providers:\n  p:\n    base_url: http://h/v1\n    models:\n      - what\n", 5, "price"),
        ("providers:\n  p:\n    base_url: ftp://h/v1\n    models: [what]\n", 3, "ftp://h/v1"),
        ("providers:\n  p:\n    models: [what]\n", 2, "no base URL"),
        ("providers:\n  openai:\n    models:\n    - gpt-4o\n    - gpt-4o\n", 5, "listed twice"),
        (PROVIDERS + "models:\n  mine-7.5b:\n    quality: 0.5\n", 5, "mine-7.5b"),
        (PROVIDERS + "policies:\n  a.b:\n    reference: gpt\n", 6, "'gpt' is not configured"),
        (PROVIDERS + "policies:\n  a:\n    tiers:\n    - model: gpt\n", 7, "'gpt'"),
        (PROVIDERS + "policies:\n  gpt-4o: {}\n", 5, "both a policy and a model"),
    ],
)
def test_what_the_shape_does_not_show_is_told_with_its_line_too(
    tmp_path: Path, text: str, line: int, word: str
) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(text)
    config = load(file, {})
    with pytest.raises(ConfigError) as caught:
        build(config)
    assert (caught.value.file, caught.value.line) == (str(file), line)
    assert word in str(caught.value)


def test_a_value_from_the_environment_is_blamed_on_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(PROVIDERS)
    config = load(file, {"TIERWISE__PROVIDERS__OPENAI__BASE_URL": "ftp://h"})
    with pytest.raises(ConfigError, match="TIERWISE__PROVIDERS__OPENAI__BASE_URL") as caught:
        build(config)
    assert (caught.value.file, caught.value.line) == (None, None)


def test_all_that_is_wrong_is_told_at_once() -> None:
    policies = {"auto": {"reference": "gpt", "deny": ["x"]}, "gpt-4o": {}}
    error = failing(policies=policies)
    assert {one.field for one in each(error)} == {
        "policies.auto.reference",
        "policies.auto.deny.0",
        "policies.gpt-4o",
    }
    unknown = {"base_url": "http://127.0.0.1:1/v1", "models": ["one", "two"]}
    assert len(each(failing(providers={"p": unknown, "q": {"models": ["x"]}}))) == 3


HAVE_NO_URL = {"openai_compatible", "azure"}
HAVE_NO_KEY = {"vertex", "openai-responses"}  # credentials of other kinds, another's account


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_s_facts_are_consistent(name: str) -> None:
    preset = PRESETS[name]
    assert not {"max-tokens", "max-completion-tokens"} <= preset.quirks
    assert not {"prefill-continue", "prefill-prefix"} <= preset.quirks
    known = {
        *("max-tokens", "max-completion-tokens", "no-stream-options", "no-cache-marks"),
        *("usage-cost", "prefill-continue", "prefill-prefix", "output-dimension"),
        *("thoughts-back", "no-reasoning-object"),
    }
    assert preset.quirks <= known
    if preset.local:
        assert f":{preset.port}/" in preset.base_url
    elif name not in HAVE_NO_URL:
        assert preset.base_url.startswith("https://")
        assert preset.key_variables or name in HAVE_NO_KEY


def test_a_judge_needs_a_model() -> None:
    for policy in (
        {"gates": ["complete", "judge"]},
        {"tiers": [{"model": "gpt-4o-mini", "gates": ["judge"]}, {"model": "gpt-4o"}]},
    ):
        error = failing(policies={"mine": policy})
        assert error.field == "policies.mine.judge"
        assert "'judge' has no model" in error.message
        assert "judge: gpt-4o" in str(error.remedy)


@pytest.mark.parametrize("part", ["judge", "second"])
def test_a_model_that_probes_are_to_ask_must_be_configured(part: str) -> None:
    error = failing(policies={"mine": {"gates": ["agreement"], part: "gpt-4"}})
    assert error.field == f"policies.mine.{part}"
    assert "'gpt-4'" in error.message


def test_what_is_said_of_probes_reaches_the_policy() -> None:
    setup = built(
        policies={
            "mine": {
                "gates": ["judge", "agreement"], "judge": "gpt-4o", "second": "gpt-4o-mini",
                "rubric": "No jokes.", "probe_share": 0.2, "hand_over": True,
            }
        }
    )  # fmt: skip
    mine, auto = setup.policies["mine"], setup.policies["auto"]
    assert (mine.judge, mine.second, mine.rubric) == ("gpt-4o", "gpt-4o-mini", "No jokes.")
    assert (mine.probe_share, mine.hand_over) == (0.2, True)
    assert (auto.judge, auto.second, auto.probe_share, auto.hand_over) == (None, None, 0.1, False)


@pytest.mark.parametrize(
    ("provider", "model", "lacks", "takes"),
    [
        ("openai", "gpt-4o", {"top_k", "document_url", "effort"}, {"temperature", "stop"}),
        ("openai", "gpt-5-mini", {"top_k", "temperature", "logprobs", "stop"}, {"effort", "seed"}),
        ("openai", "gpt-5.4-mini", {"stop"}, {"temperature", "logprobs", "effort"}),
        ("openai", "gpt-5-chat-latest", {"top_k"}, {"temperature", "stop"}),
        ("openai", "gpt-5.6-sol", {"temperature", "stop", "logit_bias"}, {"choices", "seed"}),
        ("openai", "gpt-6-luna", {"temperature", "stop"}, {"effort", "verbosity"}),
        ("openai", "o4-mini", {"temperature", "stop", "logprobs"}, {"effort"}),
        ("azure", "gpt-4o", {"top_k", "video_url"}, {"temperature"}),
        ("azure", "DeepSeek-V4-Flash", set(), {"top_k", "temperature"}),
        ("groq", "openai/gpt-oss-20b", {"logprobs", "choices", "top_k"}, {"temperature", "effort"}),
        ("mistral", "mistral-small-2603", {"top_k", "logprobs"}, {"seed", "choices"}),
        ("deepseek", "deepseek-flash", {"json_schema"}, {"json_mode", "logprobs"}),
        ("xai", "grok-4.3", {"stop", "presence_penalty"}, {"effort", "seed"}),
        ("xai", "grok-4-0709", {"stop", "effort", "thinking_budget"}, {"temperature"}),
        ("xai", "grok-4.20-non-reasoning", {"effort"}, {"stop"}),
        ("gemini", "gemini-2.5-flash", {"logprobs", "presence_penalty"}, {"seed", "top_k"}),
        ("gemini", "gemini-2.0-flash", set(), {"logprobs"}),
        ("vertex", "gemini-2.5-flash", set(), {"logprobs"}),
        ("vertex", "gemini-3.8-flash", {"logprobs"}, {"seed"}),
        ("vllm", "gpt-5", set(), {"top_k"}),
    ],
)  # fmt: skip
def test_what_a_model_does_not_take_at_a_provider_is_known(
    provider: str, model: str, lacks: set[str], takes: set[str]
) -> None:
    preset = PRESETS[provider]
    found = preset.lacks_of(preset.dialect, model)
    assert lacks <= found
    assert not takes & found


def test_what_is_lacking_of_one_dialect_is_not_of_another() -> None:
    responses = PRESETS["openai"].lacks_of("openai_responses", "gpt-5-mini")
    assert "temperature" in responses
    assert "document_url" not in responses


def test_what_a_provider_does_not_take_can_be_configured() -> None:
    mine = {"base_url": "http://127.0.0.1:1/v1", "models": ["gpt-4o"], "lacks": ["seed"]}
    (configured,) = built(providers={"mine": mine}).deployments["gpt-4o"]
    (known,) = built().deployments["gpt-4o"]
    assert configured.lacks == {"seed"}
    assert known.lacks == PRESETS["openai"].lacks_of("openai_compatible", "gpt-4o")
    assert failing(providers={"mine": {**mine, "lacks": ["speed"]}}).field == (
        "providers.mine.lacks.0"
    )


def test_clients_are_let_through_to_providers_that_are_there() -> None:
    error = failing(server={"passthrough": ["openai", "opena"]})
    assert (error.field, error.remedy) == (
        "server.passthrough.1",
        "Use one of: openai; or add it under `providers`.",
    )


def test_a_quirk_of_somebody_s_own_dialect_is_left_alone() -> None:
    mine = {"base_url": "http://h", "quirks": ["shouts"], "models": ["gpt-4o"]}
    assert built(providers={"p": mine}).deployments["gpt-4o"][0].quirks == {"shouts"}


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://a.org/page"])
def test_an_origin_that_no_browser_would_send_is_refused(origin: str) -> None:
    assert origin in str(failing(server={"cors_origins": [origin]}))


@pytest.mark.parametrize("origin", ["*", "null", "https://a.org:8080", "chrome-extension://abc"])
def test_an_origin_that_browsers_send_is_taken(origin: str) -> None:
    built(server={"cors_origins": [origin]})
