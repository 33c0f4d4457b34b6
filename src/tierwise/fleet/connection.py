"""One client's connection to a provider, and the ways to end it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import NoReturn

from aiohttp import web

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST instead of FIN."""


class Connection(web.RequestHandler):
    """Remembers whether it was used before, and whether the fleet ended it or the client."""

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        # aiohttp's own servers pass None here too, to log nothing.
        super().__init__(server, loop=loop, access_log=None)  # type: ignore[arg-type]
        self.used = False
        self.ended_here = False

    def drop(self, *, reset: bool = False) -> None:
        """Ends it at once: as a dying process does, or with a TCP reset."""
        self.ended_here = True
        if self.transport is None:
            return
        if reset:
            own_socket = self.transport.get_extra_info("socket")
            own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def close_after(self, data: bytes = b"") -> None:
        """Ends it once what was written has left, and `data` behind it."""
        self.ended_here = True
        if self.transport is not None:
            self.transport.write(data)
            self.transport.close()


def connection_of(http: web.BaseRequest) -> Connection:
    """The connection that a request came over."""
    protocol = http.protocol
    assert isinstance(protocol, Connection)  # noqa: S101 - providers make no others
    return protocol


async def for_ever() -> NoReturn:
    """Waits until the connection is lost, which cancels whoever serves it."""
    while True:
        await asyncio.Event().wait()
