"""`python -m tierwise.bench.scripted PORT`: providers of all dialects that answer from a script.

The first folder of a path says which dialect is spoken. Every event of a stream is a write of its
own, as a model gives it out.
"""

from __future__ import annotations

import asyncio
import sys

from tierwise.bench.scripts import ADAPTERS, Script, script

_STREAMS = (b'"stream":true', b'"stream": true')
_LENGTH = b"content-length:"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n"


class Scripted(asyncio.Protocol):
    """One connection."""

    def __init__(self, scripts: dict[bytes, Script]) -> None:
        self._scripts = scripts
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps where to write to."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - TCP's are
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each request when its body is whole."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        size = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == _LENGTH), 0
        )
        if len(body) >= size:
            self._received = body[size:]
            self._answer(head.split(b" ", 2)[1], body[:size])

    def _answer(self, path: bytes, body: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - it is connected
        said = self._scripts[path.split(b"/", 2)[1]]
        if b":streamGenerateContent" not in path and not any(s in body for s in _STREAMS):
            length = b"content-length: %d" % len(said.whole)
            self._transport.write(_HEAD % (b"application/json", length) + said.whole)
            return
        self._transport.write(_HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
        for event in said.events:
            self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self._transport.write(b"0\r\n\r\n")


async def _serve(port: int) -> None:
    scripts = {name.encode(): script(name) for name in ADAPTERS}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Scripted(scripts), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
