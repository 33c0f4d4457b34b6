"""A provider of more than answers: of files, images and whatever else is passed through."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway import Provider

LARGE = 3 << 20
"""Bytes of a file's content."""


@dataclass
class Elsewhere(Provider):
    """A provider that says what it got, whatever the path."""

    got: list[dict[str, Any]] = field(default_factory=list)

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._any)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def _any(self, request: web.Request) -> web.StreamResponse:
        size = 0
        kept = b""
        async for piece in request.content.iter_any():
            size += len(piece)
            kept = (kept + piece)[:10_000]
            self.arrived.set()
        self.got.append(
            {
                "method": request.method,
                "path": request.path_qs,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "size": size,
                "body": kept,
            }
        )
        return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/content"):
            response = web.StreamResponse(headers={"content-type": "application/octet-stream"})
            await response.prepare(request)
            for _ in range(LARGE >> 16):
                await response.write(b"x" * (1 << 16))
            await response.write_eof()
            return response
        if request.path.endswith("/generations"):
            usage = {"input_tokens": 7, "output_tokens": 300, "total_tokens": 307}
            packed = gzip.compress(json.dumps({"data": [], "usage": usage}).encode())
            coded = {"content-type": "application/json", "content-encoding": "gzip"}
            return web.Response(body=packed, headers=coded)
        if request.path.endswith("/chat/completions"):
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            return web.json_response({"model": "small", "choices": [], "usage": usage})
        if request.path.endswith("/batch-1"):
            return web.json_response({"usage": {"input_tokens": 9, "output_tokens": 9}})
        if request.path.endswith("/missing"):
            return web.json_response(
                {"error": {"message": "gone"}}, status=404, headers={"retry-after": "7"}
            )
        if request.path.endswith("/moved"):
            raise web.HTTPFound("/v1/elsewhere")
        if request.path.endswith(("/slow", "/endless")):
            if request.path.endswith("/endless"):
                response = web.StreamResponse(headers={"content-type": "audio/wav"})
                await response.prepare(request)
                await response.write(b"x")
            try:
                self.arrived.set()
                await asyncio.Event().wait()
            except BaseException:
                self.gone.set()
                raise
        return web.json_response(
            {"ok": True}, headers={"x-request-id": "req_1", "set-cookie": "a=b", "x-own": "1"}
        )
