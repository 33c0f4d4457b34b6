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
