"""Requests under the eyes of the log: each knows its ids, and leaves a line when it is over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from tierwise.server.request import Receive, Scope, Send
from tierwise.telemetry.in_hand import IN_HAND, InHand

if TYPE_CHECKING:
    from tierwise.telemetry.access import AccessLog


async def observed(
    serve: ASGIApp, scope: Scope, receive: Receive, send: Send, access: AccessLog | None
) -> None:
    """Serves one request. What is logged meanwhile has its ids; `access` gets a line of it."""
    held = InHand()
    IN_HAND.set(held)  # the task is this request's own
    if access is None:
        await serve(scope, receive, send)
        return
    from tierwise.telemetry.access import Entry

    at, began = time.time(), time.monotonic()
    status: int | None = None

    def watched(message: MutableMapping[str, Any]) -> Awaitable[None]:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        return send(message)

    path = scope["path"]  # as it came: endpoints may write another
    try:
        await serve(scope, receive, watched)
    finally:
        took = time.monotonic() - began
        access.add(Entry(at, scope["method"], path, status, took, held))
