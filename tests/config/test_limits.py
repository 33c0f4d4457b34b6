"""Limits are written on a provider, a model or a client; a wrong one is told how to be right."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tierwise.config import Setup, build, from_mapping
from tierwise.config.clients import caller_of, client_limits
from tierwise.errors import ConfigError
from tierwise.orchestrator import Orchestrator
from tierwise.state.promises import Crew
from tierwise.types import Limits


def config(provider: dict[str, Any] | None = None, **server: Any) -> Any:
    openai = {"models": ["gpt-4o", "gpt-4o-mini"], **(provider or {})}
    return from_mapping({"providers": {"openai": openai}, "server": server}, {})


def built(provider: dict[str, Any] | None = None, **server: Any) -> Setup:
    return build(config(provider, **server))


def test_without_limits_a_deployment_has_none() -> None:
    assert built().deployments["gpt-4o"][0].limits == Limits()


def test_limits_of_a_provider_are_those_of_each_of_its_models() -> None:
    setup = built({"limits": {"rpm": 500, "tpm": 30_000}})
    for model in ("gpt-4o", "gpt-4o-mini"):
        assert setup.deployments[model][0].limits == Limits(rpm=500, tpm=30_000)


def test_limits_of_a_model_win_one_by_one() -> None:
    served = {"model": "gpt-4o", "limits": {"rpm": 60, "concurrency": 4}}
    setup = built({"limits": {"rpm": 500, "tpm": 30_000}, "models": [served]})
    limits = setup.deployments["gpt-4o"][0].limits
    assert limits == Limits(rpm=60, tpm=30_000, concurrency=4)


def test_what_counts_as_slow_can_be_written() -> None:
    assert built({"timeouts": {"slow": 8}}).deployments["gpt-4o"][0].timeouts.slow == 8


@pytest.mark.parametrize(
    ("provider", "server", "field", "words"),
    [
        ({"limits": {"rpm": -5}}, {}, "providers.openai.limits.rpm", ("greater than 0", "got -5")),
        ({"limits": {"tpm": 0}}, {}, "providers.openai.limits.tpm", ("got 0", "no limit")),
        ({"limits": {"concurrency": 1.5}}, {}, "providers.openai.limits.concurrency", ("1.5",)),
        ({"limits": {"rmp": 5}}, {}, "providers.openai.limits.rmp", ("Did you mean 'rpm'?",)),
        ({"limits": 5}, {}, "providers.openai.limits", ("got 5",)),
        (
            {"models": [{"model": "gpt-4o", "limits": {"rpm": "many"}}]},
            {},
            "providers.openai.models.0.limits.rpm",
            ("'many'", "above 0"),
        ),
        (
            {"models": [{"model": "gpt-4o", "weight": 0}]},
            {},
            "providers.openai.models.0.weight",
            ("got 0", "take the model out"),
        ),
        ({"timeouts": {"slow": 0}}, {}, "providers.openai.timeouts.slow", ("got 0",)),
        ({}, {"limits": {"rpm": 0}}, "server.limits.rpm", ("got 0", "above 0")),
        (
            {},
            {"api_keys": ["k", {"key": "k", "limits": {"rpm": -1}}]},
            "server.api_keys.1.limits.rpm",
            ("got -1", "above 0"),
        ),
        ({}, {"api_keys": [{"name": "acme"}]}, "server.api_keys.0.key", ("missing",)),
        ({}, {"api_keys": [12345]}, "server.api_keys.0", ("valid dictionary.", "in quotes")),
        ({}, {"api_keys": "k"}, "server.api_keys", ("valid list", "a list of keys")),
        (
            {},
            {"api_keys": [{"key": "k", "limit": {}}]},
            "server.api_keys.0.limit",
            ("Did you mean 'limits'?",),
        ),
    ],
)
def test_a_wrong_limit_is_told_its_field_value_and_remedy(
    provider: dict[str, Any], server: dict[str, Any], field: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(provider, **server)
    assert caught.value.field == field
    assert all(word in str(caught.value) for word in words), str(caught.value)


KEYS = [
    "secret-one",
    {"key": "secret-two", "limits": {"rpm": 10}},
    {"key": "secret-three", "name": "acme", "limits": {"tpm": 5}},
    {"key": "secret-four", "priority": "low"},
]


def test_keys_have_their_own_limits_and_else_those_of_all() -> None:
    server = config(api_keys=KEYS, limits={"rpm": 100, "tpm": 1000}).server
    usual, own = client_limits(server)
    assert usual == Limits(rpm=100, tpm=1000)
    assert own == {
        caller_of(server.api_keys[1]): Limits(rpm=10, tpm=1000),
        "acme": Limits(rpm=100, tpm=5),
    }


def test_no_key_is_in_the_name_that_is_recorded_or_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, own = client_limits(config(api_keys=KEYS).server)
    assert not any("secret" in caller for caller in own)
    assert not caplog.records


@pytest.mark.parametrize(
    ("workers", "part"),
    [
        (1, Limits(rpm=600, tpm=30_000, concurrency=7)),
        (2, Limits(rpm=300, tpm=15_000, concurrency=3)),
        (10, Limits(rpm=60, tpm=3_000, concurrency=1)),
    ],
)
def test_each_of_several_workers_has_a_part_and_at_least_one_call_at_a_time(
    workers: int, part: Limits
) -> None:
    limits = {"rpm": 600, "tpm": 30_000, "concurrency": 7}
    written = config(
        {"limits": limits}, limits=limits, api_keys=[{"key": "k", "name": "acme", "limits": limits}]
    )
    assert client_limits(written.server, workers) == (part, {"acme": part})
    built = build(written).share(workers)
    assert {d.limits for d in built.all_deployments()} == {part}


def test_a_worker_keeps_to_its_part_of_the_limits(tmp_path: Path) -> None:
    data = {
        "providers": {"openai": {"models": ["gpt-4o"], "api_key": "k", "limits": {"rpm": 600}}},
        "ledger": {"path": ":memory:"},
    }
    made = Orchestrator.from_config(from_mapping(data, {}), crew=Crew(2, tmp_path))
    try:
        limits = [deployment.limits for deployment in made.setup.all_deployments()]
    finally:
        made.ledger.close()
    assert limits == [Limits(rpm=300)]
