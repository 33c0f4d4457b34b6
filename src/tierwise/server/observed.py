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
    """Serves one request. What is logged meanwhile has its ids; `access` gets a line of it.

    That has the path as it came: endpoints may write another.
    """
    held = InHand(time.time(), scope["method"], scope["path"])
    IN_HAND.set(held)  # the task is this request's own
    if access is None:
        await serve(scope, receive, send)
        return
    began = time.monotonic()
    if scope["method"] == "OPTIONS":
        send = noting(send)  # it may be answered before any endpoint hears of it
    try:
        await serve(scope, receive, send)
    finally:
        access.add(held, time.monotonic() - began)


def noting(send: Send) -> Send:
    """`send`, which tells the log of the status. Endpoints that stream tell it themselves: for each
    part of a stream this would be one call more."""
    held = IN_HAND.get()
    if held is None:
        return send

    def noted(message: MutableMapping[str, Any]) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            held.status = message["status"]
        return send(message)

    return noted
