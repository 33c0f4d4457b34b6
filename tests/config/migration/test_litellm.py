"""A LiteLLM proxy's configuration taken over: what clients send goes on working."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import tierwise
from tierwise.catalog import Catalog
from tierwise.config import build, from_mapping
from tierwise.config.build import Setup
from tierwise.config.migration.litellm import Migrated, migrate
from tierwise.errors import ConfigError

CATALOG = Catalog.builtin()


def entry(name: str, model: str, info: dict[str, Any] | None = None, **params: Any) -> Any:
    return {
        "model_name": name,
        "litellm_params": {"model": model, **params},
        "model_info": info or {},
    }


def taken_over(*entries: Any, **sections: Any) -> Migrated:
    return migrate({"model_list": list(entries), **sections}, CATALOG)


def served(made: Migrated) -> Setup:
    """What the new configuration builds, with every variable that it refers to set."""
    named = set(re.findall(r"\$\{(\w+)\}", yaml.safe_dump(made.data)))
    return build(from_mapping(made.data, {name: f"value-of-{name}" for name in named}))


def said(made: Migrated) -> str:
    return " ".join(made.notes)


def test_deployments_of_one_model_become_its_places() -> None:
    made = taken_over(
        entry(
            "gpt-4o",
            "azure/gpt-4o-eu",
            {"base_model": "azure/gpt-4o"},
            api_base="https://eu.openai.azure.com",
            api_version="2024-10-21",
            api_key="os.environ/AZURE_KEY",
            rpm=6,
        ),
        entry("gpt-4o", "openai/gpt-4o", api_key="os.environ/OPENAI_API_KEY", weight=2),
    )
    places = served(made).deployments["gpt-4o"]
    assert [(d.provider, d.upstream_model) for d in places] == [
        ("azure", "gpt-4o-eu"),
        ("openai", "gpt-4o"),
    ]
    assert places[0].base_url == "https://eu.openai.azure.com?api-version=2024-10-21"
    assert places[0].limits.rpm == 6
    assert places[1].weight == 2
    assert "policies" not in made.data
    assert not made.notes


def test_a_name_of_one_s_own_becomes_a_policy_that_means_the_model() -> None:
    made = taken_over(entry("claude", "anthropic/claude-haiku-4-5", api_key="os.environ/A"))
    policy = served(made).policies["claude"]
    assert [tier.model for tier in policy.tiers] == ["claude-haiku-4-5"]


def test_an_alias_of_a_group_works_and_falls_back_as_the_group_does() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        entry("claude", "anthropic/claude-haiku-4-5"),
        router_settings={
            "model_group_alias": {"gpt-4": "gpt-4o"},
            "fallbacks": [{"gpt-4o": ["claude"]}],
        },
    )
    policy = served(made).policies["gpt-4"]
    assert [tier.model for tier in policy.tiers] == ["gpt-4o"]
    assert list(policy.fallbacks) == ["claude-haiku-4-5"]
    assert "gpt-4o-or-others" in served(made).policies
    assert "gpt-4o-or-others" in said(made)


def test_different_models_behind_one_name_stand_in_for_each_other() -> None:
    made = taken_over(
        entry("fast", "groq/llama-3.1-8b-instant"), entry("fast", "openai/gpt-4o-mini")
    )
    policy = served(made).policies["fast"]
    assert [tier.model for tier in policy.tiers] == ["llama-3.1-8b"]
    assert list(policy.fallbacks) == ["gpt-4o-mini"]
    assert "several models stood behind this name" in said(made)


@pytest.mark.parametrize("field", ["api_key", "aws_secret_access_key", "Authorization"])
def test_a_secret_in_the_file_is_not_taken_over(field: str) -> None:
    secret = "sk-very-secret"
    if field == "Authorization":
        one = entry("m", "openai/gpt-4o", extra_headers={field: secret})
    elif field == "api_key":
        one = entry("m", "openai/gpt-4o", api_key=secret)
    else:
        one = entry("m", "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
                    aws_access_key_id="os.environ/ID", aws_secret_access_key=secret,
                    aws_region_name="us-east-1")  # fmt: skip
    made = taken_over(one, general_settings={"master_key": "sk-master"})
    assert secret not in repr(made)
    assert "sk-master" not in repr(made)
    assert "was not taken over: set" in said(made)
    assert served(made)


def test_two_keys_of_one_provider_stay_two_accounts() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o", api_key="sk-one"),
        entry("gpt-4o", "openai/gpt-4o", api_key="sk-two"),
    )
    keys = [section["api_key"] for section in made.data["providers"].values()]
    assert keys == ["${OPENAI_API_KEY}", "${OPENAI_API_KEY_2}"]
    assert len(served(made).deployments["gpt-4o"]) == 2


def test_prices_of_a_model_of_one_s_own_are_per_million_tokens() -> None:
    made = taken_over(
        entry(
            "own",
            "openai/my-model",
            {"input_cost_per_token": 2e-7, "output_cost_per_token": 6e-7, "max_input_tokens": 8000},
            api_base="http://10.0.0.5:8000/v1",
        )
    )
    model = served(made).models["own"]
    assert (model.prices.input, model.prices.output) == (0.2, 0.6)
    assert model.context_window == 8000
    assert served(made).deployments["own"][0].upstream_model == "my-model"


def test_a_model_on_hardware_of_one_s_own_needs_no_price() -> None:
    made = taken_over(
        entry("own", "hosted_vllm/facebook/opt-125m", api_base="http://h:1/v1", api_key="none")
    )
    assert served(made).deployments["own"][0].upstream_model == "facebook/opt-125m"
    assert not made.notes


def test_the_master_key_may_operate_the_gateway() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"), general_settings={"master_key": "os.environ/MASTER"}
    )
    (key,) = from_mapping(made.data, {"MASTER": "m", "OPENAI_API_KEY": "o"}).server.api_keys
    assert (key.name, key.admin) == ("master", True)  # type: ignore[union-attr]


def test_parameters_may_be_dropped_where_they_might_before() -> None:
    made = taken_over(entry("gpt-4o", "openai/gpt-4o"), litellm_settings={"drop_params": True})
    assert all(policy.drop_unsupported for policy in served(made).policies.values())


@pytest.mark.parametrize(
    "one",
    [
        entry("vectors", "openai/text-embedding-3-small"),
        entry("vectors", "openai/v", {"mode": "embedding"}),
        entry("vectors", "voyage/voyage-4"),
    ],
)
def test_models_for_embeddings_are_served_as_such(one: Any) -> None:
    made = taken_over(one)
    (section,) = made.data["providers"].values()
    assert "models" not in section
    assert len(section["embeddings"]) == 1


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (entry("openai/*", "openai/*"), "no wildcards"),
        (entry("rep", "replicate/meta/llama"), "provider is not known"),
        (entry("draw", "dall-e-3", {"mode": "image_generation"}), "passed through"),
        (entry("own", "openai/x", api_base="http://h/v1"), "prices are not known"),
        ({"model_name": "empty"}, "names no model"),
        ("nonsense", "names no model"),
    ],
)
def test_what_has_no_place_here_is_said(one: Any, word: str) -> None:
    assert word in said(taken_over(one, entry("gpt-4o", "openai/gpt-4o")))


def test_settings_that_have_no_place_are_named() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        router_settings={"routing_strategy": "least-busy"},
        litellm_settings={"num_retries": 3, "success_callback": ["x"]},
        environment_variables={"A": "b"},
    )
    for name in ("routing_strategy", "num_retries", "success_callback", "environment_variables"):
        assert f"`{name}`" in said(made)


def test_what_is_said_has_the_order_of_the_file() -> None:
    settings = ["set_verbose", "json_logs", "num_retries", "stream_timeout", "max_budget", "other"]
    nobody = ["first", "second", "third", "fourth", "fifth"]
    notes = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        litellm_settings=dict.fromkeys(settings, 1),
        router_settings={"fallbacks": [{name: ["gpt-4o"]} for name in nobody]},
    ).notes
    for words in ([f"`{name}`" for name in settings], [f"{name!r}" for name in nobody]):
        found = [word for note in notes for word in words if word in note]
        assert found == words


def test_what_a_deployment_says_and_has_no_place_is_named_without_its_value() -> None:
    made = taken_over(
        entry(
            "gpt-4o",
            "openai/gpt-4o",
            {"access_groups": ["beta"], "id": "one"},
            timeout=20,
            temperature=0.25,
            client_secret="very-secret",
            stream=False,
        ),
        entry("other", "openai/gpt-4o-mini", timeout=30),
    )
    assert "`litellm_params.timeout` of gpt-4o, other was left out: `timeouts.total`" in said(made)
    assert "`model_info.access_groups` of gpt-4o was left out" in said(made)
    assert "`litellm_params.temperature`" in said(made)
    assert "AZURE_CLIENT_SECRET" in said(made)
    assert "very-secret" not in repr(made)
    assert "`model_info.id`" not in said(made)
    assert "`litellm_params.stream`" not in said(made)


def test_a_price_of_one_s_own_counts_for_a_model_that_is_known_too() -> None:
    price = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}
    cached = {"cache_read_input_token_cost": 5e-7}
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o", **price, **cached),
        entry("gpt-4o", "azure/mine", {"base_model": "azure/gpt-4o"}, api_base="https://a"),
    )
    prices = served(made).models["gpt-4o"].prices
    assert (prices.input, prices.output, prices.cached_input) == (2.0, 8.0, 0.5)
    assert "prices count for all places" in said(made)


def test_different_prices_of_one_model_are_told() -> None:
    made = taken_over(
        entry("a", "openai/gpt-4o", input_cost_per_token=1e-6, output_cost_per_token=2e-6),
        entry("b", "openai/gpt-4o", input_cost_per_token=3e-6, output_cost_per_token=4e-6),
    )
    assert served(made).models["gpt-4o"].prices.input == 1.0
    assert "gpt-4o: its places have different prices" in said(made)


def test_what_a_model_of_one_s_own_can_do_is_taken_over() -> None:
    made = taken_over(
        entry(
            "own",
            "hosted_vllm/x",
            {
                "supports_vision": True,
                "supports_function_calling": False,
                "max_output_tokens": 512,
            },
            api_base="http://h:1/v1",
        )
    )
    model = served(made).models["own"]
    assert model.capabilities == {"json_mode", "vision"}
    assert model.max_output_tokens == 512


@pytest.mark.parametrize(
    "settings",
    [
        {"router_settings": {"fallbacks": [{"*": ["claude"]}]}},
        {"litellm_settings": {"default_fallbacks": ["claude"]}},
    ],
)
def test_fallbacks_of_everybody_stand_behind_those_who_have_none(settings: Any) -> None:
    settings.setdefault("router_settings", {}).setdefault("fallbacks", []).append({"mini": ["gpt"]})
    made = taken_over(
        entry("gpt", "openai/gpt-4o"),
        entry("mini", "openai/gpt-4o-mini"),
        entry("claude", "anthropic/claude-haiku-4-5"),
        **settings,
    )
    policies = served(made).policies
    assert list(policies["gpt"].fallbacks) == ["claude-haiku-4-5"]
    assert list(policies["mini"].fallbacks) == ["gpt-4o"]
    assert not policies["claude"].fallbacks


def test_fallbacks_of_nobody_are_told() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"), router_settings={"fallbacks": [{"nobody": ["gpt-4o"]}]}
    )
    assert "the fallbacks of 'nobody'" in said(made)


def test_a_name_goes_to_no_place_that_stood_behind_another_one() -> None:
    made = taken_over(
        entry(
            "eu", "azure/gpt", {"base_model": "azure/gpt-4o"}, api_base="https://eu", api_key="k"
        ),
        entry("us", "openai/gpt-4o", api_key="k"),
        entry("claude", "anthropic/claude-haiku-4-5"),
        router_settings={"fallbacks": [{"eu": ["claude"]}]},
    )
    policies = served(made).policies
    assert policies["eu"].allow == ("azure", "anthropic")
    assert policies["us"].allow == ("openai",)
    assert not policies["claude"].allow


def test_a_model_s_own_name_that_goes_to_more_places_than_before_is_told() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o", api_key="os.environ/A"),
        entry(
            "eu", "azure/gpt", {"base_model": "azure/gpt-4o"}, api_base="https://eu", api_key="k"
        ),
    )
    assert "gpt-4o: is served by azure too" in said(made)


def test_cache_and_redis_are_taken_over_without_their_password() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        litellm_settings={
            "cache": True,
            "cache_params": {"type": "redis", "ttl": 600, "namespace": "n"},
        },
        router_settings={"redis_host": "cache.internal", "redis_password": "very-secret"},
    )
    config = from_mapping(made.data, {"OPENAI_API_KEY": "o", "REDIS_PASSWORD": "p"})
    assert (config.cache.mode, config.cache.ttl_s) == ("exact", 600)
    assert config.state.url is not None
    assert config.state.url.get_secret_value() == "redis://cache.internal:6379/0"
    assert "very-secret" not in repr(made)
    assert "of `cache_params` namespace was left out" in said(made)


def test_the_redis_of_the_cache_is_taken_where_the_router_has_none() -> None:
    params = {"type": "redis", "host": "one", "port": 7000, "password": "very-secret"}
    library = {"cache": True, "cache_params": params}
    made = taken_over(entry("gpt-4o", "openai/gpt-4o"), litellm_settings=library)
    assert made.data["state"] == {"url": "redis://one:7000/0", "password": "${REDIS_PASSWORD}"}
    assert "very-secret" not in repr(made)
    router = {"redis_host": "two"}
    both = taken_over(
        entry("gpt-4o", "openai/gpt-4o"), litellm_settings=library, router_settings=router
    )
    assert both.data["state"]["url"] == "redis://two:6379/0"
    assert "that of `cache_params` is left" in said(both)


@pytest.mark.parametrize("url", ["redis://:very-secret@h:1/0", "os.environ/REDIS"])
def test_a_url_of_redis_is_a_secret(url: str) -> None:
    made = taken_over(entry("gpt-4o", "openai/gpt-4o"), router_settings={"redis_url": url})
    assert re.fullmatch(r"\$\{REDIS(_URL)?\}", made.data["state"]["url"])
    assert "very-secret" not in repr(made)


def test_a_cache_by_likeness_is_told_and_not_guessed() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        litellm_settings={"cache": True, "cache_params": {"type": "redis-semantic"}},
    )
    assert made.data["cache"] == {"mode": "exact"}
    assert "tierwise likeness" in said(made)


def test_of_two_time_limits_the_one_that_is_left_out_is_told() -> None:
    made = taken_over(
        entry("gpt-4o", "openai/gpt-4o"),
        litellm_settings={"request_timeout": 600},
        router_settings={"timeout": 300},
    )
    assert made.data["timeouts"] == {"total": 600.0}
    assert "`router_settings.timeout` was left out" in said(made)


def test_a_profile_of_aws_is_taken_over() -> None:
    made = taken_over(
        entry(
            "c",
            "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
            aws_region_name="us-east-1",
            aws_profile_name="prod",
        )
    )
    assert made.data["providers"]["bedrock"]["aws"] == {"profile": "prod"}


@pytest.mark.parametrize("source", [None, [], {"model_list": 5}, "text", {"model_list": []}])
def test_what_is_no_such_configuration_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="model"):
        migrate(source, CATALOG)


@pytest.mark.process
def test_the_command_writes_a_file_that_check_finds_good(tmp_path: Path) -> None:
    source = tmp_path / "config.yaml"
    source.write_text(
        yaml.safe_dump(
            {
                "model_list": [entry("gpt-4o", "openai/gpt-4o", api_key="sk-one")],
                "general_settings": {"master_key": "os.environ/MASTER"},
            }
        )
    )
    done = tierwise("init", "--from-litellm", str(source), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "set OPENAI_API_KEY to it" in " ".join(done.stdout.split())
    assert "sk-one" not in (tmp_path / "tierwise.yaml").read_text()
    checked = tierwise("check", cwd=tmp_path, OPENAI_API_KEY="o", MASTER="m")
    assert checked.returncode == 0, checked.stderr
    again = tierwise("init", "--from-litellm", str(source), cwd=tmp_path)
    assert "--force" in again.stderr


@pytest.mark.process
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: [")
    for name in ("config.yaml", "missing.yaml"):
        done = tierwise("init", "--from-litellm", name, cwd=tmp_path)
        assert done.returncode != 0
        assert name in done.stderr
        assert "Traceback" not in done.stderr
