"""The control API: sees and breaks the providers, on a port of its own that outlives them."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from tierwise.errors import ConfigError
from tierwise.fleet.faults import HEALTHY, read_faults
from tierwise.fleet.provider import Provider, listen

_JSON = {"content-type": "application/json"}


class Control:
    """An HTTP server over the providers of one fleet."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._runner: web.AppRunner | None = None
        self._socket: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listens on `port`, or on a free one if it is 0; raises `ConfigError` if it is in use."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/fleet", self._show),
                web.put("/fleet/{provider}/faults", self._set_faults),
                web.delete("/fleet/{provider}/faults", self._clear_faults),
                web.post("/fleet/{provider}/kill", self._kill),
                web.post("/fleet/{provider}/revive", self._revive),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - `setup` has made it
        try:
            self._socket = await listen(server, port)
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._socket.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Frees the port."""
        if self._socket is not None:
            self._socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show(self, _: web.Request) -> web.Response:
        return _answer({"providers": [_state(p) for p in self._providers.values()]})

    async def _set_faults(self, request: web.Request) -> web.Response:
        provider = self._named(request)
        try:
            provider.faults = read_faults(await request.read())
        except ConfigError as error:
            raise _wrong(web.HTTPBadRequest, str(error)) from None
        return _answer(_state(provider))

    async def _clear_faults(self, request: web.Request) -> web.Response:
        provider = self._named(request)
        provider.faults = HEALTHY
        return _answer(_state(provider))

    async def _kill(self, request: web.Request) -> web.Response:
        provider = self._named(request)
        await provider.kill()
        return _answer(_state(provider))

    async def _revive(self, request: web.Request) -> web.Response:
        provider = self._named(request)
        try:
            await provider.revive()
        except ConfigError as error:
            raise _wrong(web.HTTPConflict, str(error)) from None
        return _answer(_state(provider))

    def _named(self, request: web.Request) -> Provider:
        name = request.match_info["provider"]
        provider = self._providers.get(name)
        if provider is None:
            near = difflib.get_close_matches(name, self._providers) or list(self._providers)
            raise _wrong(
                web.HTTPNotFound, f"no provider is called {name!r}. Use one of: {', '.join(near)}."
            )
        return provider


def _state(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "port": provider.port,
        "alive": provider.alive,
        "models": provider.models,
        "faults": provider.faults,
        "requests": provider.requests,
        "counts": provider.counts,
    }


def _answer(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), headers=_JSON)


def _wrong(kind: type[web.HTTPError], message: str) -> web.HTTPError:
    body = msgspec.json.encode({"error": {"message": message}})
    return kind(text=body.decode(), content_type="application/json")
