"""What goes out to one client: answers, streams, errors, and signs of life before a stream."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from tierwise.server.request import ClientGone, Send
from tierwise.server.speech import Exchange
from tierwise.telemetry.in_hand import IN_HAND

KEEP_ALIVE_S = 5.0
"""How often a client hears of a stream that is held back, in seconds."""
STALLED_S = 5.0
"""How long after its deadline a stream may still be on its way to a slow client, in seconds."""
_JSON = (b"content-type", b"application/json")


class Sent:
    """What has gone out to one client."""

    __slots__ = ("_send", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def message(self, message: MutableMapping[str, Any]) -> None:
        """A part of an answer that was kept."""
        self.started = True
        if message["type"] == "http.response.start":
            _note(message["status"])
        await self._send(message)

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers."""
        self.started = True
        _note(status)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def block(self, block: bytes) -> None:
        """A part of the body, with more to come."""
        await self._send({"type": "http.response.body", "body": block, "more_body": True})

    async def end(self, block: bytes = b"") -> None:
        """The end of a body that was sent in parts."""
        await self._send({"type": "http.response.body", "body": block})

    async def whole(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """A complete 200 answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self.head(200, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def error(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """An error as a response."""
        await self.head(status, [_JSON, (b"content-length", b"%d" % len(body)), *headers])
        await self._send({"type": "http.response.body", "body": body})


def _note(status: int) -> None:
    """Tells the log, where that wants to know."""
    held = IN_HAND.get()
    if held is not None:
        held.status = status


class KeepAlive:
    """Tells a client, and the proxies on its way, that a stream which is held back is alive.

    The first sign goes out after `KEEP_ALIVE_S`, and with it the status: what fails later is told
    as the last event of the stream.
    """

    __slots__ = ("_ended", "_exchange", "_sent", "_task", "_timer")

    def __init__(self, sent: Sent, exchange: Exchange) -> None:
        self._sent = sent
        self._exchange = exchange
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """A stream is being held from now on; may be called for the next one too."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._start)

    async def end(self) -> None:
        """Nothing more is sent once this returns."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._ended.set()
        if self._task is not None:
            # Waited for and not cancelled: what is half sent must be sent.
            done, _ = await asyncio.wait([self._task], timeout=STALLED_S)
            if not done:
                self._task.cancel()
                raise ClientGone
            self._task.result()

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        await self._sent.head(200, list(self._exchange.head))
        while not self._ended.is_set():
            await self._sent.block(self._exchange.alive)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), KEEP_ALIVE_S)
