"""One open stream from a deployment: reads with deadlines, and what has been seen so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tierwise.errors import StreamBroken, UpstreamTimeout
from tierwise.providers import Adapter, StreamReader, Transport
from tierwise.providers.http import HttpStream
from tierwise.types import Deployment, Task


class LiveStream:
    """A stream whose first event has come."""

    __slots__ = ("_clock", "_ended", "_http", "_until", "began", "deployment", "first", "reader")

    def __init__(
        self,
        http: HttpStream,
        reader: StreamReader,
        deployment: Deployment,
        clock: Callable[[], float],
        began: float,
        until: float,
    ) -> None:
        self._http = http
        self._clock = clock
        self._until = until
        self._ended = False
        self.reader = reader
        self.deployment = deployment
        self.began = began
        self.first = b""

    @classmethod
    async def open(
        cls,
        transport: Transport,
        adapter: Adapter,
        task: Task,
        clock: Callable[[], float],
        *,
        keep: bool,
    ) -> LiveStream:
        """Asks for a stream and waits for its first event.

        Raises:
            UpstreamError: no connection, no success, an error event, or nothing in time.
        """
        deployment = adapter.deployment
        limits = deployment.timeouts
        began = clock()
        until = min(began + limits.total, task.deadline)
        wait = min(limits.first_token, until - began)
        http: HttpStream | None = None
        try:
            async with asyncio.timeout(wait):
                http = await transport.open(adapter.request(task))
                if not 200 <= http.status < 300:
                    raise adapter.error(http.status, http.headers, await http.read_all())
                reader = adapter.stream_reader(task, keep=keep)
                live = cls(http, reader, deployment, clock, began, until)
                while not reader.started:
                    data = await http.read()
                    if not data:
                        live._ended = True
                        live.first += reader.close()
                        if not reader.started:
                            raise StreamBroken("the stream ended before its first event")
                        break
                    live.first += reader.feed(data)
        except TimeoutError:
            if http is not None:
                http.close()
            raise UpstreamTimeout(f"no first token within {wait:.3g} s") from None
        except BaseException:
            if http is not None:
                http.close()
            raise
        return live

    async def read(self) -> bytes:
        """The next bytes for the client; b"" at the end.

        Raises:
            UpstreamError: the stream broke, carried an error, or stood still for too long.
        """
        while not self._ended:
            now = self._clock()
            wait = min(self.deployment.timeouts.between_tokens, self._until - now)
            try:
                async with asyncio.timeout(wait):
                    data = await self._http.read()
            except TimeoutError:
                raise UpstreamTimeout(f"nothing for {wait:.3g} s in mid-stream") from None
            if not data:
                self._ended = True
                return self.reader.close()
            block = self.reader.feed(data)
            if block:
                return block
        return b""

    def close(self) -> None:
        """Ends the upstream call."""
        self._http.close()
