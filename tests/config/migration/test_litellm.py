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
