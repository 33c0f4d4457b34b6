"""uvicorn's HTTP protocol, with what is written in one turn of the event loop sent at once.

Requests whose heads do not end are refused: uvicorn would take them in for ever.

uvicorn writes the head of an answer, each part and the end one by one, and uvloop makes a system
call of each. Those calls are a tenth of what a request costs.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER_OF_HTTP_2 = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)

MOST_HEAD_BYTES = 64 << 10
"""Of a request line and headers, keys and all; what comes at once may be a little more."""
_SAID = (
    b'{"error":{"message":"The request line and headers have more than %d bytes. Send fewer or '
    b'shorter headers, and what is long in the body.","type":"invalid_request_error",'
    b'"param":null,"code":"headers_too_large"}}' % MOST_HEAD_BYTES
)
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_SAID), _SAID)
)


class CorkedProtocol(HttpToolsProtocol):
    """For uvicorn's `http` option."""

    _head_bytes = 0
    """Those of a head whose end has not come yet."""

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived, without the offer to speak HTTP/2 instead.

        Java's HTTP client makes it with every first request. It may be ignored, and the parser
        does not: it takes the request to end with its head, and the body is lost.
        """
        if b"h2c" in data:
            head, blank_line, body = data.partition(b"\r\n\r\n")
            data = _OFFER_OF_HTTP_2.sub(b"", head + b"\r\n", count=1)[:-2] + blank_line + body
        super().data_received(data)
        scope: Any = self.scope
        if scope is None or "method" in scope:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Puts the cork between uvicorn and its connection."""
        super().connection_made(CorkedTransport(transport, self.loop))


class CorkedTransport(asyncio.Transport):
    """As much of a transport as uvicorn uses. Sends when the event loop comes round again."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Takes bytes to be sent soon."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(cast(bytes, data))

    def close(self) -> None:
        """Sends what waits, then closes."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Makes the client wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Lets the client go on."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def _flush(self) -> None:
        parts = self._parts
        if not parts:
            return
        self._parts = []
        if not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
