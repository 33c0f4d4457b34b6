"""Calls that are passed through to a provider as they are, but for whose key they carry.

Bodies go both ways piece by piece, so that a large one takes no memory. A general client is used,
and imported when the first such call is made: what it costs matters little beside an upload.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from msgspec import Struct

from tierwise.errors import ConnectFailed, Unsatisfiable, UpstreamTimeout
from tierwise.types import Deployment

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

Headers = list[tuple[str, str]]

_PIECE = 64 << 10
_VERSION = re.compile(r"v\d+\w*")
# RFC 9110, section 7.6.1, and what is said anew for each connection.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset(
    {
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "host",
        "expect",
        "forwarded",
        "openai-organization",
        "openai-project",
    }
)
"""What a client says to the gateway: its key is not for the provider."""
_THEIRS = frozenset({"set-cookie", "server", "date", "alt-svc", "strict-transport-security"})
"""What a provider says to the gateway alone."""
_BEARERS = frozenset({"openai_compatible", "openai_responses", "mistral", "cohere", "openai"})


class Passed(Struct, frozen=True):
    """One call: `path` begins with a slash and has its query, `body` is None where there is none.

    `length` is that of the body in bytes, None if nobody knows.
    """

    method: str
    path: str
    headers: Headers
    body: AsyncIterator[bytes] | None = None
    length: int | None = None


class PassedAnswer:
    """What the provider answers: read `pieces` inside the block, at the end of which it is over."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.status = response.status
        own = _named_by_connection(response.headers.getall("connection", ()))
        self.headers: Headers = [
            (name.lower(), value)
            for name, value in response.headers.items()
            if name.lower() not in _HOP_BY_HOP | _THEIRS | own
        ]

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            ConnectFailed: the connection broke.
            UpstreamTimeout: nothing came for too long.
        """
        from aiohttp import ClientError

        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except TimeoutError:
            raise UpstreamTimeout("the answer stood still for too long") from None
        except ClientError as error:
            raise ConnectFailed(f"the answer broke off: {error}") from None

    def close(self) -> None:
        """Ends it. Does nothing if it is over."""
        self._response.close()

    async def __aenter__(self) -> PassedAnswer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Ends(Protocol):
    """What is to end with the connections, at the latest."""

    def close(self) -> None:
        """Ends it. Does nothing if it is over."""


class Passages:
    """Connections for such calls. Close it when done."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None
        self._open: WeakSet[Ends] = WeakSet()

    def keep(self, call: Ends) -> None:
        """Has a call end that is open still when the connections are closed."""
        self._open.add(call)

    async def open(self, deployment: Deployment, passed: Passed) -> PassedAnswer:
        """Sends a call to where a deployment is; returns when the head of its answer is here.

        Raises:
            Unsatisfiable: its dialect has no key that could be put in.
            ConnectFailed: no connection, or it broke.
            UpstreamTimeout: it did not answer in time.
        """
        from aiohttp import ClientError, ClientTimeout
        from yarl import URL

        limits = deployment.timeouts
        headers = _sent(deployment, passed)
        try:
            response = await self._opened().request(
                passed.method,
                URL(url_of(deployment, passed.path), encoded=True),
                headers=headers,
                data=passed.body,
                allow_redirects=False,
                timeout=ClientTimeout(
                    total=None, sock_connect=limits.connect, sock_read=limits.total
                ),
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            )
        except TimeoutError:
            raise UpstreamTimeout(f"no answer within {limits.total:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            raise ConnectFailed(f"{type(error).__name__}: {error}") from None
        return PassedAnswer(response)

    async def close(self) -> None:
        """Ends the calls that are open, and closes all connections."""
        for call in [*self._open]:
            call.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)

    def _opened(self) -> ClientSession:
        if self._session is None:
            from aiohttp import ClientSession, DummyCookieJar, TCPConnector

            self._session = ClientSession(
                connector=TCPConnector(limit=0),
                auto_decompress=False,
                trust_env=True,
                cookie_jar=DummyCookieJar(),
                read_bufsize=_PIECE,
            )
        return self._session


def url_of(deployment: Deployment, path: str) -> str:
    """Where a path leads at a provider, whose base URL may end with the version that is in it."""
    base = deployment.base_url.rstrip("/")
    root, _, last = base.rpartition("/")
    if _VERSION.fullmatch(last) and f"/{last}/" in path:
        return root + path
    bare = base.count("/") == 2  # as in https://api.anthropic.com
    return base + (path if bare else path.removeprefix("/v1"))


def credentials(deployment: Deployment) -> dict[str, str]:
    """The headers that prove to a provider who asks.

    Raises:
        Unsatisfiable: its dialect signs each call.
    """
    key = deployment.api_key
    configured = dict(deployment.headers)
    if deployment.dialect in _BEARERS:
        return {**configured, "authorization": f"Bearer {key}"} if key else configured
    names = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key"}
    name = names.get(deployment.dialect)
    if name is None:
        raise Unsatisfiable(
            f"Nothing can be passed through to {deployment.provider!r}: its dialect "
            f"{deployment.dialect!r} has no plain key that could be put in.",
            param="x-tierwise-provider",
        )
    return {**configured, name: key} if key else configured


def _sent(deployment: Deployment, passed: Passed) -> Headers:
    """The headers that go out."""
    theirs = credentials(deployment)
    connection = [value for name, value in passed.headers if name.lower() == "connection"]
    dropped = _HOP_BY_HOP | _OURS | _named_by_connection(connection) | {"content-length"}
    kept = [
        (name, value)
        for name, value in passed.headers
        if name.lower() not in dropped
        and name.lower() not in theirs
        and not name.lower().startswith(("x-tierwise-", "x-forwarded-"))
    ]
    if passed.body is not None and passed.length is not None:
        kept.append(("content-length", str(passed.length)))
    if deployment.dialect == "anthropic" and not _has(kept, "anthropic-version"):
        kept.append(("anthropic-version", "2023-06-01"))
    return [*kept, *theirs.items()]


def _has(headers: Iterable[tuple[str, str]], name: str) -> bool:
    return any(one.lower() == name for one, _ in headers)


def _named_by_connection(values: Iterable[str]) -> frozenset[str]:
    """The headers that `connection` says are for this connection alone."""
    return frozenset(name.strip().lower() for value in values for name in value.split(","))


def by_provider(deployments: Iterable[Deployment]) -> Mapping[str, Deployment]:
    """One deployment of each provider, which knows where that is and its key."""
    found: dict[str, Deployment] = {}
    for deployment in deployments:
        found.setdefault(deployment.provider, deployment)
    return found
