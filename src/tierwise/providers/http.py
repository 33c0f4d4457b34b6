"""The one seam to the network: whole answers and streams over pooled connections.

Both go through a small client of our own: it costs less CPU a request than any general client that
we measured, hangs up at once when a request is cancelled (a client written in Rust and driven from
asyncio went on waiting for, and paying for, answers that nobody wanted any more), and honours proxy
variables.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from tierwise.errors import ServerFailed, UpstreamTimeout
from tierwise.providers.connections import Connections, HttpStream, tls_context

MOST_BYTES = 256 << 20
"""Bytes that a whole answer may have: vectors of some thousand texts are half of it."""


class HttpRequest(Struct, frozen=True):
    """A POST to a provider, or a GET where there is no body.

    `connect_s` bounds the connection's set-up, in seconds. `authorise` gives more headers for the
    call just before it is made, where they take a wait (credentials that are fetched anew) or hold
    good only for a while (signatures). It raises an `UpstreamError` if it cannot. `part_of` says
    whose part the call is, as whole lines of its head: all else there mostly stays from call to
    call, so these are kept apart.
    """

    url: str
    headers: dict[str, str]
    body: bytes | None
    connect_s: float = 5.0
    authorise: Authorise | None = None
    part_of: bytes = b""


Authorise = Callable[[HttpRequest], Awaitable[Mapping[str, str]]]
"""What gives a call more headers."""


class HttpReply(Struct, frozen=True):
    """A whole HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_REQUEST_IDS = (
    "x-request-id",  # OpenAI, Mistral, Groq, ...
    "request-id",  # Anthropic
    "x-amzn-requestid",  # Bedrock
    "apim-request-id",  # Azure
    "cf-ray",  # those behind Cloudflare that give none of their own
)
_LONGEST_ID = 200


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """What a provider calls the request that it answered with these headers."""
    for name in _REQUEST_IDS:
        found = headers.get(name)
        if found:
            return found[:_LONGEST_ID]
    return None


class Transport:
    """Pooled HTTP connections of one process. Close it when done."""

    def __init__(self) -> None:
        self._connections = Connections()

    async def send(self, request: HttpRequest, timeout_s: float) -> HttpReply:
        """One request, read to its end within `timeout_s` seconds.

        Raises:
            ConnectFailed: no connection, or it broke before the answer was complete.
            ServerFailed: the answer has more than `MOST_BYTES`.
            UpstreamTimeout: the time is over.
        """
        until = time.monotonic() + timeout_s
        stream: HttpStream | None = None
        parts: list[bytes] = []
        size = 0
        try:
            stream = await self.open(request, timeout_s)
            while part := await stream.read(until - time.monotonic()):
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise ServerFailed(
                        f"the answer has more than {MOST_BYTES:,} bytes", status=stream.status
                    )
        except TimeoutError:
            raise UpstreamTimeout(f"no answer within {timeout_s:.3g} s") from None
        finally:
            if stream is not None:
                stream.close()
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return HttpReply(stream.status, stream.headers, body)

    def open(self, request: HttpRequest, timeout_s: float | None = None) -> Awaitable[HttpStream]:
        """One request whose answer is read as it comes; returns when its headers are here.

        Raises:
            ConnectFailed: no connection, or it broke.
            OutOfService: no credentials for it can be had.
            TimeoutError: they were not here within `timeout_s` seconds.
        """
        authorise = request.authorise
        if authorise is not None:
            return self._open_authorised(request, authorise, timeout_s)
        return self._connections.open(
            request.url,
            request.headers,
            request.body,
            request.connect_s,
            timeout_s,
            request.part_of,
        )

    async def _open_authorised(
        self, request: HttpRequest, authorise: Authorise, timeout_s: float | None
    ) -> HttpStream:
        began = time.monotonic()
        async with asyncio.timeout(timeout_s):
            headers = {**request.headers, **await authorise(request)}
        if timeout_s is not None:
            timeout_s -= time.monotonic() - began
        return await self._connections.open(
            request.url, headers, request.body, request.connect_s, timeout_s, request.part_of
        )

    async def close(self) -> None:
        """Closes all connections."""
        self._connections.close()


def warm_up_tls() -> None:
    """Reads the certificate authorities, so that the first call does not wait for it."""
    tls_context()
