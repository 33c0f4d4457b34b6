"""`tierwise check` finds what serving would stumble over, before it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import config_for, tierwise, write_config

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
