"""The provider of OpenID Connect: where its endpoints are, and what its tokens say."""

from __future__ import annotations

import base64
import time
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
from joserfc import jwt
from joserfc.jwk import KeySet

from tierwise.config.dashboard import OidcConfig

_FRESH_S = 3600.0
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256"]
"""None of those that need only the client's secret, or nothing at all."""


class Provider:
    """One provider; what it publishes is read again every hour."""

    def __init__(self, config: OidcConfig) -> None:
        self._config = config
        self._metadata: dict[str, Any] | None = None
        self._read_at = 0.0

    async def metadata(self) -> dict[str, Any]:
        """What it publishes of itself.

        Raises:
            OSError, ValueError: it does not answer, or is another than it should be.
        """
        if self._metadata is None or time.monotonic() - self._read_at > _FRESH_S:
            issuer = self._config.issuer.rstrip("/")
            found = await _get(f"{issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != issuer:
                raise ValueError(f"it calls itself {found.get('issuer')!r}")
            self._metadata, self._read_at = found, time.monotonic()
        return self._metadata

    def address_of(self, metadata: dict[str, Any], **asked: str) -> str:
        """Where a browser goes to sign in."""
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "scope": " ".join(self._config.scopes),
            "code_challenge_method": "S256",
            **asked,
        }
        where = str(metadata["authorization_endpoint"])
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"

    async def claims(
        self, code: str, verifier: str, nonce: str, redirect_uri: str
    ) -> dict[str, Any]:
        """What is said of whoever came back with a code.

        Raises:
            JoseError: the token is not the provider's, not for us, or not of this login.
            OSError, ValueError: the provider does not answer, or refuses the code.
        """
        metadata = await self.metadata()
        tokens = await self._exchanged(metadata, code, verifier, redirect_uri)
        keys = KeySet.import_key_set(await _get(metadata["jwks_uri"]))  # type: ignore[arg-type]
        return read_token(str(tokens.get("id_token", "")), keys, metadata, self._config, nonce)

    async def _exchanged(
        self, metadata: dict[str, Any], code: str, verifier: str, redirect_uri: str
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret = self._config.client_secret.get_secret_value()
        # RFC 6749, 2.3.1: both as a form has them, so that a colon in one is not taken for the sign
        # between them.
        both = f"{quote_plus(self._config.client_id)}:{quote_plus(secret)}".encode()
        headers = {"authorization": f"Basic {base64.b64encode(both).decode()}"}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as client,
            client.post(metadata["token_endpoint"], data=form, headers=headers) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"it refuses the code with {answer.status}")
            found: dict[str, Any] = await answer.json(content_type=None)
            return found


def read_token(
    token: str, keys: KeySet, metadata: dict[str, Any], config: OidcConfig, nonce: str
) -> dict[str, Any]:
    """What an id token says, if it is the provider's, for us, and of this login.

    Raises:
        JoseError: it is not.
    """
    claims: dict[str, Any] = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
    jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": config.client_id},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
    return claims


async def _get(url: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT) as client,
        client.get(url) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"{url} answers with {answer.status}")
        found: dict[str, Any] = await answer.json(content_type=None)
        return found
