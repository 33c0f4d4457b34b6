"""The interface of what asks a provider for embeddings, and who speaks to which.

Apart from `Adapter`, because embeddings have neither turns nor streams, and because a provider's
endpoint for them often has little in common with the one for answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from tierwise.errors import ConfigError, UpstreamError
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment
from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked

EMBEDDING = {
    "openai_compatible": "tierwise.providers.embedding_openai:OpenAIEmbeddings",
    "azure": "tierwise.providers.embedding_openai:OpenAIEmbeddings",
    "mistral": "tierwise.providers.embedding_openai:OpenAIEmbeddings",
    "gemini": "tierwise.providers.embedding_gemini:GeminiEmbeddings",
    "cohere": "tierwise.providers.embedding_cohere:CohereEmbeddings",
    "bedrock": "tierwise.providers.embedding_bedrock:BedrockEmbeddings",
    "bedrock_invoke": "tierwise.providers.embedding_bedrock:BedrockEmbeddings",
}
"""What embeds, by the dialect of the deployment."""


class EmbeddingAdapter(Protocol):
    """Asks one deployment for embeddings.

    Some providers take few texts in a call, or one: then there are several calls, to be made at
    once or one after the other, and their replies are put together by `wire.embeddings.join`.
    """

    deployment: Deployment

    def __init__(self, deployment: Deployment) -> None: ...

    def requests(self, asked: EmbeddingsAsked) -> list[HttpRequest]:
        """The HTTP calls that ask for all vectors, in the order of the inputs.

        Raises:
            Unsatisfiable: the provider cannot express what is asked; names the field.
        """

    def reply(self, body: bytes, headers: Mapping[str, str], asked: EmbeddingsAsked) -> Embeddings:
        """The vectors of one call's 200 answer; raises `ServerFailed` if it has none."""

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What an answer with another status means."""


def load_embedding_adapter(dialect: str) -> type[EmbeddingAdapter]:
    """What embeds in a dialect.

    Raises:
        ConfigError: nobody does.
    """
    target = EMBEDDING.get(dialect)
    if target is None:
        raise ConfigError(
            f"embeddings cannot be asked for in the dialect {dialect!r}",
            field="providers.dialect",
            remedy=f"Use one of: {', '.join(EMBEDDING)}.",
        )
    module, _, attribute = target.partition(":")
    adapter: type[EmbeddingAdapter] = getattr(import_module(module), attribute)
    return adapter
