"""A provider that does as it is told: a real HTTP server on loopback with scripted replies."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Reply:
    """One scripted answer.

    `events` makes it a stream; at a None in it the server waits until it is told to go on.
    `hang` says where it stands still until the client leaves or the server closes: before the
    headers, or after the last event. `cut` breaks the connection after the last event instead of
    ending the answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[bytes | None] | None = None
    hang: str | None = None
    cut: bool = False


def says(answer: Mapping[str, Any], status: int = 200, **headers: str) -> Reply:
    """A JSON answer; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(answer).encode(), named)


def fails(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's shape."""
    return says({"error": {"message": message, "type": "x", "code": None}}, status, **headers)


def streams(events: Sequence[bytes | None], *, hang: bool = False, cut: bool = False) -> Reply:
    """A stream of these events."""
    return Reply(events=events, hang="end" if hang else None, cut=cut)


HANGS = Reply(hang="start")


@dataclass
class Asked:
    """A request as it came."""

    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Upstream:
    """Answers requests with its script, the last reply over and over."""

    def __init__(self, *script: Reply) -> None:
        self.script = list(script)
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()
        self.left = asyncio.Event()
        """Set when a client went away before its answer was complete."""
        self.base_url = ""
        self._closing = asyncio.Event()

    @property
    def calls(self) -> int:
        return len(self.asked)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        reply = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append(Asked(dict(request.headers), await request.read()))
        self.arrived.set()
        try:
            if reply.hang == "start":
                await self._closing.wait()
            if reply.events is not None:
                return await self._stream(request, reply)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        headers = {"content-type": "application/json", **reply.headers}
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        headers = {"content-type": "text/event-stream", **reply.headers}
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        for event in reply.events or ():
            if event is None:
                await self.go_on.wait()
            else:
                await response.write(event)
        if reply.hang == "end":
            await self._closing.wait()
        if reply.cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    def close(self) -> None:
        self._closing.set()
        self.go_on.set()


@asynccontextmanager
async def upstreams(*scripts: Reply | Sequence[Reply]) -> AsyncIterator[list[Upstream]]:
    """One running server for each script; a single reply is repeated."""
    servers: list[TestServer] = []
    running: list[Upstream] = []
    try:
        for script in scripts:
            upstream = Upstream(*([script] if isinstance(script, Reply) else script))
            app = web.Application(client_max_size=1 << 26)
            app.router.add_post("/{path:.*}", upstream.handle)
            server = TestServer(app, host="127.0.0.1")
            await server.start_server()
            servers.append(server)
            upstream.base_url = str(server.make_url("/v1"))
            running.append(upstream)
        yield running
    finally:
        for upstream in running:
            upstream.close()
        for server in servers:
            await server.close()


def dead_url() -> str:
    """A URL on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"
