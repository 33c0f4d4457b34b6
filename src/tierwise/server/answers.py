"""The endpoints that answer: the hot path, straight on ASGI, for clients of every dialect."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial

import msgspec

from tierwise.errors import BodyTooSlow, GatewayBroke, RequestError, ShuttingDown, TierwiseError
from tierwise.execution import Run
from tierwise.finished import Answered, Streaming
from tierwise.names import new_id
from tierwise.orchestrator import Orchestrator
from tierwise.server.allowed import check_task
from tierwise.server.body import plain
from tierwise.server.dropped import dropped
from tierwise.server.keys import Client, Keys
from tierwise.server.lasting import InUse, Lasting
from tierwise.server.once import HEADER, Kept
from tierwise.server.pages import AsClient
from tierwise.server.refusals import refusal
from tierwise.server.request import (
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    too_slow,
    with_headers,
)
from tierwise.server.sent import STALLED_S, KeepAlive, Sent
from tierwise.server.speech import Exchange, Header, Speech
from tierwise.server.warned import warned
from tierwise.types import Task, Usage

log = logging.getLogger("tierwise.server")

_BYTES_PER_TOKEN = 4
_LATE_S = 60.0
"""How long after a request's deadline its bill may still come, in seconds."""
_NOTHING = Usage()
_JSON = (b"content-type", b"application/json")


class AnswerEndpoint:
    """Reads a request in one dialect, has it answered, sends the answer as it came."""

    def __init__(
        self,
        speech: Speech,
        orchestrator: Orchestrator,
        keys: Keys | AsClient,
        lasting: Lasting,
        in_use: InUse,
        *,
        max_body: int,
    ) -> None:
        self._speech = speech
        self._metrics = lasting.metrics
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
        exchange: Exchange | None = None
        try:
            given = scope["headers"]
            headers = dict(given)
            speech = self._speech
            client = self._keys.client(speech.credential(scope, headers), speech.proves)
            trace = self._lasting.trace(headers, given, client)  # the log knows whose it is now
            watched = self._watch.enter(receive)
            try:
                body = await read_body(receive, headers, self._max_body, watched)
                codings = headers.get(b"content-encoding")
                if codings is not None:
                    body = plain(body, codings, self._max_body)
                exchange = await speech.read(body, scope, client)
                exchange.task = with_headers(
                    exchange.task, headers, client, arrived, self._orchestrator.patience_s, trace
                )
                exchange.task = self._admitted(exchange.task, client)
                key = headers.get(HEADER)
                if key is None:
                    await self._answer(exchange, client, sent)
                else:
                    ask = partial(self._keep, exchange, client)
                    asked = _asked(scope, body, headers)
                    await self._once.answer(key, client.name, asked, ask, sent.message)
            except asyncio.CancelledError:
                if watched.stalled:
                    raise too_slow() from None
                if not watched.gone:
                    if self._lasting.state == "draining":
                        raise _shutting_down() from None  # its grace is over
                    raise
            finally:
                self._watch.leave(watched)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the client is told, and the log
            await self._failed(error, sent, exchange)

    def _admitted(self, task: Task, client: Client) -> Task:
        """The task with what pays for it, if its key may ask for what it names.

        Raises:
            NotPermitted: it may not.
        """
        if client.models or client.policies:
            check_task(task, client, self._orchestrator.setup, self._orchestrator.router)
        budgets = self._lasting.budgets
        if not client.budgets or budgets is None:
            return task
        purse = budgets.purse(client.budgets, task.deadline - time.monotonic() + _LATE_S)
        return msgspec.structs.replace(task, purse=purse)

    async def _keep(self, exchange: Exchange, client: Client, kept: Kept) -> None:
        """Answers into what is kept for whoever asks again."""
        sent = Sent(kept)
        try:
            with self._in_use:  # its client may leave before it is over
                await self._answer(exchange, client, sent)
        except Exception as error:  # noqa: BLE001 - the client is told, and the log
            kept.failed = True
            await self._failed(error, sent, exchange)

    async def _answer(self, exchange: Exchange, client: Client, sent: Sent) -> None:
        task = exchange.task
        expected = len(task.body) // _BYTES_PER_TOKEN + (task.max_output_tokens or 0)
        now = time.monotonic()
        with await self._allowances.admit(task.caller, expected, now, client.limits) as taken:
            try:
                with await self._admission.enter(task.priority, task.caller or "", task.deadline):
                    run = await (self._stream if task.stream else self._whole)(exchange, sent)
            except TierwiseError:
                if not sent.started:
                    taken.used(_NOTHING)  # its client got an error instead of tokens
                raise
            taken.used(run.usage)
        if run.cache in ("hit", "similar"):
            self._metrics.cached(run.cache, run.saved_usd)

    async def _failed(self, error: Exception, sent: Sent, exchange: Exchange | None) -> None:
        """The error in the client's dialect; what nobody foresaw goes to the log."""
        if not isinstance(error, TierwiseError):
            log.error("a request broke the gateway", exc_info=error)
            error = GatewayBroke()
        elif isinstance(error, RequestError):
            self._refused(error)
        if sent.started and exchange is not None:
            await sent.end(exchange.broken(error))
            return
        status, body, headers = refusal(error, self._speech)
        await sent.error(status, body, [*headers, *self._error_headers(error)])

    async def _whole(self, exchange: Exchange, sent: Sent) -> Run:
        answered = await self._orchestrator.answer(exchange.task)
        headers = [*self._answer_headers(answered), *warned(exchange.task)]
        await sent.whole(exchange.whole(answered.body), headers)
        return answered.finished.run

    async def _stream(self, exchange: Exchange, sent: Sent) -> Run:
        task = exchange.task
        alive = KeepAlive(sent, exchange)
        try:
            streaming = await self._orchestrator.stream(task, alive.begin)
        finally:
            await alive.end()
        try:
            # The upstream keeps the deadline by itself; this is for a client that stays and does
            # not read, which would hold its upstream call for as long as it likes.
            async with asyncio.timeout(task.deadline - time.monotonic() + STALLED_S):
                headers = [*self._stream_headers(streaming), *warned(task)]
                if sent.started:
                    await sent.block(exchange.late(headers))
                else:
                    await sent.head(200, [*exchange.head, *headers])
                shown = exchange.shown
                async for block in streaming.chunks:
                    await sent.block(shown(block))
                await sent.end(exchange.ended())
        except TimeoutError:
            log.warning("a client did not read its stream to the end and was cut off")
        finally:
            await streaming.chunks.aclose()
        return streaming.run

    def _answer_headers(self, answered: Answered) -> list[Header]:
        run = answered.finished.run
        return [
            _JSON,
            *self._ids(run),
            (b"x-tierwise-model", (run.model or "").encode()),
            (b"x-tierwise-deployment", (run.deployment or "").encode()),
            (b"x-tierwise-tier", b"%d" % (run.tier or 0)),
            (b"x-tierwise-cost-usd", b"%.8f" % run.cost_usd),
            (b"x-tierwise-attempts", b"%d" % len(run.attempts)),
            *dropped(run, run.deployment),
        ]

    def _stream_headers(self, streaming: Streaming) -> list[Header]:
        """The same, but for the cost: it is only known when the stream has ended."""
        run = streaming.run
        attempts = len(run.attempts) + (0 if streaming.judged else 1)
        return [
            *self._ids(run),
            (b"x-tierwise-model", streaming.model.encode()),
            (b"x-tierwise-deployment", streaming.deployment.encode()),
            (b"x-tierwise-tier", b"%d" % streaming.tier),
            (b"x-tierwise-attempts", b"%d" % attempts),
            *dropped(run, streaming.deployment),
        ]

    def _ids(self, run: Run) -> list[Header]:
        """What the request is called here, under the names that clients look for, and upstream."""
        ours = run.decision.id.encode()
        ids = [(b"x-tierwise-decision-id", ours), (b"x-request-id", ours)]
        if self._speech.own_id is not None:
            ids.append((self._speech.own_id, ours))
        if run.upstream_id is not None:
            ids.append(_upstream(run.upstream_id))
        if run.cache is not None:
            ids.append((b"x-tierwise-cache", run.cache.encode()))
            if run.cache != "miss":
                ids.append((b"age", b"%d" % run.age_s))
        return ids

    def _error_headers(self, error: TierwiseError) -> list[Header]:
        """What there is to know of a request that failed, beside what every refusal says."""
        name = (error.decision_id or new_id()).encode()
        ids = [] if error.decision_id is not None else [(b"x-request-id", name)]
        if self._speech.own_id is not None:
            ids.append((self._speech.own_id, name))
        if error.upstream_id is not None:
            ids.append(_upstream(error.upstream_id))
        if isinstance(error, ShuttingDown):
            return [*ids, (b"retry-after", b"1")]
        if isinstance(error, BodyTooSlow):
            # What may still come of the body is not another request.
            return [*ids, (b"connection", b"close")]
        return ids


def _upstream(name: str) -> Header:
    return b"x-upstream-request-id", name.encode("latin-1", "replace")


def _asked(scope: Scope, body: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    """All that a request says of the answer that it wants."""
    own = sorted(item for item in headers.items() if item[0].startswith(b"x-tierwise-"))
    path = scope["path"].encode("utf-8", "surrogateescape")
    return b"".join([path, b"\n", body, *(b"\n%b: %b" % item for item in own)])


def _shutting_down() -> ShuttingDown:
    return ShuttingDown(
        "The gateway is being stopped, and the answer was not complete within its grace "
        "(`server.grace_s`). Send the request again."
    )
