"""A gateway process before a provider of four dialects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clients.contract import KINDS
from clients.every import CLIENTS
from clients.provider import ROOTS, ScriptedProvider
from gateway import KEY, UPSTREAM_KEY, GatewayProcess, write_config

_ADAPTERS = {
    "openai-chat": "openai_compatible",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
_RECORDED = {
    "recorded-anthropic": ("anthropic", "", "claude-haiku-4-5"),
    "recorded-openai-responses": ("openai_responses", "/v1", "gpt-5"),
    "recorded-gemini": ("gemini", "", "gemini-2.5-pro"),
    "recorded-nova": ("bedrock", "", "us.amazon.nova-micro-v1:0"),
    "recorded-claude": ("bedrock", "", "us.anthropic.claude-3-7-sonnet-20250219-v1:0"),
}
"""Those whose answers are recorded: adapter, path of the base URL, model there."""
_CAPABILITIES = ["tools", "json_schema", "json_mode", "vision", "logprobs"]


@pytest.fixture(scope="session")
def _scripted() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def scripted(_scripted: ScriptedProvider) -> ScriptedProvider:
    """The provider; it was asked nothing yet."""
    _scripted.reset()
    return _scripted


@pytest.fixture(scope="session")
def running(_scripted: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway process that asks the provider in each dialect."""
    folder = tmp_path_factory.mktemp("gateway")
    file = write_config(folder / "tierwise.yaml", _configuration(_scripted.url))
    with GatewayProcess("--config", str(file), cwd=folder) as process:
        yield process.url


def _configuration(url: str) -> dict[str, Any]:
    """Each model under its own name, and under those that clients know."""
    providers: dict[str, Any] = {}
    named: set[str] = set()
    for dialect, adapter in _ADAPTERS.items():
        served = [dialect + kind for kind in KINDS]
        offers = [{"model": name, "upstream": name} for name in served]
        others = [
            (one.names[name], name) for one in CLIENTS for name in served if name in one.names
        ]
        offers += [{"model": other, "upstream": name} for other, name in others]
        named.update(offer["model"] for offer in offers)
        providers[f"at-{dialect}"] = {
            "dialect": adapter,
            "base_url": url + ROOTS[dialect],
            "api_key": UPSTREAM_KEY,
            "models": offers,
        }
    for name, (adapter, root, upstream) in _RECORDED.items():
        named.add(name)
        providers[f"at-{name}"] = {
            "dialect": adapter,
            "base_url": f"{url}/recorded{root}",
            "api_key": UPSTREAM_KEY,
            "models": [{"model": name, "upstream": upstream}],
        }
    facts = {"prices": {"input": 1, "output": 2}, "capabilities": _CAPABILITIES}
    return {
        "providers": providers,
        "models": dict.fromkeys(sorted(named), facts),
        "policies": {
            "auto": {"wait_s": 0},
        },
        "ledger": {"path": ":memory:"},
        "server": {"api_keys": [KEY], "grace_s": 1},
    }
