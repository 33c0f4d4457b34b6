"""Sends one answer, whole or as a stream, with the faults that spoil it on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from aiohttp import web

from tierwise.fleet import bodies
from tierwise.fleet.connection import connection_of, for_ever
from tierwise.fleet.faults import Cut, Faults
from tierwise.fleet.speak import Answer

if TYPE_CHECKING:
    from tierwise.fleet.provider import Counts

JSON = {"content-type": "application/json"}
_HTML = {"content-type": "text/html; charset=utf-8"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Delivery:
    """One answer on its way to one client.

    `faults` are those that hit this request, `headers` go out with every answer, and `counts`
    learns what became of it.
    """

    def __init__(
        self, http: web.BaseRequest, faults: Faults, headers: dict[str, str], counts: Counts
    ) -> None:
        self._http = http
        self._faults = faults
        self._headers = headers
        self._counts = counts

    async def whole(self, answer: Answer, latency_s: float) -> web.StreamResponse:
        """Sends it in one piece, `latency_s` seconds from now."""
        if latency_s:
            await asyncio.sleep(latency_s)
        faults = self._faults
        if faults.garbage is not None and faults.garbage.kind == "html":
            return self._web_page()
        body = answer.whole()
        if faults.garbage is not None:
            self._counts.spoilt += 1
            return web.Response(body=body[: len(body) // 2], headers={**JSON, **self._headers})
        if faults.hang is None and faults.cut is None:
            self._counts.answered += 1
            return web.Response(body=body, headers={**JSON, **self._headers})
        response = web.StreamResponse(headers={**JSON, **self._headers})
        response.content_length = len(body)
        await response.prepare(self._http)
        if faults.hang is not None:
            await for_ever()
        await response.write(body[: len(body) // 2])
        await self._cut(faults.cut)

    async def stream(self, answer: Answer, first_s: float, rest_s: float) -> web.StreamResponse:
        """Sends its events: the first in `first_s` seconds, the last `rest_s` after it."""
        faults = self._faults
        if faults.garbage is not None and faults.garbage.kind == "html":
            await asyncio.sleep(first_s)
            return self._web_page()
        response = web.StreamResponse(headers={**_EVENTS, **self._headers})
        await response.prepare(self._http)
        if faults.hang is not None:
            await for_ever()
        events = answer.events()
        end, fault = _earliest(faults, len(events))
        await _play(response, events[:end], first_s, rest_s / len(events))
        if fault == "stall":
            await for_ever()
        elif fault == "cut":
            await self._cut(faults.cut)
        elif fault is None:
            self._counts.answered += 1
        else:
            self._counts.spoilt += 1
            broken = bodies.ERROR_EVENT if fault == "error_event" else bodies.BROKEN_EVENT
            await response.write(broken)
        await response.write_eof()
        return response

    def _web_page(self) -> web.Response:
        self._counts.spoilt += 1
        return web.Response(body=bodies.HTML, headers={**_HTML, **self._headers})

    async def _cut(self, cut: Cut | None) -> NoReturn:
        assert cut is not None  # noqa: S101 - it is what brought us here
        await asyncio.sleep(cut.pause_s)
        self._counts.spoilt += 1
        connection_of(self._http).drop(reset=cut.reset)
        await for_ever()


def _earliest(faults: Faults, events: int) -> tuple[int, str | None]:
    """How many events are sent, and which fault ends them."""
    ends = [
        (fault.after_events, name)
        for name in ("garbage", "cut", "stall", "error_event")
        if (fault := getattr(faults, name)) is not None and fault.after_events < events
    ]
    return min(ends, key=lambda end: end[0]) if ends else (events, None)


async def _play(
    response: web.StreamResponse, events: list[bytes], first_s: float, each_s: float
) -> None:
    """Sends each event when it is due; those that are due together go together."""
    clock = asyncio.get_running_loop().time
    start = clock() + first_s
    sent = 0
    while sent < len(events):
        wait = start + sent * each_s - clock()
        if wait > 0:
            await asyncio.sleep(wait)
        now = clock()
        due = sent + 1
        while due < len(events) and start + due * each_s <= now:
            due += 1
        await response.write(b"".join(events[sent:due]))
        sent = due
