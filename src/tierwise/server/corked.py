"""uvicorn's HTTP protocol, with what is written in one turn of the event loop sent at once.

Requests whose heads are too long, or do not come, are refused, and so are trailers without end
behind a body: uvicorn would take them in and wait for ever.

uvicorn writes the head of an answer, each part and the end one by one, and uvloop makes a system
call of each. Those calls are a tenth of what a request costs. It also searches each header of an
answer twice for what must not be in it; of whole answers the head is looked at once here.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import httptools
import msgspec
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_OFFER_OF_HTTP_2 = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)

MOST_HEAD_BYTES = 64 << 10
"""Of a request line and headers, keys and all."""
HEAD_TOO_LARGE = "tierwise.head_too_large"
"""Is in the scope of a request that is to be refused for that."""
LINGER_S = 0.5
"""How long an idle connection stays when the gateway stops, in seconds."""
LAST_LOOK_S = 0.02
"""And for how long it is looked after that whether something has come, in seconds."""
HEAD_S = 60.0
"""How long a new connection's first head, or the rest of a later one, may take, in seconds."""


def _refusal(status: bytes, code: str, message: str) -> bytes:
    """An answer that ends its connection; in OpenAI's shape, as nobody knows yet who asks."""
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    said = msgspec.json.encode({"error": error})
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (status, len(said), said)
    )


_TOO_LONG = _refusal(
    b"431 Request Header Fields Too Large",
    "headers_too_large",
    f"The request line and headers have more than {MOST_HEAD_BYTES} bytes. Send fewer or shorter "
    "headers, and what is long in the body.",
)
_TOO_SLOW = _refusal(
    b"408 Request Timeout",
    "headers_too_slow",
    f"The request line and headers did not come within {HEAD_S:g} s. Send the request again.",
)


_LINES = {
    name: name + b": "
    for name in (
        b"content-type",
        b"content-length",
        b"request-id",
        b"x-request-id",
        b"x-upstream-request-id",
        *(b"age", b"x-content-type-options", b"strict-transport-security"),
        *(b"x-tierwise-" + own for own in (b"decision-id", b"model", b"deployment", b"tier")),
        *(b"x-tierwise-" + own for own in (b"cost-usd", b"attempts", b"dropped", b"cache")),
    )
}
"""How the lines of the commonest headers begin, by their names."""
_CONTROLS = bytes([*range(9), *range(10, 32), 127])
"""What no header may hold; two of them end each line."""


class QuickCycle(RequestResponseCycle):
    """One request and its answer; the heads of whole answers are written at a fraction of the cost.

    Whatever is out of the ordinary is left to uvicorn.
    """

    async def send(self, message: Any) -> None:
        """Takes the head of an answer, or a part of it."""
        if not self.response_started and message["type"] == "http.response.start":
            head = self._head(message)
            if head is not None:
                self.response_started = True
                self.waiting_for_100_continue = False
                self.chunked_encoding = False
                self.transport.write(head)
                return
        await super().send(message)

    def _head(self, message: Any) -> bytes | None:
        """A head that is as most are; None for any other."""
        if (
            message["status"] != 200
            or not self.keep_alive
            or self.disconnected
            or self.flow.write_paused
            or self.access_log
        ):
            return None
        length: bytes | None = None
        parts = [b"HTTP/1.1 200 OK\r\n"]
        headers = [*self.default_headers, *message["headers"]]
        for name, value in headers:
            line = _LINES.get(name)
            if line is None:
                return None
            if name == b"content-length":
                length = value
            parts += line, value, b"\r\n"
        if length is None or not length.isdigit():
            return None
        parts.append(b"\r\n")
        head = b"".join(parts)
        ends = len(headers) + 2
        if len(head.translate(None, _CONTROLS)) != len(head) - 2 * ends:
            return None  # uvicorn says what is wrong with it
        self.expected_content_length = int(length)
        return head


httptools_impl.RequestResponseCycle = QuickCycle  # type: ignore[misc] # it has no other seam


class CorkedProtocol(HttpToolsProtocol):
    """For uvicorn's `http` option."""

    _bare_bytes = 0
    """Those since the last end of a head or part of a body: of a head that has not ended, or of
    trailers."""
    _bytes_so_far = 0
    """The same with what is being read: a head that ends in it has no more bytes than that."""
    _moved = False
    _deaf = False
    _leaving = False
    _head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived, without the offer to speak HTTP/2 instead.

        Java's HTTP client makes it with every first request. It may be ignored, and the parser
        does not: it takes the request to end with its head, and the body is lost.
        """
        if self._deaf:
            return
        self._bytes_so_far = self._bare_bytes + len(data)
        if b"h2c" in data:
            head, blank_line, body = data.partition(b"\r\n\r\n")
            data = _OFFER_OF_HTTP_2.sub(b"", head + b"\r\n", count=1)[:-2] + blank_line + body
        super().data_received(data)
        scope: Any = self.scope
        in_head = scope is None or "method" not in scope
        if in_head:
            self._await_head()
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._moved:
            self._moved = False
            self._bare_bytes = 0
            return
        self._bare_bytes = self._bytes_so_far
        if self._bare_bytes <= MOST_HEAD_BYTES or self.transport.is_closing():
            return
        if in_head:
            self._refuse_head()
        else:
            # Behind a body the answer may have begun, and nothing can be said beside it.
            self._hang_up(b"")

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._moved = True
        if self._bytes_so_far > MOST_HEAD_BYTES and self._head_bytes() > MOST_HEAD_BYTES:
            cast(Any, self.scope)[HEAD_TOO_LARGE] = True
        super().on_headers_complete()
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._moved = True
        super().on_body(body)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Puts the cork between uvicorn and its connection."""
        super().connection_made(CorkedTransport(transport, self.loop))
        self._await_head()

    def shutdown(self) -> None:
        """The gateway stops: what comes now is the last request on this connection.

        One that is idle, or whose answer has begun and does not say that it is the last, is not
        closed at once. A proxy may have put a request on it just now, which would be lost, and
        which it may not ask again elsewhere once it was sent.
        """
        if self._answers:
            if not self.cycle.response_started:
                super().shutdown()
            self._leaving = True
        else:
            self._leaving = True
            self.loop.call_later(LINGER_S, self._linger, LAST_LOOK_S)

    def on_response_complete(self) -> None:
        """An answer has been sent."""
        super().on_response_complete()
        if self._leaving and not self.transport.is_closing():
            self.loop.call_later(LINGER_S, self._linger, LAST_LOOK_S)

    def _linger(self, more_s: float) -> None:
        """Closes the connection if it is idle, after another look.

        Where the process had to wait for its turn, time is over before what has arrived was read.
        """
        if self._answers:
            return
        if more_s:
            self.loop.call_later(more_s, self._linger, 0.0)
        else:
            super().shutdown()

    @property
    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._head_is_late)

    def _head_is_late(self) -> None:
        # Who has said nothing is told nothing: it may be about to ask, and would take it for an
        # answer.
        self._hang_up(b"" if self.scope is None else _TOO_SLOW)

    def _head_bytes(self) -> int:
        lines = (len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        return len(self.url) + sum(lines)

    def _refuse_head(self) -> None:
        """Refuses a head that has not ended, and hears no more of it.

        It is answered as if it had ended here, so that its client reads that in its own words.
        """
        self._deaf = True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        scope: Any = self.scope
        if scope is not None:
            scope[HEAD_TOO_LARGE] = True
            try:
                super().on_headers_complete()
            except (httptools.HttpParserError, UnicodeDecodeError):
                pass  # nor has its first line
            else:
                self.cycle.keep_alive = False
                return
        self._hang_up(_TOO_LONG)

    def _hang_up(self, words: bytes) -> None:
        if not self.transport.is_closing():
            if words:
                self.transport.write(words)
            self.transport.close()


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
