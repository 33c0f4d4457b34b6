"""Who is still being served, and whose client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from tierwise.server.request import ClientWatch


async def _silent() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_shutdown_can_wait_for_requests_that_are_cancelled_to_be_booked() -> None:
    watch = ClientWatch()
    here, booked = asyncio.Event(), []

    async def serve() -> None:
        watched = watch.enter(_silent)
        here.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            booked.append("me")
            watch.leave(watched)

    request = asyncio.create_task(serve())
    await here.wait()
    request.cancel()
    await watch.all_left(5)
    assert booked == ["me"]
    await watch.all_left(5)


async def test_a_client_that_has_gone_cancels_its_request_and_says_so() -> None:
    watch = ClientWatch()
    gone = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    seen = []

    async def serve() -> None:
        watched = watch.enter(receive)
        gone.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(watched.gone)
        finally:
            watch.leave(watched)

    await asyncio.wait_for(serve(), 5)
    assert seen == [True]
