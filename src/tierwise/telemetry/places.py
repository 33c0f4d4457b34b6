"""Deployments in the words of OpenTelemetry's conventions for generative AI.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from tierwise.types import Attempt, Deployment

_BY_DIALECT = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_invoke": "aws.bedrock",
    "cohere": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "openai_responses": "openai",
    "vertex": "gcp.vertex_ai",
}
_BY_NAME = {"xai": "x_ai", "moonshot": "moonshot_ai"}
_BY_HOST = {
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
}
"""Whose an OpenAI-compatible API is, whatever the configuration calls it."""
_GENERATES = frozenset({"gemini", "vertex"})
_PORTS = {"http": 80, "https": 443}


INFERENCE: Final = "inference"
EMBEDDINGS: Final = "embeddings"
OTHER: Final = "other"
Kind = Literal["inference", "embeddings", "other"]
"""What calls do, as the conventions' metrics tell them apart."""


class Place(Struct, frozen=True):
    """What the conventions want to know of a deployment; `model` is the provider's name of it."""

    operation: str
    provider: str
    model: str
    address: str
    port: int
    kind: Kind = "inference"


def place_of(deployment: Deployment) -> Place:
    """The deployment's."""
    url = urllib.parse.urlsplit(deployment.base_url)
    host, name = url.hostname or "", deployment.provider
    known = _BY_DIALECT.get(deployment.dialect) or _BY_HOST.get(host)
    return Place(
        operation="generate_content" if deployment.dialect in _GENERATES else "chat",
        provider=known or _BY_NAME.get(name, name),
        model=deployment.upstream_model,
        address=host,
        port=url.port or _PORTS.get(url.scheme, 443),
    )


class Places:
    """Those of a set-up, by the ids of its deployments."""

    def __init__(self, deployments: Iterable[Deployment]) -> None:
        all_of_them = list(deployments)
        self._all: Mapping[str, Place] = {one.id: place_of(one) for one in all_of_them}
        providers = {one.provider: self._all[one.id] for one in reversed(all_of_them)}
        self._providers: Mapping[str, Place] = providers

    def of(self, attempt: Attempt) -> Place:
        """Where a call went; as far as the attempt says, if that is configured no more."""
        known = self._all.get(attempt.deployment)
        if known is not None:
            return known
        provider = attempt.deployment.partition("/")[0]
        return Place("chat", provider, attempt.model, "", 0)

    def of_provider(self, name: str) -> Place | None:
        """Where one of a provider's deployments is; None if it is configured no more."""
        return self._providers.get(name)


FINE = frozenset({"accepted", "rejected", "abandoned"})
"""Outcomes of calls that were answered; what gates think of the answer is no error of the call."""


def error_of(attempt: Attempt) -> str | None:
    """The class of error that a call ended with, None if it was answered.

    Of a probe that is the first word of what came of it.
    """
    if attempt.outcome in FINE:
        return None
    if attempt.outcome != "probe":
        return attempt.outcome
    if attempt.error is None or attempt.status == 200:
        return None
    return attempt.error.partition(":")[0]
