"""HTTP/1.1 as model APIs need it: a POST, and an answer that is read as it comes.

A general client took a third of what a streamed answer costs the gateway, and its import a
quarter of a second and 18 MB. What is needed is little: connections are pooled, httptools parses,
and whatever has arrived since the last read is one read.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import cast

import httptools

from tierwise.errors import ConnectFailed
from tierwise.providers.target import Target, target_of, written
from tierwise.wire.compression import Inflater, NotCompressed, UnknownCoding, inflater

IDLE_S = 60.0
"""How long an unused connection is kept, in seconds."""
MAX_IDLE_PER_HOST = 512
_MAX_HEAD_BYTES = 64 << 10
_HIGH_WATER = 256 << 10
"""Bytes that may wait to be read before the upstream is made to wait."""


class Connections:
    """Sends requests, and keeps connections for the next ones. Close it when done."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int, bool, str | None], deque[_Connection]] = {}
        self._open: set[_Connection] = set()

    async def open(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        connect_s: float,
        timeout_s: float | None = None,
        part_of: bytes = b"",
    ) -> HttpStream:
        """POSTs `body`, or GETs without one; returns when the answer's headers are here.

        `part_of` are more lines of the head, as they are sent.

        Raises:
            ConnectFailed: no connection within `connect_s` seconds, or it broke.
            TimeoutError: all together took longer than `timeout_s` seconds.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        target = target_of(url)
        request = written(url, headers, body, part_of)
        reused = self._reused(target)
        if reused is not None:
            try:
                return await self._ask(reused, target, request, until)
            except ConnectFailed:
                if reused.heard:
                    raise
                # The server had hung up on the idle connection, so nobody has read the request.
        connection = await self._connect(target, connect_s, until)
        return await self._ask(connection, target, request, until)

    async def _ask(
        self, connection: _Connection, target: Target, request: bytes, until: float | None
    ) -> HttpStream:
        """Sends a request and waits for the head of its answer."""
        self._open.add(connection)
        stream = HttpStream(connection, self, target)
        try:
            connection.send(request)
            await connection.wait_for_head(None if until is None else until - time.monotonic())
        except BaseException:
            stream.close()
            raise
        stream.status = connection.status
        stream.headers = connection.headers
        return stream

    def close(self) -> None:
        """Closes all connections, also those that are in use."""
        for group in self._idle.values():
            for connection in group:
                connection.abort()
        for connection in self._open:
            connection.abort()
        self._idle.clear()
        self._open.clear()

    def give_back(self, connection: _Connection, target: Target) -> None:
        """A stream is over: keeps its connection if that can be used again."""
        self._open.discard(connection)
        if not connection.reusable:
            connection.abort()
            return
        group = self._idle.setdefault(target.pool, deque())
        now = connection.idle_since = time.monotonic()
        group.append(connection)
        while len(group) > MAX_IDLE_PER_HOST or now - group[0].idle_since > IDLE_S:
            group.popleft().abort()

    def _reused(self, target: Target) -> _Connection | None:
        """The connection that was used last, if there is one that still stands."""
        group = self._idle.get(target.pool)
        while group:
            connection = group.pop()
            if connection.reusable and time.monotonic() - connection.idle_since <= IDLE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self, target: Target, connect_s: float, until: float | None) -> _Connection:
        left = connect_s if until is None else until - time.monotonic()
        try:
            async with asyncio.timeout(min(connect_s, left)):
                return await _connect(target)
        except TimeoutError:
            if left < connect_s:
                raise
            raise ConnectFailed(f"no connection within {connect_s:g} s") from None
        except OSError as error:
            raise ConnectFailed(f"{type(error).__name__}: {error}") from None


class HttpStream:
    """An answer whose body is read as it comes. Close it, however it ends.

    Names in `headers` are in lower case.
    """

    __slots__ = ("_connection", "_connections", "_target", "headers", "status")

    def __init__(self, connection: _Connection, connections: Connections, target: Target) -> None:
        self._connection: _Connection | None = connection
        self._connections = connections
        self._target = target
        self.status = 0
        self.headers: Mapping[str, str] = {}

    def ready(self) -> bytes | None:
        """As `read`, but None where that would wait or raise."""
        return self._connection.ready() if self._connection is not None else b""

    async def read(self, timeout_s: float | None = None) -> bytes:
        """Whatever has arrived, at least one byte; b"" at the end.

        Raises:
            ConnectFailed: the connection broke before the end.
            TimeoutError: nothing came within `timeout_s` seconds.
        """
        connection = self._connection
        return await connection.read(timeout_s) if connection is not None else b""

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
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.give_back(connection, self._target)


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is coming in on it.

    Public methods are for its user; those with httptools' names are called while it parses.
    """

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.heard = False
        """Whether anything of an answer to the last request has come."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self._size = 0
        self._head_bytes = 0
        self._has_head = False
        self._complete = True
        self._keep = True
        self._paused = False
        self._broken: str | None = None
        """Why nothing more can come."""
        self._inflater: Inflater | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._late = False
        """Whether the time of whoever waits is over."""
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = None

    @property
    def reusable(self) -> bool:
        """Whether the last answer is complete and another may follow."""
        return self._complete and self._keep and not self._parts

    def send(self, request: bytes) -> None:
        """Begins a request."""
        self._complete = self._has_head = self.heard = False
        self._head_bytes = 0
        self._inflater = None
        if self._transport is None or not self._keep:
            self._fail("the connection was closed as soon as it was made")
        else:
            self._parser = httptools.HttpResponseParser(self)
            self._transport.write(request)

    async def wait_for_head(self, timeout_s: float | None = None) -> None:
        """Waits for status and headers. Raises `ConnectFailed` and `TimeoutError`."""
        timer = self._timer(timeout_s)
        try:
            while not self._has_head:
                await self._wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def read(self, timeout_s: float | None = None) -> bytes:
        """As `HttpStream.read`."""
        data = self.ready()
        if data is not None:
            return data
        timer = self._timer(timeout_s)
        try:
            while (data := self.ready()) is None:
                await self._wait()
        finally:
            if timer is not None:
                timer.cancel()
        return data

    def ready(self) -> bytes | None:
        """As `HttpStream.ready`."""
        parts = self._parts
        if not parts:
            return b"" if self._complete else None
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data if self._inflater is None else self._inflated(data)

    def _inflated(self, data: bytes) -> bytes | None:
        """What compressed bytes say; as `ready` where that is nothing yet."""
        assert self._inflater is not None  # noqa: S101 - only then
        try:
            out = self._inflater.feed(data)
        except NotCompressed as error:
            self._complete = self._keep = False
            self._broken = f"the answer cannot be unpacked: {error}"
            return None
        return out or (b"" if self._complete else None)

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        """Waits for something to happen. Raises `ConnectFailed` if nothing can any more, and
        `TimeoutError` if the time is over: something may have come with it, and said nothing yet.
        """
        if self._broken is not None:
            # Made anew each time: an error that was kept would keep all that it has passed.
            raise ConnectFailed(self._broken)
        if self._late:
            raise TimeoutError
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _timer(self, timeout_s: float | None) -> asyncio.TimerHandle | None:
        """Ends `_wait` with a `TimeoutError`; half the work of `asyncio.timeout`."""
        self._late = False
        if timeout_s is None:
            return None
        return self._loop.call_later(max(0.0, timeout_s), self._time_out)

    def _time_out(self) -> None:
        self._late = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, why: str) -> None:
        self._keep = False
        if self._broken is None and not self._complete:
            self._broken = why
        self._wake()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete or self._parser is None:
            # Nobody asked for this: the server says goodbye, or does not speak HTTP.
            self._keep = False
            self.abort()
            return
        self.heard = True
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"not an HTTP answer: {error}")
            self.abort()
            return
        if self._size > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._has_head:
            self._wake()

    def eof_received(self) -> None:
        headers = self.headers
        if self._has_head and not self._complete and "content-length" not in headers:
            # Without a length and without chunks the end of the connection ends the answer.
            self._complete = "chunked" not in headers.get("transfer-encoding", "").lower()
        self._fail("the connection was closed before the end of the answer")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._parser = None  # it knows this object, which knows it
        self._fail(
            f"{type(exc).__name__}: {exc}"
            if exc is not None
            else "the connection was closed before the end of the answer"
        )

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("it does not end where it says")
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise ValueError("its headers are too long")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None  # noqa: S101 - it is what calls this
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= 200  # those below announce the answer, they are none
        coding = self.headers.get("content-encoding")
        if coding is not None and coding.lower() != "identity":
            # It was asked not to be compressed; some proxies on the way do it all the same.
            try:
                self._inflater = inflater(coding)
            except UnknownCoding:
                raise ValueError(f"its content-encoding {coding!r} is not read here") from None

    def on_message_complete(self) -> None:
        if self._has_head and self._parser is not None:
            self._complete = True
            self._keep = self._keep and self._parser.should_keep_alive()


async def _connect(target: Target) -> _Connection:
    loop = asyncio.get_running_loop()
    context = tls_context() if target.tls else None
    if target.tunnel is None:
        _, connection = await loop.create_connection(
            _Connection, target.host, target.port, ssl=context,
            server_hostname=target.server_name if context is not None else None,
        )  # fmt: skip
        return connection
    transport, connection = await loop.create_connection(_Connection, target.host, target.port)
    lines = [f"CONNECT {target.tunnel} HTTP/1.1", f"host: {target.tunnel}"]
    if target.authorization is not None:
        lines.append(f"proxy-authorization: {target.authorization}")
    try:
        connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await connection.wait_for_head()
        if not 200 <= connection.status < 300:
            raise ConnectFailed(f"the proxy answered {connection.status}")
        inside = _Connection()
        secure = await loop.start_tls(
            transport, inside, tls_context(), server_hostname=target.server_name
        )
        if secure is None:
            raise ConnectFailed("the connection was closed while it was secured")
        inside.connection_made(secure)
    except BaseException:
        transport.abort()
        raise
    return inside


@cache
def tls_context() -> ssl.SSLContext:
    """How servers prove who they are; made once, because reading the authorities takes a while."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
