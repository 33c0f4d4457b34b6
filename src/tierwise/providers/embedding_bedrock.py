"""Embeddings of models at Amazon Bedrock: `POST {base_url}/model/{id}/invoke`.

Each maker's body is its own: Amazon's Titan and Nova embed one text in a call, Cohere's models 96.
docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html,
docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import Unsatisfiable, UpstreamError
from tierwise.providers import embedding_cohere
from tierwise.providers.bedrock_calls import BedrockCalls
from tierwise.providers.embedding_words import only, purpose, texts_of, word_of
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import unreadable_answer
from tierwise.types import Deployment, Usage
from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_COUNT = "x-amzn-bedrock-input-token-count"
_NOVA_PURPOSES = {
    "search_document": "GENERIC_INDEX",
    "search_query": "GENERIC_RETRIEVAL",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "text": "TEXT_RETRIEVAL",
    "document": "DOCUMENT_RETRIEVAL",
    "image": "IMAGE_RETRIEVAL",
    "video": "VIDEO_RETRIEVAL",
    "audio": "AUDIO_RETRIEVAL",
}


class BedrockEmbeddings:
    """Asks one deployment, in the words of whoever made its model."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._calls = BedrockCalls(deployment)

    def requests(self, asked: EmbeddingsAsked) -> list[HttpRequest]:
        """One call for each text, or for each 96 where the model takes so many."""
        return [
            self._calls.request("invoke", msgspec.json.encode(body)) for body in self._bodies(asked)
        ]

    def reply(self, body: bytes, headers: Mapping[str, str], asked: EmbeddingsAsked) -> Embeddings:  # noqa: ARG002
        """The vectors of one call; raises `ServerFailed` if it has none."""
        counted = headers.get(_COUNT, "")
        usage = Usage(input_tokens=int(counted)) if counted.isdecimal() else None
        if "cohere." in self.deployment.upstream_model:
            return replace(embedding_cohere.read_reply(body), usage=usage)
        try:
            check_text(body)
            answer = _decode(body)
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        vectors = [one.embedding for one in answer.embeddings]
        if bytes(answer.embedding):
            vectors = [answer.embedding]
        if usage is None and answer.tokens:
            usage = Usage(input_tokens=max(0, answer.tokens))
        return Embeddings(vectors=tuple(vectors), usage=usage)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._calls.error(status, headers, body)

    def _bodies(self, asked: EmbeddingsAsked) -> Iterator[dict[str, Any]]:
        model = self.deployment.upstream_model
        if "cohere." in model:
            yield from _cohere(asked)
        elif "titan-embed" in model:
            yield from _titan(asked, takes_dimensions="-v1" not in model)
        elif "nova" in model:
            yield from _nova(asked)
        else:
            raise Unsatisfiable(
                f"it is not known how {model!r} is asked for embeddings. Use a model of Cohere, or "
                "Amazon's Titan or Nova.",
                param="model",
            )


def _cohere(asked: EmbeddingsAsked) -> Iterator[dict[str, Any]]:
    only(asked, "Cohere's models at Bedrock", "input_type", "truncate", "max_tokens")
    fields = embedding_cohere.text_fields(asked)
    if "max_tokens" in asked.own:
        fields["max_tokens"] = asked.own["max_tokens"]
    texts = texts_of(asked, "Cohere")
    for some in embedding_cohere.batches(texts, embedding_cohere.MOST_TEXTS):
        yield {"texts": some, **fields}


def _titan(asked: EmbeddingsAsked, *, takes_dimensions: bool) -> Iterator[dict[str, Any]]:
    """The first Titan takes a text and nothing else."""
    only(asked, "Titan", *(("normalize",) if takes_dimensions else ()))
    fields: dict[str, Any] = dict(asked.own)
    if asked.dimensions is not None:
        if not takes_dimensions:
            raise Unsatisfiable(
                "`dimensions` cannot be chosen with this model. Leave it out.", param="dimensions"
            )
        fields["dimensions"] = asked.dimensions
    for text in texts_of(asked, "Titan"):
        yield {"inputText": text, **fields}


def _nova(asked: EmbeddingsAsked) -> Iterator[dict[str, Any]]:
    """A purpose and what to do with long texts must be said; nothing is cut off unless asked."""
    only(asked, "Nova", "input_type", "truncate")
    fields: dict[str, Any] = {"embeddingPurpose": purpose(asked, _NOVA_PURPOSES) or "GENERIC_INDEX"}
    if asked.dimensions is not None:
        fields["embeddingDimension"] = asked.dimensions
    mode = word_of(asked, "truncate") or "NONE"
    for text in texts_of(asked, "Nova"):
        wanted = {**fields, "text": {"value": text, "truncationMode": mode}}
        yield {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": wanted}


class _Vector(Struct):
    embedding: Raw


class _Answer(Struct):
    """Titan's `embedding`, or Nova's `embeddings`."""

    embedding: Raw = Raw(b"")  # in a union with None, a Raw takes nothing but null
    embeddings: list[_Vector] = msgspec.field(default_factory=list)
    tokens: int | None = msgspec.field(default=None, name="inputTextTokenCount")


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
