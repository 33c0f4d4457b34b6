"""The one seam to the network: whole answers and streams over pooled connections.

Whole answers go through pyreqwest, which spends a third less CPU a request than any other client
we measured; streams go through aiohttp, which joins what has arrived into one read where pyreqwest
wakes up once for every chunk. Both pool connections, keep them alive and honour proxy variables.
"""

from __future__ import annotations

import asyncio
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ConnectTimeoutError,
    PyreqwestError,
    RequestTimeoutError,
)

from tierwise.errors import ConnectFailed, UpstreamTimeout

if TYPE_CHECKING:
    import aiohttp

_MAX_IDLE_PER_HOST = 512
_IDLE_S = 60.0


class HttpRequest(Struct, frozen=True):
    """A POST to a provider. `connect_s` bounds the connection's set-up, in seconds."""

    url: str
    headers: dict[str, str]
    body: bytes
    connect_s: float = 5.0


class HttpReply(Struct, frozen=True):
    """A whole HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpStream:
    """An answer whose body is read as it comes. Close it, however it ends.

    `headers` are looked up without regard to case.
    """

    __slots__ = ("_content", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        """Whatever has arrived, at least one byte; b"" at the end.

        Raises:
            ConnectFailed: the connection broke before the end.
        """
        try:
            data: bytes = await self._content.readany()
        except _connection_errors() as error:
            raise _lost(error) from None
        return data

    async def read_all(self, limit: int = 1 << 20, timeout_s: float = 5.0) -> bytes:
        """The rest, up to `limit` bytes or what came in `timeout_s`: for the bodies of errors."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(timeout_s):
                while size < limit and (data := await self.read()):
                    parts.append(data)
                    size += len(data)
        except (TimeoutError, ConnectFailed):
            pass  # what has come is enough to tell what went wrong
        return b"".join(parts)

    def close(self) -> None:
        """Gives the connection back if the answer was read to its end, else closes it."""
        if self._content.at_eof():
            self._response.release()
        else:
            self._response.close()


@cache
def _connection_errors() -> tuple[type[Exception], ...]:
    """What aiohttp raises for a broken connection or for bytes that are not HTTP."""
    import aiohttp

    return (aiohttp.ClientError, OSError, ValueError)


def _lost(error: Exception) -> ConnectFailed:
    return ConnectFailed(f"{type(error).__name__}: {error}" if str(error) else "connection lost")


class Transport:
    """Pooled HTTP connections of one process. Close it when done."""

    def __init__(self) -> None:
        self._clients: dict[float, Client] = {}
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: HttpRequest, timeout_s: float) -> HttpReply:
        """One request, read to its end within `timeout_s` seconds.

        Raises:
            ConnectFailed: no connection, or it broke before the answer was complete.
            UpstreamTimeout: the time is over.
        """
        client = self._clients.get(request.connect_s) or self._client(request.connect_s)
        try:
            response = await (
                client.post(request.url)
                .headers(request.headers)
                .body_bytes(request.body)
                .timeout(timedelta(seconds=timeout_s))
                .build()
                .send()
            )
            body = bytes(await response.bytes())
        except ConnectTimeoutError:
            raise ConnectFailed(f"no connection within {request.connect_s:g} s") from None
        except RequestTimeoutError:
            raise UpstreamTimeout(f"no answer within {timeout_s:.3g} s") from None
        except PyreqwestError as error:
            raise ConnectFailed(_root_cause(error)) from None
        if response.status == 200:
            # Nothing reads the headers of a good answer, and copying them is not free.
            return HttpReply(200, {}, body)
        return HttpReply(response.status, _lower(response.headers.items()), body)

    async def open(self, request: HttpRequest) -> HttpStream:
        """One request whose answer is read as it comes; returns when its headers are here.

        Raises:
            ConnectFailed: no connection, or it broke.
        """
        session = self._session or self._open_session()
        try:
            response = await session.post(
                request.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                proxy=_proxy(request.url),
                timeout=_stream_timeout(request.connect_s),
            )
        except _connection_errors() as error:
            raise _lost(error) from None
        return HttpStream(response)

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self, connect_s: float) -> Client:
        client = (
            ClientBuilder()
            .connect_timeout(timedelta(seconds=connect_s))
            .pool_idle_timeout(timedelta(seconds=_IDLE_S))
            .pool_max_idle_per_host(_MAX_IDLE_PER_HOST)
            .follow_redirects(False)
            .build()
        )
        self._clients[connect_s] = client
        return client

    def _open_session(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("user-agent",),
        )
        return self._session


def warm_up_streams() -> None:
    """Imports the client for streams (0.2 s), so that the first stream does not wait for it."""
    import aiohttp  # noqa: F401


@cache
def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; found once, because asking takes a while."""
    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


@cache
def _stream_timeout(connect_s: float) -> aiohttp.ClientTimeout:
    """Only the connection's set-up: whoever reads knows when it has waited long enough."""
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=connect_s)


def _lower(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in items}


def _root_cause(error: PyreqwestError) -> str:
    details = getattr(error, "details", None) or {}
    causes = details.get("causes") or []
    return str(causes[-1]["message"]) if causes else str(error)
