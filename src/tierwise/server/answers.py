"""`POST /v1/chat/completions`: the hot path, straight on ASGI."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from tierwise.errors import BodyTooSlow, RequestError, ShuttingDown, TierwiseError
from tierwise.execution import Run
from tierwise.finished import Answered, Streaming
from tierwise.orchestrator import Orchestrator
from tierwise.server.dropped import dropped
from tierwise.server.keys import Keys
from tierwise.server.lasting import InUse, Lasting
from tierwise.server.once import HEADER, Kept
from tierwise.server.request import (
    UPLOAD_STALLED_S,
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    with_headers,
)
from tierwise.types import Task
from tierwise.wire import openai_chat, openai_errors

log = logging.getLogger("tierwise.server")

KEEP_ALIVE_S = 5.0
"""How often a client hears of a stream that is held back, in seconds."""
STALLED_S = 5.0
"""How long after its deadline a stream may still be on its way to a slow client, in seconds."""
_BYTES_PER_TOKEN = 4
_JSON = (b"content-type", b"application/json")
_EVENTS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class ChatEndpoint:
    """Reads a chat request, has it answered, sends the answer as it came."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        keys: Keys,
        lasting: Lasting,
        in_use: InUse,
        *,
        max_body: int,
    ) -> None:
        self._refused = lasting.metrics.refused
        self._lasting = lasting
        self._in_use = in_use
        self._orchestrator = orchestrator
        self._keys = keys
        self._admission = lasting.admission
        self._allowances = lasting.allowances
        self._max_body = max_body
        self._watch = lasting.watch
        self._once = lasting.once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Whatever happens, the client gets an answer or an error in its dialect."""
        arrived = time.monotonic()
        sent = Sent(send)
        try:
            headers = dict(scope["headers"])
            client = self._keys.client(headers.get(b"authorization"))
            watched = self._watch.enter(receive)
            try:
                body = await read_body(receive, headers, self._max_body, watched)
                task = with_headers(
                    openai_chat.read_request(body),
                    headers,
                    client,
                    arrived,
                    self._orchestrator.patience_s,
                )
                key = headers.get(HEADER)
                if key is None:
                    await self._answer(task, sent)
                else:
                    ask = partial(self._keep, task)
                    await self._once.answer(
                        key, client.name, _asked(body, headers), ask, sent.message
                    )
            except asyncio.CancelledError:
                if watched.stalled:
                    raise _too_slow() from None
                if not watched.gone:
                    if self._lasting.state == "draining":
                        raise _shutting_down() from None  # its grace is over
                    raise
            finally:
                self._watch.leave(watched)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the client is told, and the log
            await self._failed(error, sent)

    async def _keep(self, task: Task, kept: Kept) -> None:
        """Answers into what is kept for whoever asks again."""
        sent = Sent(kept)
        try:
            with self._in_use:  # its client may leave before it is over
                await self._answer(task, sent)
        except Exception as error:  # noqa: BLE001 - the client is told, and the log
            kept.failed = True
            await self._failed(error, sent)

    async def _answer(self, task: Task, sent: Sent) -> None:
        expected = len(task.body) // _BYTES_PER_TOKEN + (task.max_output_tokens or 0)
        with self._allowances.enter(task.caller, expected, time.monotonic()) as taken:
            with await self._admission.enter(task.priority, task.caller or "", task.deadline):
                run = await (self._stream if task.stream else self._whole)(task, sent)
            taken.used(run.usage)

    async def _failed(self, error: Exception, sent: Sent) -> None:
        """The error in the client's dialect; what nobody foresaw goes to the log."""
        if not isinstance(error, TierwiseError):
            log.error("a request broke the gateway", exc_info=error)
            text = "Internal error; the gateway's log has the details."
            await sent.error(500, openai_errors.error_body(text, status=500, code="internal"), {})
            return
        if isinstance(error, RequestError):
            self._refused(error)
        status, body, extra = openai_errors.render(error)
        await sent.error(status, body, {**extra, **_error_headers(error)})

    async def _whole(self, task: Task, sent: Sent) -> Run:
        answered = await self._orchestrator.answer(task)
        await sent.whole(answered.body, _answer_headers(answered))
        return answered.finished.run

    async def _stream(self, task: Task, sent: Sent) -> Run:
        alive = KeepAlive(sent)
        try:
            streaming = await self._orchestrator.stream(task, alive.begin)
        finally:
            await alive.end()
        try:
            # The upstream keeps the deadline by itself; this is for a client that stays and does
            # not read, which would hold its upstream call for as long as it likes.
            async with asyncio.timeout(task.deadline - time.monotonic() + STALLED_S):
                if sent.started:
                    await sent.block(_as_comment(_stream_headers(streaming)))
                else:
                    await sent.head(200, [*_EVENTS, *_stream_headers(streaming)])
                async for block in streaming.chunks:
                    await sent.block(block)
                await sent.end()
        except TimeoutError:
            log.warning("a client did not read its stream to the end and was cut off")
        finally:
            await streaming.chunks.aclose()
        return streaming.run


class KeepAlive:
    """Tells a client, and the proxies on its way, that a stream which is held back is alive.

    The first comment goes out after `KEEP_ALIVE_S`, and with it the status: what fails later is
    told as the last event of the stream.
    """

    __slots__ = ("_ended", "_sent", "_task", "_timer")

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
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
        await self._sent.head(200, list(_EVENTS))
        while not self._ended.is_set():
            await self._sent.block(b": the answer is being checked\n\n")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), KEEP_ALIVE_S)


class Sent:
    """What has gone out to one client."""

    __slots__ = ("_send", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def message(self, message: MutableMapping[str, Any]) -> None:
        """A part of an answer that was kept."""
        self.started = True
        await self._send(message)

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def block(self, block: bytes) -> None:
        """A part of the body, with more to come."""
        await self._send({"type": "http.response.body", "body": block, "more_body": True})

    async def end(self) -> None:
        """The end of a body that was sent in parts."""
        await self._send({"type": "http.response.body", "body": b""})

    async def whole(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """A complete 200 answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self.head(200, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def error(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """An error: as a response, or as the last event of a stream that has begun."""
        if self.started:
            await self.block(b"data: " + body + b"\n\n")
            await self.end()
            return
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.head(status, [_JSON, (b"content-length", b"%d" % len(body)), *extra])
        await self._send({"type": "http.response.body", "body": body})


def _as_comment(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Headers that come too late to be headers, as a comment of the stream."""
    return b"".join(b": %b: %b\n" % pair for pair in headers) + b"\n"


def _asked(body: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    """All that a request says of the answer that it wants."""
    own = sorted(item for item in headers.items() if item[0].startswith(b"x-tierwise-"))
    return b"".join([body, *(b"\n%b: %b" % item for item in own)])


def _too_slow() -> BodyTooSlow:
    return BodyTooSlow(
        f"The rest of the body did not come within {UPLOAD_STALLED_S:g} s. Send the request again."
    )


def _shutting_down() -> ShuttingDown:
    return ShuttingDown(
        "The gateway is being stopped, and the answer was not complete within its grace "
        "(`server.grace_s`). Send the request again."
    )


def _error_headers(error: TierwiseError) -> dict[str, str]:
    """What there is to know of a request that failed."""
    if isinstance(error, ShuttingDown):
        return {"retry-after": "1"}
    if isinstance(error, BodyTooSlow):
        return {"connection": "close"}  # what may still come of the body is not another request
    if error.decision_id is None:
        return {}
    return {
        "x-tierwise-decision-id": error.decision_id,
        "x-tierwise-attempts": str(error.attempts),
    }


def _answer_headers(answered: Answered) -> list[tuple[bytes, bytes]]:
    run = answered.finished.run
    return [
        _JSON,
        (b"x-tierwise-decision-id", answered.finished.decision.id.encode()),
        (b"x-tierwise-model", (run.model or "").encode()),
        (b"x-tierwise-deployment", (run.deployment or "").encode()),
        (b"x-tierwise-tier", b"%d" % (run.tier or 0)),
        (b"x-tierwise-cost-usd", b"%.8f" % run.cost_usd),
        (b"x-tierwise-attempts", b"%d" % len(run.attempts)),
        *dropped(run, run.deployment),
    ]


def _stream_headers(streaming: Streaming) -> list[tuple[bytes, bytes]]:
    """The same, but for the cost: it is only known when the stream has ended."""
    attempts = len(streaming.run.attempts) + (0 if streaming.judged else 1)
    return [
        (b"x-tierwise-decision-id", streaming.run.decision.id.encode()),
        (b"x-tierwise-model", streaming.model.encode()),
        (b"x-tierwise-deployment", streaming.deployment.encode()),
        (b"x-tierwise-tier", b"%d" % streaming.tier),
        (b"x-tierwise-attempts", b"%d" % attempts),
        *dropped(streaming.run, streaming.deployment),
    ]
