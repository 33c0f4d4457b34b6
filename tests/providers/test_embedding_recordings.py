"""Recorded embeddings: the request that was accepted is written again, the answer is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from builders import a_deployment
from tierwise.config.presets import PRESETS
from tierwise.errors import OutOfService, UpstreamRejected
from tierwise.providers.embedding import EmbeddingAdapter, load_embedding_adapter
from tierwise.wire.embeddings import EmbeddingsAsked, join, read_request, write_reply

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[2].parent / "shared"))
RECORDINGS = Path(os.environ.get("TIERWISE_RECORDINGS", SHARED / "cassettes"))
ABSENT = f"no recordings at {RECORDINGS}; set TIERWISE_RECORDINGS"


def interactions() -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted((RECORDINGS / "embeddings").glob("*.yaml")):
        recorded = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
        for number, item in enumerate(recorded["interactions"]):
            yield pytest.param(item["request"], item["response"], id=f"{file.stem}-{number}")


RECORDED = list(interactions()) or [
    pytest.param({}, {}, marks=pytest.mark.skip(reason=ABSENT), id="absent")
]


def sent(request: dict[str, Any]) -> dict[str, Any]:
    body = request.get("parsed_body") or json.loads(request["body"])
    return {name: value for name, value in body.items() if value is not None}


def in_our_words(request: dict[str, Any]) -> tuple[EmbeddingAdapter, dict[str, Any]]:
    """Who was asked, and what a client of OpenAI's dialect would have sent to ask the same."""
    uri, body = request["uri"], sent(request)
    if "bedrock-runtime" in uri:
        base, _, rest = uri.partition("/model/")
        return _adapter("bedrock", unquote(rest.removesuffix("/invoke")), base), _of_bedrock(body)
    if "googleapis" in uri:
        base, _, rest = uri.partition("/models/")
        first = body["requests"][0]
        fields = {
            "input": [one["content"]["parts"][0]["text"] for one in body["requests"]],
            "task_type": first.get("taskType"),
            "dimensions": first.get("outputDimensionality"),
        }
        return _adapter("gemini", rest.partition(":")[0], base), fields
    base = uri.removesuffix("/embeddings").removesuffix("/v2/embed")
    fields = {name: value for name, value in body.items() if name not in ("model", "texts")}
    if "cohere" in uri:
        fields.pop("embedding_types")
        return _adapter("cohere", body["model"], base), {**fields, "input": body["texts"]}
    provider = "voyage" if "voyage" in uri else "openai"
    return _adapter("openai_compatible", body["model"], base, provider), fields


def _of_bedrock(body: dict[str, Any]) -> dict[str, Any]:
    if "inputText" in body:
        return {"input": body["inputText"], "normalize": body["normalize"]}
    if "singleEmbeddingParams" in body:
        wanted = body["singleEmbeddingParams"]
        return {
            "input": wanted["text"]["value"],
            "truncate": wanted["text"]["truncationMode"],
            "input_type": wanted["embeddingPurpose"],
            "dimensions": wanted.get("embeddingDimension"),
        }
    return {**{name: body[name] for name in body if name != "texts"}, "input": body["texts"]}


def _adapter(dialect: str, model: str, base: str, provider: str = "") -> EmbeddingAdapter:
    quirks = PRESETS[provider].quirks if provider else frozenset[str]()
    place = a_deployment(
        "embedder", provider or dialect, dialect=dialect, base_url=base, upstream_model=model,
        region="us-east-1", api_key="key", quirks=quirks,
    )  # fmt: skip
    return load_embedding_adapter(dialect)(place)


def asked_of(fields: dict[str, Any]) -> EmbeddingsAsked:
    given = {name: value for name, value in fields.items() if value is not None}
    return read_request(json.dumps({"model": "embedder", **given}).encode())


@pytest.mark.parametrize(("request_", "response"), RECORDED)
def test_a_recorded_request_is_written_and_its_answer_read(
    request_: dict[str, Any], response: dict[str, Any]
) -> None:
    made, fields = in_our_words(request_)
    asked = asked_of(fields)
    (call,) = made.requests(asked)
    assert call.url == request_["uri"]
    assert json.loads(call.body or b"") == sent(request_)

    headers = {name.lower(): values[0] for name, values in response["headers"].items()}
    body = json.dumps(response["parsed_body"]).encode()
    if response["status"]["code"] != 200:
        error = made.error(response["status"]["code"], headers, body)
        assert isinstance(error, OutOfService | UpstreamRejected)
        return
    found = join([made.reply(body, headers, asked)], asked)
    answer = json.loads(write_reply(found, asked, "embedder"))
    assert answer["model"] == "embedder"
    assert [one["embedding"] for one in answer["data"]] == vectors_of(response["parsed_body"])
    counted = tokens_of(response["parsed_body"], headers)
    assert (found.usage.input_tokens if found.usage else None) == counted


def vectors_of(body: dict[str, Any]) -> list[Any]:
    if "data" in body:
        return [one["embedding"] for one in body["data"]]
    found = body.get("embeddings", [body.get("embedding")])
    if isinstance(found, dict):
        found = found["float"]
    return [
        one.get("values") or one["embedding"] if isinstance(one, dict) else one for one in found
    ]


def tokens_of(body: dict[str, Any], headers: dict[str, str]) -> int | None:
    usage = body.get("usage") or body.get("usageMetadata") or {}
    billed = body.get("meta", {}).get("billed_units", {}).get("input_tokens")
    count = usage.get("total_tokens") or usage.get("promptTokenCount") or billed
    return count or int(headers.get("x-amzn-bedrock-input-token-count", 0)) or None
