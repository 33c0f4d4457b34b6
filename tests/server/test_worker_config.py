"""Several workers are given the configuration as it was read."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.config import Config, from_mapping
from tierwise.server.run import dump

OPENAI = {"api_key": "k", "models": ["gpt-4o"]}
VECTORS = {"preset": "openai", "embeddings": ["text-embedding-3-small"]}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"providers": {"openai": OPENAI, "vectors": VECTORS}},
        {"policies": {"mine": {"quality": 0.5}}},
        {"guardrails": {"data": {"kind": "pii"}, "size": {"kind": "ceilings", "max_chars": 9}}},
        {"server": {"api_keys": ["one", {"key": "${two", "only": ["metrics"]}]}},
    ],
)
def test_a_worker_reads_what_was_written(sections: dict[str, Any]) -> None:
    config = Config.model_validate({"providers": {"openai": OPENAI}, **sections})
    again = Config.model_validate_json(dump(config))
    assert again.model_dump() == config.model_dump()


def test_what_the_command_line_says_reaches_the_worker() -> None:
    config = from_mapping({"providers": {"openai": OPENAI}}, {})
    server = config.server.model_copy(update={"port": 4711})
    again = Config.model_validate_json(dump(config.model_copy(update={"server": server})))
    assert again.server.port == 4711
