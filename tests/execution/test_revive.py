"""What is out is looked at in the background, and comes back when it gives signs of life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_deployment
from tierwise.errors import OutOfService, RateLimited, ServerFailed, UpstreamError
from tierwise.execution import revive
from tierwise.execution.revive import Reviver
from tierwise.providers import Transport, load_adapter
from tierwise.state.breaker import FAILURES_IN_ROW
from tierwise.state.health import Health
from tierwise.types import Deployment

PATIENCE_S = 10.0


class Lister:
    """A server that lists its models, or answers with this status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[tuple[str, str | None]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.headers.get("authorization")))
        assert await request.read() == b""
        return web.json_response({"data": []}, status=self.status)


@asynccontextmanager
async def reviving(
    status: int, *errors: UpstreamError
) -> AsyncIterator[tuple[Lister, Health, Deployment]]:
    """A deployment that has had these errors, looked after."""
    lister = Lister(status)
    app = web.Application()
    app.router.add_get("/v1/models", lister.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    deployment = a_deployment(base_url=str(server.make_url("/v1")), api_key="k")
    health = Health([deployment], time.monotonic)
    for error in errors:
        health.failed(deployment, error)
    transport = Transport()
    reviver = Reviver(
        {deployment.id: load_adapter(deployment.dialect)(deployment)}, transport, health
    )
    reviver.start()
    reviver.start()
    try:
        yield lister, health, deployment
    finally:
        await reviver.stop()
        await transport.close()
        await server.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revive, "LOOK_S", 0.01)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what is waited for is state, not an event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "errors", [[ServerFailed("x")] * FAILURES_IN_ROW, [OutOfService("bad key")]]
)
async def test_a_sign_of_life_lets_the_next_request_try(errors: list[UpstreamError]) -> None:
    async with reviving(200, *errors) as (lister, health, deployment):
        health.states[deployment.id].breaker.until += 60.0
        assert not health.available(deployment)
        await until(lambda: health.available(deployment))
        assert lister.asked[0] == ("GET", "Bearer k")
        assert health.order([deployment]) == [deployment]


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_anything_but_a_list_is_no_sign_of_life(status: int) -> None:
    async with reviving(status, OutOfService("bad key")) as (lister, health, deployment):
        await until(lambda: len(lister.asked) >= 2)
        assert not health.available(deployment)


async def test_who_asked_us_to_wait_is_not_disturbed() -> None:
    limited = RateLimited("x", retry_after=60.0)
    async with reviving(200, limited) as (lister, health, _):
        health.due_probe()
        await asyncio.sleep(0.1)
        assert lister.asked == []


async def test_a_server_that_is_gone_breaks_nothing() -> None:
    gone = a_deployment(base_url="http://127.0.0.1:9/v1")
    health, transport = Health([gone], time.monotonic), Transport()
    health.failed(gone, OutOfService("x"))
    reviver = Reviver({gone.id: load_adapter(gone.dialect)(gone)}, transport, health)
    reviver.start()
    state = health.states[gone.id]
    first = state.probes.at
    await until(lambda: state.probes.at != first)
    await reviver.stop()
    await transport.close()
    assert not health.available(gone)
