"""One open stream from a deployment: reads with deadlines, and what has been seen so far."""

from __future__ import annotations

from collections.abc import Callable

from tierwise.errors import ConnectFailed, StreamBroken, UpstreamTimeout
from tierwise.providers import Adapter, StreamReader, Transport
from tierwise.providers.connections import HttpStream
from tierwise.providers.http import request_id_of
from tierwise.providers.reading import failure_of
from tierwise.telemetry.context import carrying
from tierwise.types import Deployment, Task


class LiveStream:
    """A stream whose first event has come."""

    __slots__ = (
        "_clock",
        "_ended",
        "_http",
        "_until",
        "began",
        "deployment",
        "first",
        "headers",
        "reader",
        "span",
    )

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
        self.headers = http.headers
        self.span: str | None = None

    @classmethod
    async def open(
        cls,
        transport: Transport,
        adapter: Adapter,
        task: Task,
        clock: Callable[[], float],
        *,
        keep: bool,
        span: str | None = None,
    ) -> LiveStream:
        """Asks for a stream and waits for its first event.

        Args:
            span: what the call is called in the task's trace, if it has one.

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
            http = await transport.open(carrying(adapter.request(task), task.trace, span), wait)
            if not 200 <= http.status < 300:
                error = adapter.error(http.status, http.headers, await http.read_all())
                error.upstream_id = request_id_of(http.headers)
                raise error
            reader = adapter.stream_reader(task, keep=keep)
            live = cls(http, reader, deployment, clock, began, until)
            live.span = span
            await live._begin(began + wait)
            if not reader.started:
                raise StreamBroken("the stream ended before its first event")
        except TimeoutError:
            if http is not None:
                http.close()
            raise UpstreamTimeout(f"no first token within {wait:.3g} s") from None
        except BaseException:
            if http is not None:
                http.close()
            raise
        return live

    async def _begin(self, until: float) -> None:
        """Reads until something of the answer is here, or the clock shows `until`."""
        while not self.reader.started:
            data = await self._http.read(until - self._clock())
            if data:
                self.first += self.reader.feed(data)
                continue
            self._ended = True
            self.first += self.reader.close()
            return

    async def read(self) -> bytes:
        """The next bytes for the client; b"" at the end.

        Raises:
            UpstreamError: the stream broke, carried an error, or stood still for too long.
        """
        try:
            while not self._ended:
                data = self._http.ready()
                if data is None:
                    data = await self._wait()
                if not data:
                    self._ended = True
                    return self.reader.close()
                block = self.reader.feed(data)
                if block:
                    return block
        except Exception as raised:  # noqa: BLE001 - somebody else's adapter may raise anything
            error = failure_of(raised, self.deployment)
            raise error from error.__cause__
        return b""

    async def _wait(self) -> bytes:
        """The next bytes of the upstream; b"" at its end."""
        now = self._clock()
        wait = min(self.deployment.timeouts.between_tokens, self._until - now)
        try:
            return await self._http.read(wait)
        except TimeoutError:
            if not self.reader.finished:
                raise UpstreamTimeout(f"nothing for {wait:.3g} s in mid-stream") from None
        except ConnectFailed as error:
            if not self.reader.finished:
                raise StreamBroken(error.message) from None
        return b""  # the answer is whole, only the goodbye is missing

    def close(self) -> None:
        """Ends the upstream call."""
        self._http.close()
