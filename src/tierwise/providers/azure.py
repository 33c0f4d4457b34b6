"""Azure OpenAI: OpenAI's dialect at a resource of one's own, by the names of one's deployments.

The base URL says which of its two APIs is spoken: with `?api-version=...`, the one that has the
deployment in the path; without, the newer one below `/openai/v1`, which has it in the body.
https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from tierwise.errors import ConfigError, OutOfService
from tierwise.providers.http import HttpRequest
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Deployment

SCOPE = "https://cognitiveservices.azure.com/.default"
_RENEWED_S = 300.0
"""So many seconds before it expires, a token is fetched anew."""


class Azure(OpenAICompatible):
    """Asks one deployment of a resource, with its key or, where there is none, a token of Entra."""

    def __init__(self, deployment: Deployment, *, asks_logprobs: bool = False) -> None:
        super().__init__(deployment, asks_logprobs=asks_logprobs)
        shown = self._account.headers.keys() & {"api-key", "authorization"}
        self._tokens = None if shown else _Tokens(_default_credential)
        if self._tokens is not None and not _has_identity():
            raise ConfigError(
                f"{deployment.id} has no key, and tokens of Entra need azure-identity",
                field=f"providers.{deployment.provider}.api_key",
                remedy="Give `api_key`, or install it: pip install 'tierwise[azure]'.",
            )

    def asking_logprobs(self) -> Azure:
        """For callers who did not ask for log-probabilities; with the same token."""
        asking = Azure(self.deployment, asks_logprobs=True)
        asking._tokens = self._tokens
        return asking

    def _urls(self, deployment: Deployment) -> tuple[str, str]:
        url = urlsplit(deployment.base_url)
        path = url.path.rstrip("/")
        query = f"?{url.query}" if url.query else ""
        base = f"{url.scheme}://{url.netloc}{path}"
        if "api-version=" not in url.query:
            base = base if path.endswith("/v1") else f"{base.removesuffix('/openai')}/openai/v1"
            return f"{base}/chat/completions{query}", f"{base}/models{query}"
        base = base if path.endswith("/openai") else f"{base}/openai"
        named = f"{base}/deployments/{quote(deployment.upstream_model, safe='')}"
        return f"{named}/chat/completions{query}", f"{base}/models{query}"

    def _key(self, key: str) -> dict[str, str]:
        return {"api-key": key}

    def _call(self, url: str, body: bytes | None) -> HttpRequest:
        call = super()._call(url, body)
        return call if self._tokens is None else replace(call, authorise=self._tokens.authorise)


class Credential(Protocol):
    """What of azure-identity's credentials is used."""

    def get_token(self, scope: str, /) -> Any:
        """A token with `token` and `expires_on`, a Unix time in seconds. It blocks."""


class _Tokens:
    """Tokens of Entra ID, fetched in a thread when the last one is about to expire."""

    def __init__(self, credential: Callable[[], Credential]) -> None:
        self._make = credential
        self._credential: Credential | None = None
        self._token = ""
        self._until = 0.0
        self._fetching = asyncio.Lock()

    async def authorise(self, _: HttpRequest) -> Mapping[str, str]:
        """The header that shows a token; raises `OutOfService` if there is none to be had."""
        if time.time() >= self._until:
            async with self._fetching:
                if time.time() >= self._until:
                    await asyncio.to_thread(self._fetch)
        return {"authorization": f"Bearer {self._token}"}

    def _fetch(self) -> None:
        try:
            if self._credential is None:
                self._credential = self._make()
            found = self._credential.get_token(SCOPE)
        except Exception as error:  # noqa: BLE001 - azure-identity has many ways to fail
            words = " ".join(str(error).split())[:200]
            raise OutOfService(f"Entra ID gives no token: {words}") from None
        self._token = found.token
        self._until = found.expires_on - _RENEWED_S


def _has_identity() -> bool:
    # A namespace package of that name may be there without this part of it, or not be there.
    return importlib.util.find_spec("azure") is not None and (
        importlib.util.find_spec("azure.identity") is not None
    )


def _default_credential() -> Credential:
    from azure.identity import DefaultAzureCredential

    credential: Credential = DefaultAzureCredential()
    return credential
