"""Each provider is asked for embeddings in its own words, and its answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from builders import a_deployment
from tierwise.config.presets import PRESETS
from tierwise.errors import ConfigError, OutOfService, ServerFailed, Unsatisfiable
from tierwise.providers.embedding import EMBEDDING, EmbeddingAdapter, load_embedding_adapter
from tierwise.types import Usage
from tierwise.wire.embeddings import EmbeddingsAsked, read_request

KINDS = ("openai_compatible", "gemini", "cohere", "bedrock")
"""The dialects of the different modules that embed."""


def adapter(dialect: str, upstream: str, provider: str = "", **fields: Any) -> EmbeddingAdapter:
    preset = PRESETS.get(provider or dialect)
    defaults = {
        "base_url": "http://there/v1",
        "quirks": preset.quirks if preset is not None else frozenset(),
        "api_key": "a-key-of-ours",
        "region": "us-east-1",
    }
    place = a_deployment(
        "embedder", provider or dialect, dialect=dialect, upstream_model=upstream,
        **{**defaults, **fields},
    )  # fmt: skip
    return load_embedding_adapter(dialect)(place)


def asked(**fields: Any) -> EmbeddingsAsked:
    body = {"model": "embedder", "input": ["a text", "another"], **fields}
    return read_request(json.dumps(body).encode())


def bodies(made: EmbeddingAdapter, wanted: EmbeddingsAsked) -> list[Any]:
    return [json.loads(call.body or b"") for call in made.requests(wanted)]


def test_every_dialect_that_embeds_can_be_loaded() -> None:
    for dialect in EMBEDDING:
        assert load_embedding_adapter(dialect)
    with pytest.raises(ConfigError, match="'anthropic'"):
        load_embedding_adapter("anthropic")


def test_openai_gets_the_callers_bytes_with_its_own_name_of_the_model() -> None:
    (call,) = adapter("openai_compatible", "text-embedding-3-small").requests(asked(newer=[1.50]))
    assert call.url == "http://there/v1/embeddings"
    assert call.headers["authorization"] == "Bearer a-key-of-ours"
    assert b'"newer":[1.5]' in (call.body or b"")
    assert json.loads(call.body or b"")["model"] == "text-embedding-3-small"
    assert call.authorise is None
    untouched = asked()
    (call,) = adapter("openai_compatible", "embedder").requests(untouched)
    assert call.body is untouched.body


@pytest.mark.parametrize("provider", ["mistral", "voyage"])
def test_some_have_another_name_for_dimensions_and_know_no_user(provider: str) -> None:
    made = adapter("openai_compatible", "embedder", provider)
    (body,) = bodies(made, asked(dimensions=8, user="u", encoding_format="float", truncation=True))
    assert body == {
        "model": "embedder",
        "input": ["a text", "another"],
        "output_dimension": 8,
        "truncation": True,
    }


def test_cohere_is_told_a_purpose_and_gets_at_most_96_texts_in_a_call() -> None:
    made = adapter("cohere", "embed-v4.0", base_url="https://api.cohere.com")
    calls = made.requests(asked(input=["t"] * 100, dimensions=256))
    assert [call.url for call in calls] == ["https://api.cohere.com/v2/embed"] * 2
    first, second = (json.loads(call.body or b"") for call in calls)
    assert (len(first.pop("texts")), len(second["texts"])) == (96, 4)
    assert first == {
        "model": "embed-v4.0",
        "input_type": "search_document",
        "truncate": "NONE",
        "output_dimension": 256,
        "embedding_types": ["float"],
    }


@pytest.mark.parametrize(
    ("dialect", "model", "word", "place"),
    [
        ("cohere", "embed-v4.0", "search_query", ("input_type",)),
        ("gemini", "gemini-embedding-001", "RETRIEVAL_QUERY", ("requests", 0, "taskType")),
        (
            "bedrock",
            "amazon.nova-2-multimodal-embeddings-v1:0",
            "GENERIC_RETRIEVAL",
            ("singleEmbeddingParams", "embeddingPurpose"),
        ),
        ("bedrock", "cohere.embed-v4:0", "search_query", ("input_type",)),
    ],
)
def test_a_purpose_is_said_in_the_providers_word(
    dialect: str, model: str, word: str, place: tuple[Any, ...]
) -> None:
    for said in ("query", "search_query", word):
        found = bodies(adapter(dialect, model), asked(input_type=said))[0]
        for step in place:
            found = found[step]
        assert found == word


def test_a_purpose_that_is_unknown_is_refused_by_name() -> None:
    with pytest.raises(Unsatisfiable, match="'poetry'") as caught:
        adapter("cohere", "embed-v4.0").requests(asked(input_type="poetry"))
    assert caught.value.param == "input_type"


def test_gemini_gets_all_texts_in_one_call() -> None:
    made = adapter("gemini", "gemini-embedding-001", base_url="https://g/v1beta")
    (call,) = made.requests(asked(dimensions=768))
    assert call.url == "https://g/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert call.headers["x-goog-api-key"] == "a-key-of-ours"
    assert json.loads(call.body or b"") == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "outputDimensionality": 768,
                "content": {"parts": [{"text": text}]},
            }
            for text in ("a text", "another")
        ]
    }
    assert len(made.requests(asked(input=["t"] * 101))) == 2


def test_titan_gets_one_text_in_a_call() -> None:
    made = adapter("bedrock", "amazon.titan-embed-text-v2:0", base_url="https://b.{region}.aws")
    calls = made.requests(asked(dimensions=256, normalize=False))
    assert [json.loads(call.body or b"") for call in calls] == [
        {"inputText": text, "normalize": False, "dimensions": 256} for text in ("a text", "another")
    ]
    assert calls[0].url == "https://b.us-east-1.aws/model/amazon.titan-embed-text-v2%3A0/invoke"


def test_what_a_model_cannot_do_is_refused_by_name() -> None:
    first_titan = adapter("bedrock", "amazon.titan-embed-text-v1")
    cases: list[tuple[EmbeddingAdapter, dict[str, Any], str]] = [
        (first_titan, {"dimensions": 256}, "dimensions"),
        (first_titan, {"normalize": True}, "normalize"),
        (adapter("gemini", "g"), {"input": [1, 2]}, "input"),
        (adapter("cohere", "c"), {"taste": "sour"}, "taste"),
        (adapter("cohere", "c"), {"truncate": 4}, "truncate"),
        (adapter("bedrock", "meta.llama3"), {}, "model"),
    ]
    for made, fields, param in cases:
        with pytest.raises(Unsatisfiable) as caught:
            made.requests(asked(**fields))
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("dialect", "model", "body", "headers", "tokens"),
    [
        ("openai_compatible", "m", {"data": [{"index": 0, "embedding": [0.25]}]}, {}, None),
        ("gemini", "m", {"embeddings": [{"values": [0.25]}]}, {}, None),
        (
            "gemini",
            "m",
            {"embeddings": [{"values": [0.25]}], "usageMetadata": {"promptTokenCount": 3}},
            {},
            3,
        ),
        (
            "cohere",
            "m",
            {"embeddings": {"float": [[0.25]]}, "meta": {"billed_units": {"input_tokens": 3}}},
            {},
            3,
        ),
        (
            "bedrock",
            "cohere.embed-english-v3",
            {"embeddings": [[0.25]]},
            {"x-amzn-bedrock-input-token-count": "3"},
            3,
        ),
        (
            "bedrock",
            "amazon.titan-embed-text-v2:0",
            {"embedding": [0.25], "inputTextTokenCount": 3},
            {},
            3,
        ),
        (
            "bedrock",
            "amazon.nova-2-multimodal-embeddings-v1:0",
            {"embeddings": [{"embedding": [0.25], "embeddingType": "TEXT"}]},
            {"x-amzn-bedrock-input-token-count": "3"},
            3,
        ),
    ],
)
def test_vectors_and_usage_are_read(
    dialect: str, model: str, body: Any, headers: dict[str, str], tokens: int | None
) -> None:
    found = adapter(dialect, model).reply(json.dumps(body).encode(), headers, asked(input="a"))
    assert found.vectors == (Raw(b"[0.25]"),)
    assert found.usage == (Usage(input_tokens=tokens) if tokens else None)


@pytest.mark.parametrize("dialect", KINDS)
def test_an_answer_without_vectors_is_the_servers_failure(dialect: str) -> None:
    made = adapter(dialect, "cohere.embed-v4:0")
    for body in (b"", b"[]", b'{"embeddings": 4}', b'{"data": {}}', b"\xff", b"[" * 100_000):
        with pytest.raises(ServerFailed):
            made.reply(body, {}, asked())


@pytest.mark.parametrize("dialect", KINDS)
def test_errors_are_classified_and_never_quote_the_key(dialect: str) -> None:
    error = adapter(dialect, "m").error(401, {}, b'{"message": "bad key a-key-of-ours"}')
    assert isinstance(error, OutOfService)
    assert "a-key-of-ours" not in error.message
