"""Recorded chat completions of real providers; none where the recordings are absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[1].parent / "shared"))
RECORDINGS = SHARED / "cassettes"
PROVIDERS = ("openai", "groq", "mistral", "deepseek", "openrouter", "xai")
ABSENT = f"no recordings at {RECORDINGS}; set TIERWISE_SHARED"


def interactions() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Provider, name, request and response of each recorded chat completion."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for provider in PROVIDERS:
        for file in sorted((RECORDINGS / provider).glob("*.yaml")):
            recorded = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
            for number, item in enumerate(recorded["interactions"]):
                if "chat/completions" in item.get("request", {}).get("uri", ""):
                    name = f"{provider}-{file.stem}-{number}"
                    yield provider, name, item["request"]["parsed_body"], item["response"]


def kind_of(response: dict[str, Any]) -> str:
    """Whether it is an `error`, a `stream`, a `whole` answer or something `other`."""
    if response["status"]["code"] != 200:
        return "error"
    kind = response["headers"].get("content-type", [""])[0]
    return "stream" if "event-stream" in kind else "whole" if "json" in kind else "other"


def recorded(*kinds: str) -> list[Any]:
    """Parameters of a test: provider, request and response of those of these kinds."""
    found = [
        pytest.param(provider, request, response, id=name)
        for provider, name, request, response in interactions()
        if kind_of(response) in kinds
    ]
    return found or [pytest.param("", {}, {}, marks=pytest.mark.skip(reason=ABSENT), id="absent")]
