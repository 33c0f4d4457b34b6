"""Who is still being served, whose client has gone, and whose body does not come."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from tierwise.errors import BodyTooLarge
from tierwise.server.request import ClientWatch, Watched, read_body


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
        watched.heard(more=False)
        gone.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(watched.gone)
        finally:
            watch.leave(watched)

    await asyncio.wait_for(serve(), 5)
    assert seen == [True]


async def test_a_body_that_stalls_cuts_its_request_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tierwise.server.request.UPLOAD_STALLED_S", 0.2)
    monkeypatch.setattr("tierwise.server.request.WATCH_AFTER_S", 0.01)
    watch = ClientWatch()
    parts: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True}
    ]
    seen = []

    async def receive() -> MutableMapping[str, Any]:
        return parts.pop() if parts else await _silent()

    async def serve() -> None:
        watched = watch.enter(receive)
        try:
            await read_body(receive, {}, 1000, watched)
        except asyncio.CancelledError:
            seen.append((watched.stalled, watched.gone))
        finally:
            watch.leave(watched)

    await asyncio.wait_for(serve(), 5)
    assert seen == [(True, False)]


async def test_a_part_of_the_body_starts_the_wait_anew() -> None:
    watched = Watched(_silent, None)
    watched.looks = 7
    watched.heard(more=True)
    assert (watched.looks, watched.uploading) == (0, True)
    watched.heard(more=False)
    assert not watched.uploading


async def test_a_declared_body_over_the_limit_is_not_even_asked_for() -> None:
    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("it was asked for")

    with pytest.raises(BodyTooLarge, match="The body has 1,001 bytes or more"):
        await read_body(receive, {b"content-length": b"1001"}, 1000, Watched(receive, None))


async def test_a_single_part_over_the_limit_is_refused_where_no_length_was_declared() -> None:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b" " * 1001}

    with pytest.raises(BodyTooLarge):
        await read_body(receive, {}, 1000, Watched(receive, None))
