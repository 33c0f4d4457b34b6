"""One provider: an HTTP server of its own that can be made to fail, to die and to come back."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from tierwise.errors import ConfigError
from tierwise.fleet.faults import HEALTHY, Faults, read_faults
from tierwise.fleet.source import FleetModel
from tierwise.fleet.window import Window

if TYPE_CHECKING:
    from aiohttp import web

    from tierwise.fleet.connection import Connection
    from tierwise.fleet.reply import Replies

HOST = "127.0.0.1"
_BACKLOG = 2048


class Counts(Struct):
    """What became of the requests of a provider.

    `answered` in full; `refused` with an error status; `spoilt` by a fault (broken off, or not an
    answer); `disconnected` by the client before the end. What is still open or hangs is in none.
    """

    answered: int = 0
    refused: int = 0
    spoilt: int = 0
    disconnected: int = 0


class Provider:
    """A server that acts like a model provider.

    `models` are the ids that it serves and `upstream_names` its own names for them. `requests`
    counts the chat requests that were read, `faults` may be set at any time. `port` is 0 until
    the first start, and the same from then on; `host` is where it listens from the next start on.
    """

    def __init__(self, name: str, models: Sequence[FleetModel], *, seed: int) -> None:
        self.name = name
        self.models = tuple(model.id for model in models)
        self.upstream_names = tuple(model.upstream for model in models)
        self.seed = seed
        self.host = HOST
        self.port = 0
        self.requests = 0
        self.counts = Counts()
        self.window = Window()
        self._faults = HEALTHY
        self._server: web.Server | None = None
        self._socket: asyncio.Server | None = None
        self._unread: set[asyncio.Transport] = set()

    @property
    def api_key(self) -> str:
        """The one key that it takes."""
        return f"fleet-{self.name}-key"

    @property
    def alive(self) -> bool:
        """Whether it accepts connections."""
        return self._socket is not None

    @property
    def faults(self) -> Faults:
        """What is wrong with it."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        faults = read_faults(faults)
        faults.check_models(self.name, self.models)
        if faults.rate_limit != self._faults.rate_limit:
            self.window = Window()
        was_blackhole, self._faults = self._faults.blackhole, faults
        if faults.blackhole and not was_blackhole:
            for connection in self._connections():
                if connection.transport is not None:
                    connection.transport.pause_reading()
        elif was_blackhole and not faults.blackhole:
            # Nobody knows what was lost on these, so they end as after a broken route.
            self._drop_all()

    async def start(self, port: int, replies: Replies, speed: float) -> None:
        """Listens on `port`, or on a free one if it is 0.

        Raises:
            ConfigError: the port is in use.
        """
        from aiohttp import web

        from tierwise.fleet.serving import Serving

        serving = Serving(self, replies, self.api_key, speed)
        self._server = web.Server(serving, handler_cancellation=True)
        await self._listen(port)

    async def stop(self) -> None:
        """Ends all connections and frees the port."""
        await self.kill()
        if self._server is not None:
            await self._server.shutdown(timeout=0.1)
            self._server = None

    async def kill(self) -> None:
        """Dies: open connections end, new ones are refused. Nothing to do if it is dead."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._drop_all()
        # The sockets are closed by the loop, so that whoever waited for this finds them closed.
        await asyncio.sleep(0)

    async def revive(self) -> None:
        """Comes back on the same port. Nothing to do if it is alive."""
        if self._socket is None:
            await self._listen(self.port)

    async def _listen(self, port: int) -> None:
        from tierwise.fleet.connection import Connection

        loop = asyncio.get_running_loop()
        server = self._server
        if server is None:
            raise RuntimeError(f"{self.name} was never started")

        def accept() -> asyncio.Protocol:
            return _Unread(self._unread) if self._faults.blackhole else Connection(server, loop)

        self._socket = await listen(accept, port, self.host)
        self.port = self._socket.sockets[0].getsockname()[1]

    def _connections(self) -> list[Connection]:
        return list(self._server.connections) if self._server is not None else []  # type: ignore[arg-type]

    def _drop_all(self) -> None:
        for connection in self._connections():
            connection.drop()
        for transport in list(self._unread):
            transport.abort()
        self._unread.clear()


class _Unread(asyncio.Protocol):
    """A connection that is accepted and never read."""

    def __init__(self, open_ones: set[asyncio.Transport]) -> None:
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open_ones.add(self._transport)
        self._transport.pause_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self._open_ones.discard(self._transport)


async def listen(
    accept: Callable[[], asyncio.Protocol], port: int, host: str = HOST
) -> asyncio.Server:
    """A listening socket, on loopback unless another host is named.

    Raises:
        ConfigError: the port is in use.
    """
    try:
        return await asyncio.get_running_loop().create_server(accept, host, port, backlog=_BACKLOG)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "in use" if error.errno == errno.EADDRINUSE else "not ours to use"
        raise ConfigError(
            f"port {port} is {why}",
            field="--base-port",
            remedy="Choose another base port, or 0 for free ones.",
        ) from None
