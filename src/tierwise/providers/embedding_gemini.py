"""Embeddings of Gemini: `POST {base_url}/models/{model}:batchEmbedContents`, 100 texts in a call.

https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct, field

from tierwise.errors import UpstreamError
from tierwise.providers.account import Account
from tierwise.providers.embedding_cohere import batches
from tierwise.providers.embedding_words import only, purpose, texts_of, word_of
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import unreadable_answer
from tierwise.types import Deployment, Usage
from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

MOST_TEXTS = 100
_TASK_TYPES = {
    "search_document": "RETRIEVAL_DOCUMENT",
    "search_query": "RETRIEVAL_QUERY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
    "question_answering": "QUESTION_ANSWERING",
    "fact_verification": "FACT_VERIFICATION",
    "code_query": "CODE_RETRIEVAL_QUERY",
}


class GeminiEmbeddings:
    """Asks one deployment of the Gemini API."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._model = "models/" + deployment.upstream_model.removeprefix("models/")
        base = deployment.base_url.rstrip("/")
        self._url = f"{base}/{quote(self._model)}:batchEmbedContents"
        self._account = Account(deployment, lambda key: {"x-goog-api-key": key})

    def requests(self, asked: EmbeddingsAsked) -> list[HttpRequest]:
        """One call for each 100 texts."""
        only(asked, "Gemini", "input_type", "task_type", "title")
        settings: dict[str, Any] = {"model": self._model}
        name = "task_type" if "task_type" in asked.own else "input_type"
        task = purpose(asked, _TASK_TYPES, name)
        if task is not None:
            settings["taskType"] = task
        if asked.dimensions is not None:
            settings["outputDimensionality"] = asked.dimensions
        title = word_of(asked, "title")
        if title is not None:
            settings["title"] = title
        calls = []
        for some in batches(texts_of(asked, "Gemini"), MOST_TEXTS):
            wanted = [{**settings, "content": {"parts": [{"text": text}]}} for text in some]
            body = msgspec.json.encode({"requests": wanted})
            calls.append(self._account.call(self._url, body))
        return calls

    def reply(
        self,
        body: bytes,
        headers: Mapping[str, str],  # noqa: ARG002 - the protocol's
        asked: EmbeddingsAsked,  # noqa: ARG002
    ) -> Embeddings:
        """The vectors of one call; raises `ServerFailed` if it has none."""
        try:
            check_text(body)
            answer = _decode(body)
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        tokens = answer.usage_metadata.prompt_token_count
        return Embeddings(
            vectors=tuple(one.values for one in answer.embeddings),
            usage=Usage(input_tokens=tokens) if tokens and tokens > 0 else None,
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._account.error(status, headers, body)


class _Vector(Struct):
    values: Raw


class _Counted(Struct, rename="camel"):
    prompt_token_count: int | None = None


class _Answer(Struct, rename="camel"):
    """Only newer models count."""

    embeddings: list[_Vector]
    usage_metadata: _Counted = field(default_factory=_Counted)


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
