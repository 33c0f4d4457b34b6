"""Vertex AI: Gemini's dialect below a project's URL, with tokens of Google Cloud.

`POST {base_url}/publishers/google/models/{model}:generateContent`, where `base_url` names the
project and the location; in express mode it names neither, and a key stands in for the token.
cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode/overview
"""

from __future__ import annotations

from msgspec.structs import replace

from tierwise.providers.gemini import Gemini
from tierwise.providers.google_token import AccessToken, google_credentials
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment


class Vertex(Gemini):
    """Asks one deployment of Vertex AI.

    Args:
        deployment: without a key, the application default credentials are used.
        token: what gives access in place of these.
    """

    def __init__(self, deployment: Deployment, token: AccessToken | None = None) -> None:
        super().__init__(deployment)
        if token is None and not (deployment.api_key or "authorization" in self._account.headers):
            token = AccessToken(google_credentials(deployment.provider))
        self._token = token

    def _url_of(self, base: str, model: str) -> str:
        return f"{base}/{model if '/' in model else f'publishers/google/models/{model}'}"

    def _call(self, verb: str, body: bytes) -> HttpRequest:
        call = super()._call(verb, body)
        return call if self._token is None else replace(call, authorise=self._token.authorise)
