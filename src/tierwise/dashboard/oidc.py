"""Login by OpenID Connect: off to the provider, back with a code, and who that was.

The authorisation code flow with PKCE, a state and a nonce; tokens are only looked at here and never
kept. Authlib and joserfc do what is particular to OAuth and to signatures.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from aiohttp import ClientError
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tierwise.config.dashboard import OidcConfig
from tierwise.dashboard.rendering import HEADERS
from tierwise.dashboard.sessions import Sessions
from tierwise.errors import ConfigError, RequestError

try:
    from authlib.common.security import generate_token
    from authlib.oauth2.rfc7636 import create_s256_code_challenge
    from joserfc.errors import JoseError

    from tierwise.dashboard.discovery import Provider
except ImportError:
    raise ConfigError(
        "login by OIDC needs Authlib, which is not installed",
        field="dashboard.oidc",
        remedy="Install it with `pip install 'tierwise[oidc]'`.",
    ) from None

_COOKIE = "tierwise_oidc"
_LASTS_S = 600
_CALLBACK = "/dashboard/oidc/callback"


class OidcAway(RequestError):
    """The provider of OIDC does not answer, or not as it should."""

    status = 503


class _Begun(Struct, frozen=True, kw_only=True):
    """A login that is under way."""

    state: str
    nonce: str
    verifier: str
    onward: str
    until: float


class Came(Struct, frozen=True, kw_only=True):
    """Who came back, and what a claim makes of them; `told` says why nobody did."""

    address: str | None = None
    role: str | None = None
    onward: str = "/"
    told: str = ""


class Oidc:
    """One provider."""

    def __init__(self, config: OidcConfig, sessions: Sessions) -> None:
        self._config = config
        self._sessions = sessions
        self._provider = Provider(config)

    async def away(self, request: Request, onward: str) -> Response:
        """Sends a browser to the provider.

        Raises:
            OidcAway: it does not answer.
        """
        found = await self._reached(self._provider.metadata())
        begun = _Begun(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=generate_token(64),
            onward=onward,
            until=time.time() + _LASTS_S,
        )
        url = self._provider.address_of(
            found,
            redirect_uri=self._callback(request),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
        )
        response = RedirectResponse(url, status_code=303, headers=HEADERS)
        # Lax: the browser comes back from elsewhere, and is to bring it along.
        response.set_cookie(
            _COOKIE,
            self._sessions.seal(begun),
            max_age=_LASTS_S,
            path=_CALLBACK,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def back(self, request: Request) -> Came:
        """Who has come back.

        Raises:
            OidcAway: the provider does not answer.
        """
        query = request.query_params
        begun = self._sessions.unsealed(request.cookies.get(_COOKIE), _Begun)
        if begun is None or time.time() > begun.until:
            return Came(told="This login has taken too long, or began elsewhere. Try once more.")
        if not secrets.compare_digest(begun.state.encode(), query.get("state", "").encode()):
            return Came(told="This login began elsewhere. Try once more.")
        if "code" not in query:
            told = query.get("error_description") or query.get("error") or "no code was sent"
            return Came(told=f"The provider has refused the login: {told[:200]}")
        try:
            claims = await self._reached(
                self._provider.claims(
                    query["code"], begun.verifier, begun.nonce, self._callback(request)
                )
            )
        except JoseError as error:
            return Came(told=f"What the provider says cannot be trusted: {error}")
        return self._somebody(claims, begun.onward)

    def forget(self, response: Response) -> None:
        """The login is over."""
        response.delete_cookie(_COOKIE, path=_CALLBACK)

    def _somebody(self, claims: dict[str, Any], onward: str) -> Came:
        address = str(claims.get("email") or "").strip().lower()
        # Some say it as a text.
        if not address or str(claims.get("email_verified")).lower() == "false":
            return Came(told="The provider names no address of yours that is verified.")
        domains = [domain.lower().lstrip("@") for domain in self._config.allowed_domains]
        if domains and address.rpartition("@")[2] not in domains:
            return Came(told=f"{address} is of none of the domains that are let in here.")
        return Came(address=address, role=self._role(claims), onward=onward)

    def _role(self, claims: dict[str, Any]) -> str | None:
        """The highest role of a claim's values; else the default one."""
        found = claims.get(self._config.roles_claim or "")
        values = found if isinstance(found, list) else [found]
        roles = {self._config.roles[str(v)] for v in values if str(v) in self._config.roles}
        for role in ("operator", "admin", "member", "viewer"):
            if role in roles:
                return role
        return self._config.default_role

    def _callback(self, request: Request) -> str:
        configured = self._config.redirect_url
        return configured or f"{request.url.scheme}://{request.url.netloc}{_CALLBACK}"

    async def _reached(self, asked: Any) -> Any:
        try:
            return await asked
        except (OSError, TimeoutError, ValueError, KeyError, ClientError) as error:
            raise OidcAway(
                f"The provider of OIDC at {self._config.issuer} does not answer as it should "
                f"({type(error).__name__}: {error}). Sign in with a key, or try again later."
            ) from error
