"""However a value is written in a LiteLLM configuration, it is taken over or named."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.catalog import Catalog
from tierwise.config.migration.litellm import Migrated, migrate
from tierwise.errors import ConfigError

CATALOG = Catalog.builtin()


def taken_over(params: dict[str, Any], **sections: Any) -> Migrated:
    written = {"model": "openai/gpt-4o", **params}
    entry = {"model_name": "gpt-4o", "litellm_params": written, "model_info": {}}
    return migrate({"model_list": [entry], **sections}, CATALOG)


def model_of(made: Migrated) -> Any:
    ((model,),) = (provider["models"] for provider in made.data["providers"].values())
    return model


def said(made: Migrated) -> str:
    return " ".join(made.notes)


@pytest.mark.parametrize(
    ("theirs", "ours"), [(100, 100), ("100", 100), ("1e3", 1000), ("os.environ/RPM", "${RPM}")]
)
def test_a_limit_may_be_a_number_or_its_text_or_a_variable(theirs: object, ours: object) -> None:
    made = taken_over({"rpm": theirs, "weight": "2"})
    assert model_of(made) == {"model": "gpt-4o", "limits": {"rpm": ours}, "weight": 2}
    assert not made.notes


@pytest.mark.parametrize("theirs", ["many", True, 0, "-1", ".inf"])
def test_a_limit_that_is_none_is_named(theirs: object) -> None:
    made = taken_over({"rpm": theirs})
    assert model_of(made) == "gpt-4o"
    assert "`litellm_params.rpm` of gpt-4o was left out" in said(made)


def test_a_price_may_be_text_as_yaml_takes_1e_6_for() -> None:
    made = taken_over({"input_cost_per_token": "1e-6", "output_cost_per_token": "4e-6"})
    assert made.data["models"]["gpt-4o"]["prices"] == {"input": 1, "output": 4}
    named = taken_over({"input_cost_per_token": "os.environ/PRICE", "output_cost_per_token": 0})
    assert "`litellm_params.input_cost_per_token` of gpt-4o was left out" in said(named)


def test_a_setting_of_zero_is_named() -> None:
    made = taken_over({"temperature": 0, "max_retries": 0}, litellm_settings={"max_budget": 0.0})
    for word in ("`litellm_params.temperature`", "`litellm_params.max_retries`", "`max_budget`"):
        assert word in said(made)


def test_certificates_that_are_not_looked_at_are_named() -> None:
    made = taken_over({"ssl_verify": False}, litellm_settings={"ssl_verify": False})
    assert "`litellm_params.ssl_verify` of gpt-4o" in said(made)
    assert "`ssl_verify` was left out: certificates" in said(made)


@pytest.mark.parametrize(
    ("theirs", "ours"), [(600, 600.0), ("600", 600.0), ("os.environ/T", "${T}")]
)
def test_a_time_limit_may_be_text(theirs: object, ours: object) -> None:
    made = taken_over({}, litellm_settings={"request_timeout": theirs})
    assert made.data["timeouts"] == {"total": ours}


def test_a_time_limit_that_is_none_is_named() -> None:
    made = taken_over({}, router_settings={"timeout": "soon"})
    assert "timeouts" not in made.data
    assert "`router_settings.timeout` is no number" in said(made)


@pytest.mark.parametrize(("word", "on"), [("true", True), ("True", True), ("false", False)])
def test_a_switch_may_be_text(word: str, on: bool) -> None:
    params = {"type": "redis", "host": "redis", "ssl": word, "ttl": "60"}
    settings = {"cache": word, "drop_params": word, "cache_params": params}
    made = taken_over({}, litellm_settings=settings)
    assert ("policies" in made.data) is on
    assert made.data.get("cache") == ({"mode": "exact", "ttl_s": 60} if on else None)
    assert made.data.get("state") == ({"url": "rediss://redis:6379/0"} if on else None)


def test_credentials_that_are_named_are_those_of_the_list() -> None:
    values = {"api_key": "os.environ/MINE", "api_base": "https://mine.example/v1"}
    listed = [{"credential_name": "mine", "credential_values": values}]
    made = taken_over({"litellm_credential_name": "mine"}, credential_list=listed)
    (provider,) = made.data["providers"].values()
    assert (provider["api_key"], provider["base_url"]) == ("${MINE}", "https://mine.example/v1")
    assert not made.notes
    unknown = taken_over({"litellm_credential_name": "yours"}, credential_list=listed)
    assert "`litellm_params.litellm_credential_name` of gpt-4o was left out" in said(unknown)


def test_fallbacks_may_be_one_mapping_and_an_alias_of_nobody_is_named() -> None:
    router = {"model_group_alias": {"mine": "nothing"}}
    made = taken_over(
        {}, litellm_settings={"fallbacks": {"gpt-4o": ["nobody"]}}, router_settings=router
    )
    assert "the fallback 'nobody' is no model_name" in said(made)
    assert "the alias 'mine' is of no model_name" in said(made)


def test_a_deployment_without_a_name_is_left_out() -> None:
    nameless = {"model_name": None, "litellm_params": {"model": "openai/gpt-4o"}}
    named = {"model_name": "gpt-4o", "litellm_params": {"model": "openai/gpt-4o"}}
    made = migrate({"model_list": [nameless, named]}, CATALOG)
    assert "policies" not in made.data
    assert "model_list[0] names no model" in said(made)


def test_models_in_other_files_are_asked_for() -> None:
    with pytest.raises(ConfigError, match="include: its models are in other files"):
        migrate({"include": ["models.yaml"], "general_settings": {}}, CATALOG)
