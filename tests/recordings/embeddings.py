"""Checks one recorded call for embeddings: it is asked as it was, and the vectors are read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from builders import a_deployment
from recordings.recorded import Interaction
from recordings.scope import Scope
from tierwise.config.presets import PRESETS
from tierwise.errors import UpstreamError
from tierwise.providers.embedding import EmbeddingAdapter, load_embedding_adapter
from tierwise.wire.embeddings import join, read_request, write_reply

_Json = dict[str, Any]


def embedding_problems(one: Interaction, scope: Scope) -> list[str]:
    """What is wrong with one call; nothing if all is well."""
    body = {name: value for name, value in one.question().items() if value is not None}
    adapter, fields = _in_our_words(one, scope, body)
    given = {name: value for name, value in fields.items() if value is not None}
    asked = read_request(json.dumps({"model": "embedder", **given}).encode())
    problems: list[str] = []
    calls = adapter.requests(asked)
    if len(calls) != 1:
        return [f"it takes {len(calls)} calls"]
    if calls[0].url.partition("?")[0] != one.url.partition("?")[0]:
        problems.append(f"it was asked at {calls[0].url}")
    sent = json.loads(calls[0].body or b"{}")
    if sent != body:
        problems.append(f"asked as {str(sent)[:200]}, not {str(body)[:200]}")
    if one.status != 200:
        error = adapter.error(one.status, one.headers, one.answered)
        if not isinstance(error, UpstreamError) or not error.message:
            problems.append("the error says nothing")
        return problems
    found = join([adapter.reply(one.answered, one.headers, asked)], asked)
    answer = json.loads(write_reply(found, asked, "embedder"))
    recorded = json.loads(one.answered)
    if [each["embedding"] for each in answer["data"]] != _vectors(recorded):
        problems.append("the vectors differ")
    counted = found.usage.input_tokens if found.usage else None
    if counted != _tokens(recorded, one):
        problems.append(f"usage is {counted}, not {_tokens(recorded, one)}")
    return problems


def _in_our_words(one: Interaction, scope: Scope, body: _Json) -> tuple[EmbeddingAdapter, _Json]:
    """Who was asked, and what a client of OpenAI's dialect would have sent to ask the same."""
    url = one.url.partition("?")[0]
    if scope.adapter == "bedrock":
        base, _, rest = url.partition("/model/")
        return _adapter("bedrock", unquote(rest.removesuffix("/invoke")), base), _of_bedrock(body)
    if scope.adapter == "gemini":
        base, _, rest = url.partition("/models/")
        first = body["requests"][0]
        fields = {
            "input": [each["content"]["parts"][0]["text"] for each in body["requests"]],
            "task_type": first.get("taskType"),
            "dimensions": first.get("outputDimensionality"),
        }
        return _adapter("gemini", rest.partition(":")[0], base), fields
    base = url.removesuffix("/embeddings").removesuffix("/v2/embed")
    fields = {name: value for name, value in body.items() if name not in ("model", "texts")}
    if scope.adapter == "cohere":
        fields.pop("embedding_types", None)
        return _adapter("cohere", body["model"], base), {**fields, "input": body["texts"]}
    provider = "voyage" if scope.adapter == "voyage" else "openai"
    return _adapter("openai_compatible", body["model"], base, provider), fields


def _of_bedrock(body: _Json) -> _Json:
    if "inputText" in body:
        rest = {name: value for name, value in body.items() if name != "inputText"}
        return {"input": body["inputText"], **rest}
    if "singleEmbeddingParams" in body:
        wanted = body["singleEmbeddingParams"]
        return {
            "input": wanted["text"]["value"],
            "truncate": wanted["text"].get("truncationMode"),
            "input_type": wanted["embeddingPurpose"],
            "dimensions": wanted.get("embeddingDimension"),
        }
    return {**{name: body[name] for name in body if name != "texts"}, "input": body["texts"]}


def _adapter(dialect: str, model: str, base: str, provider: str = "") -> EmbeddingAdapter:
    place = a_deployment(
        "embedder",
        provider or dialect,
        dialect=dialect,
        base_url=base,
        upstream_model=model,
        region="us-east-1",
        api_key="key",
        quirks=PRESETS[provider].quirks if provider else frozenset[str](),
    )
    return load_embedding_adapter(dialect)(place)


def _vectors(body: _Json) -> list[Any]:
    if "data" in body:
        return [one["embedding"] for one in body["data"]]
    found = body.get("embeddings", [body.get("embedding")])
    if isinstance(found, dict):
        found = found["float"]
    return [
        one.get("values") or one["embedding"] if isinstance(one, dict) else one for one in found
    ]


def _tokens(body: _Json, one: Interaction) -> int | None:
    usage = body.get("usage") or body.get("usageMetadata") or {}
    billed = body.get("meta", {}).get("billed_units", {}).get("input_tokens")
    count = usage.get("total_tokens") or usage.get("promptTokenCount") or billed
    return count or int(one.headers.get("x-amzn-bedrock-input-token-count", 0)) or None
