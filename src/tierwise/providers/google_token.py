"""Access tokens of Google Cloud, fetched in threads and renewed before they expire."""

from __future__ import annotations

import asyncio
import calendar
import importlib
import time
from collections.abc import Callable, Mapping

from tierwise.errors import ConfigError, ConnectFailed, OutOfService, UpstreamError
from tierwise.providers.http import HttpRequest

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_EARLY_S = 300.0
"""So long before it expires a token is renewed, beside the requests that still use it."""
_LEAST_S = 10.0
"""A token that lasts no longer than this is not sent any more."""
_PATIENCE_S = 20.0
_REST_S = 5.0
"""After a failure, nobody is asked for a token for so long."""

Renew = Callable[[], tuple[str, float]]
"""Fetches a token, which takes its time; gives it with the Unix time when it expires.

Raises `UpstreamError` if there is none.
"""


class AccessToken:
    """A token that is there when it is wanted.

    Args:
        renew: fetches one; called in a thread.
        clock: gives the Unix time.
    """

    def __init__(self, renew: Renew, clock: Callable[[], float] = time.time) -> None:
        self._renew = renew
        self._clock = clock
        self._token = ""
        self._expires = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._failure: UpstreamError | None = None
        self._rests_until = 0.0

    async def authorise(self, _: HttpRequest) -> Mapping[str, str]:
        """The header that gives access to a call. Waits only where there is no good token at all.

        Raises:
            UpstreamError: no token can be had.
        """
        now = self._clock()
        good = now < self._expires - _LEAST_S
        if now >= self._expires - _EARLY_S:
            renewal = self._renewing(now)
            if not good:
                await self._wait_for(renewal)
        return {"authorization": f"Bearer {self._token}"}

    def _renewing(self, now: float) -> asyncio.Task[None] | None:
        """The renewal that is under way; None while it is left alone after a failure."""
        if self._renewal is not None and not self._renewal.done():
            return self._renewal
        if now < self._rests_until:
            return None
        self._renewal = asyncio.get_running_loop().create_task(self._fetch())
        return self._renewal

    async def _wait_for(self, renewal: asyncio.Task[None] | None) -> None:
        if renewal is not None:
            try:
                await asyncio.wait_for(asyncio.shield(renewal), _PATIENCE_S)
            except TimeoutError:
                raise ConnectFailed(f"no access token within {_PATIENCE_S:.3g} s") from None
        if self._failure is not None:
            failure = self._failure
            raise type(failure)(failure.message)

    async def _fetch(self) -> None:
        try:
            self._token, self._expires = await asyncio.to_thread(self._renew)
            self._failure = None
        except UpstreamError as error:
            self._failure = error
            self._rests_until = self._clock() + _REST_S
        except (OSError, ValueError) as error:  # of a file of credentials
            self._failure = OutOfService(f"no access token: {error}")
            self._rests_until = self._clock() + _REST_S


def google_credentials(provider: str) -> Renew:
    """Fetches tokens with the application default credentials.

    cloud.google.com/docs/authentication/application-default-credentials

    Raises:
        ConfigError: the extra `vertex` is not installed.
    """
    try:
        auth = importlib.import_module("google.auth")
        errors = importlib.import_module("google.auth.exceptions")
        transport = importlib.import_module("google.auth.transport.requests")
    except ImportError:
        raise ConfigError(
            "Vertex AI needs the package google-auth, which is not installed",
            field=f"providers.{provider}",
            remedy='Install it: pip install "tierwise[vertex]"; or set `api_key` of express mode.',
        ) from None
    found: list[object] = []

    def renew() -> tuple[str, float]:
        try:
            if not found:
                found.append(auth.default(scopes=[_SCOPE])[0])
            credentials = found[0]
            credentials.refresh(transport.Request())  # type: ignore[attr-defined]
        except errors.TransportError as error:
            raise ConnectFailed(f"no access token: {error}") from None
        except errors.GoogleAuthError as error:
            raise OutOfService(f"no access token: {error}") from None
        expiry = credentials.expiry  # type: ignore[attr-defined]
        lasts = calendar.timegm(expiry.timetuple()) if expiry else time.time() + 3600
        return str(credentials.token), float(lasts)  # type: ignore[attr-defined]

    return renew
