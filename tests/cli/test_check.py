"""`tierwise check` finds what serving would stumble over, before it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway import config_for, tierwise, write_config
from tierwise.cli.check import _validated
from tierwise.config import from_mapping
from tierwise.errors import ConfigError

pytestmark = pytest.mark.process
URL = "http://127.0.0.1:1"


def checked(folder: Path, *words: str, **sections: Any) -> Any:
    write_config(folder / "tierwise.yaml", config_for(URL, **sections))
    return tierwise("check", *words, cwd=folder)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"server": {"tls": {"certificate": "/no.crt", "key": "/no.key"}}},
            "server.tls.certificate: /no.crt and /no.key cannot be used",
        ),
        (
            {"state": {"url": "rediss://127.0.0.1:1/0", "ca_file": "/no.pem"}},
            "state.ca_file: there is no file /no.pem",
        ),
    ],
)
def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, sections: dict[str, Any], words: str
) -> None:
    done = checked(tmp_path, **sections)
    assert done.returncode == 2
    assert words in done.stderr


def test_models_that_give_vectors_are_shown_too(tmp_path: Path) -> None:
    data = config_for(URL)
    data["providers"]["vectors"] = {
        "preset": "openai_compatible",
        "base_url": URL,
        "embeddings": ["v"],
    }
    data["models"]["v"] = {"prices": {"input": 0.02, "output": 0}}
    write_config(tmp_path / "tierwise.yaml", data)
    assert "vectors/v" in tierwise("check", cwd=tmp_path).stdout
    told = json.loads(tierwise("check", "--json", cwd=tmp_path).stdout)
    assert told["embeddings"] == ["vectors/v"]
    assert "vectors/v" not in told["deployments"]


def test_what_keys_are_good_for_is_shown(tmp_path: Path) -> None:
    keys = ["k-1", {"key": "k-2", "name": "prometheus", "only": ["metrics"]}]
    server = {"api_keys": keys}
    lines = checked(tmp_path, server=server).stdout.splitlines()
    assert [line for line in lines if line.startswith("key ")] == [
        "key prometheus: good for metrics only"
    ]
    done = checked(tmp_path, "--json", server=server)
    first, second = json.loads(done.stdout)["keys"]
    assert second == {"name": "prometheus", "admin": False, "only": ["metrics"]}
    assert first["only"] is None
    assert "k-1" not in done.stdout


@pytest.mark.parametrize(
    ("package", "provider", "extra"),
    [
        ("botocore", {"preset": "bedrock", "region": "us-east-1"}, "bedrock"),
        ("google.auth", {"preset": "vertex", "project": "my-project"}, "vertex"),
        ("azure", {"preset": "azure", "base_url": "https://x.openai.azure.com"}, "azure"),
    ],
)
def test_a_package_that_a_provider_needs_is_missed_before_the_first_request(
    package: str, provider: dict[str, Any], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = from_mapping({"providers": {"far": {**provider, "models": ["gpt-4o"]}}}, {})
    _validated(config)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"providers\.far.*pip install .tierwise\[{extra}\]"):
        _validated(config)


def test_every_provider_that_cannot_be_asked_is_told_at_its_field() -> None:
    providers = {
        "odd": {"base_url": URL, "dialect": "nope", "models": ["gpt-4o"]},
        "claude": {"preset": "anthropic", "embeddings": ["v"]},
    }
    models = {"v": {"prices": {"input": 0.02, "output": 0}}}
    with pytest.raises(ConfigError) as caught:
        _validated(from_mapping({"providers": providers, "models": models}, {}))
    odd, claude = str(caught.value).splitlines()
    assert odd.startswith("providers.odd.dialect: unknown provider dialect 'nope'")
    assert claude.startswith("providers.claude.embeddings: embeddings cannot be asked for")
