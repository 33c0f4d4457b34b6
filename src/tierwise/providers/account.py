"""How one deployment is called, whatever it is asked for, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.errors import classify, redact
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
_SHOWN_BYTES = 1000


def bearer(key: str) -> dict[str, str]:
    """The header in which most providers want to see a key."""
    return {"authorization": f"Bearer {key}"}


class Account:
    """A deployment's headers and secrets.

    Args:
        deployment: whose they are.
        shown: the headers that show its key.
    """

    __slots__ = ("_connect_s", "headers", "secrets")

    def __init__(
        self, deployment: Deployment, shown: Callable[[str], Mapping[str, str]] = bearer
    ) -> None:
        self.headers = {"content-type": "application/json", **dict(deployment.headers)}
        if deployment.api_key:
            self.headers.update(shown(deployment.api_key))
        self.secrets = secrets_of(deployment, deployment.api_key)
        self._connect_s = deployment.timeouts.connect

    def call(self, url: str, body: bytes | None) -> HttpRequest:
        """A call with these headers."""
        return HttpRequest(url, self.headers, body, self._connect_s)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return classify(status, headers, body, secrets=self.secrets)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        if b'"error"' in body:
            return self.error(200, {}, body)
        return no_stream(body, self.secrets)


def secrets_of(deployment: Deployment, *others: str | None) -> tuple[str, ...]:
    """These of a deployment's secrets, and what of its headers may be another."""
    found = [value for name, value in deployment.headers if _SECRET_HEADER.search(name)]
    return (*found, *(one for one in others if one))


def no_stream(body: bytes, secrets: tuple[str, ...]) -> ServerFailed:
    """Something that is neither a stream nor an error came."""
    begins = " ".join(redact(body[:_SHOWN_BYTES].decode("utf-8", "replace"), secrets).split())
    return ServerFailed(f"the answer is not a stream but begins with {begins[:80]}", status=200)
