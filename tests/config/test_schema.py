"""The JSON Schema for editors takes what is read, and complains about the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tierwise.config.schema import json_schema

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema_rs.validator_for(json_schema())
SOME: dict[str, Any] = {"providers": {"some": {"models": ["m"]}}}


def written() -> list[Any]:
    """Every configuration of the documentation and of deploy/, with its file."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = [
        pytest.param(code, id=f"{page.name}-{number}")
        for page in pages
        for number, code in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
        )
    ]
    deployed = sorted((ROOT / "deploy").glob("tierwise*.yaml"))
    return found + [pytest.param(file.read_text("utf-8"), id=file.name) for file in deployed]


@pytest.mark.parametrize("text", written())
def test_an_editor_has_nothing_against_what_is_shown(text: str) -> None:
    VALIDATOR.validate({**SOME, **yaml.safe_load(text)})


@pytest.mark.parametrize(
    "section",
    [
        {"server": {"port": "${PORT}", "access_log": "${LOG}", "log_format": "${FORMAT:-json}"}},
        {"server": {"api_keys": [{"key": "${file:key}", "limits": {"rpm": "${RPM}"}}]}},
        {"dashboard": {"session_secret": "${S}"}},
        {"telemetry": {"otlp_endpoint": "${COLLECTOR}", "sample": "${SHARE}"}},
        {"cache": {"mode": False}},
    ],
)
def test_a_reference_may_stand_where_a_value_may(section: dict[str, Any]) -> None:
    VALIDATOR.validate({**SOME, **section})


@pytest.mark.parametrize(
    "section",
    [
        {"server": {"port": "many"}},
        {"server": {"port": 70_000}},
        {"server": {"log_format": "xml"}},
        {"dashboard": {"session_secret": "short"}},
        {"telemetry": {"otlp_endpoint": "collector"}},
        {"cache": {"mode": True}},
        {"policies": {"mine": {"qualty": 0.9}}},
        {"providers": "${PROVIDERS}"},
    ],
)
def test_what_is_wrong_is_underlined(section: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**SOME, **section})
