"""Recorded traffic of the Gemini API and of Vertex AI, and what it means."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tierwise.wire import sse
from tierwise.wire.gemini.fields import camel
from tierwise.wire.gemini.schema import json_schema

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[1].parent / "shared"))
RECORDINGS = SHARED / "cassettes"
ABSENT = f"no recordings at {RECORDINGS}; set TIERWISE_SHARED"
_AS_THEY_ARE = {"args", "response", "responseJsonSchema", "parametersJsonSchema"}


class Recorded(NamedTuple):
    """One exchange. `body` is the answer as it came."""

    uri: str
    request: dict[str, Any] | None
    status: int
    body: bytes

    @property
    def streams(self) -> bool:
        return ":streamGenerateContent" in self.uri

    @property
    def model(self) -> str:
        return self.uri.partition("/models/")[2].partition(":")[0]

    def answers(self) -> list[Any]:
        """The answer's objects: one, or those of the events."""
        if not self.streams:
            return [json.loads(self.body)]
        return [json.loads(sse.payload(event) or b"") for event in sse.events(self.body)]


def interactions() -> Iterator[tuple[str, Recorded]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        text = file.read_text(encoding="utf-8")
        if "enerateContent" not in text:
            continue
        found = yaml.load(text, Loader=loader)  # noqa: S506
        for number, item in enumerate(found["interactions"]):
            request, response = item.get("request", {}), item.get("response", {})
            if "enerateContent" not in request.get("uri", ""):
                continue
            parsed = response.get("parsed_body")
            said = json.dumps(parsed) if parsed is not None else response["body"]["string"]
            asked = request.get("parsed_body")
            if asked is None and request.get("body"):
                asked = json.loads(request["body"])
            recorded = Recorded(request["uri"], asked, response["status"]["code"], said.encode())
            yield f"{file.stem}-{number}", recorded


def recorded(*, streams: bool | None = None) -> list[Any]:
    """The exchanges as parameters of a test."""
    found = [
        pytest.param(one, id=name)
        for name, one in interactions()
        if streams is None or one.streams is streams
    ]
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")]


def meaning(body: Any) -> Any:
    """A request without what says nothing: names in camelCase, schemas as JSON Schema."""
    out = _camel(body)
    out.get("systemInstruction", {}).pop("role", None)
    config = out.get("generationConfig", {})
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    if "responseSchema" in config:
        config["responseJsonSchema"] = json_schema(config.pop("responseSchema"))
    if not config:
        out.pop("generationConfig", None)
    for tool in out.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            if "parameters" in function:
                function["parametersJsonSchema"] = json_schema(function.pop("parameters"))
    return out


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {camel(name): held for name, held in value.items()}
    return {name: held if name in _AS_THEY_ARE else _camel(held) for name, held in named.items()}
