"""Embeddings of Cohere: `POST {base_url}/v2/embed`, at most 96 texts in a call.

https://docs.cohere.com/reference/embed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import UpstreamError
from tierwise.providers.account import Account
from tierwise.providers.embedding_words import only, purpose, texts_of, word_of
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import unreadable_answer
from tierwise.types import Deployment, Usage
from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

MOST_TEXTS = 96
PURPOSES = {
    "search_document": "search_document",
    "search_query": "search_query",
    "classification": "classification",
    "clustering": "clustering",
}


class CohereEmbeddings:
    """Asks one deployment of Cohere's own API."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        base = deployment.base_url.rstrip("/").removesuffix("/v1").removesuffix("/v2")
        self._url = f"{base}/v2/embed"
        self._account = Account(deployment)

    def requests(self, asked: EmbeddingsAsked) -> list[HttpRequest]:
        """One call for each 96 texts."""
        only(asked, "Cohere", "input_type", "truncate", "max_tokens", "priority")
        texts = texts_of(asked, "Cohere")
        fields: dict[str, Any] = {
            "model": self.deployment.upstream_model,
            **text_fields(asked),
            "embedding_types": ["float"],
        }
        for name in ("max_tokens", "priority"):
            if name in asked.own:
                fields[name] = asked.own[name]
        return [
            self._account.call(self._url, msgspec.json.encode({**fields, "texts": some}))
            for some in batches(texts, MOST_TEXTS)
        ]

    def reply(
        self,
        body: bytes,
        headers: Mapping[str, str],  # noqa: ARG002 - the protocol's
        asked: EmbeddingsAsked,  # noqa: ARG002
    ) -> Embeddings:
        """The vectors of one call; raises `ServerFailed` if it has none."""
        return read_reply(body)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._account.error(status, headers, body)


def text_fields(asked: EmbeddingsAsked) -> dict[str, Any]:
    """How texts are to be taken, here and for Cohere's models elsewhere.

    A purpose must be named; nothing is cut off unless the caller says so, as with OpenAI.
    """
    fields: dict[str, Any] = {
        "input_type": purpose(asked, PURPOSES) or "search_document",
        "truncate": word_of(asked, "truncate") or "NONE",
    }
    if asked.dimensions is not None:
        fields["output_dimension"] = asked.dimensions
    return fields


def batches(texts: Sequence[str], most: int) -> list[Sequence[str]]:
    """The texts in pieces of at most `most`."""
    return [texts[begin : begin + most] for begin in range(0, len(texts), most)]


class _ByType(Struct):
    float: list[Raw]


class _Billed(Struct):
    input_tokens: int | None = None


class _Meta(Struct):
    billed_units: _Billed | None = None


class _Answer(Struct):
    """v3 models elsewhere answer with a plain list of vectors unless types are asked for."""

    embeddings: _ByType | list[Raw]
    meta: _Meta | None = None


_decode = msgspec.json.Decoder(_Answer, strict=False).decode


def read_reply(body: bytes) -> Embeddings:
    """One answer of a model of Cohere's; raises `ServerFailed` if it is none."""
    try:
        check_text(body)
        answer = _decode(body)
    except UNREADABLE as error:
        raise unreadable_answer(error) from None
    found = answer.embeddings
    vectors = found if isinstance(found, list) else found.float
    billed = answer.meta.billed_units if answer.meta is not None else None
    tokens = billed.input_tokens if billed is not None else None
    return Embeddings(
        vectors=tuple(vectors),
        usage=Usage(input_tokens=tokens) if tokens and tokens > 0 else None,
    )
