"""Endpoints that are passed through to one provider: images, audio, files, batches and the like.

The provider is named by the header `x-tierwise-provider`, by the model of a JSON body
(`provider/model`), or is the only one that can be meant. Nothing is translated and nothing is
routed: the answer is the provider's own. Such calls count as requests of their keys, show in the
metrics, and are in the ledger as far as they can be seen from outside.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tierwise.config import Config
from tierwise.errors import (
    ConnectFailed,
    GatewayBroke,
    RequestError,
    TierwiseError,
    UnknownPath,
)
from tierwise.ledger import Told
from tierwise.orchestrator import Orchestrator
from tierwise.passed_on import CostOf, Passage
from tierwise.passing import Places, clean, family_of, kind_of, model_in
from tierwise.providers.http import request_id_of
from tierwise.providers.passthrough import Passed, PassedAnswer
from tierwise.server.allowed import check_passing
from tierwise.server.body import plain
from tierwise.server.keys import Client, Keys
from tierwise.server.lasting import Lasting
from tierwise.server.refusals import refusal
from tierwise.server.request import (
    ClientGone,
    Receive,
    Scope,
    Send,
    Watched,
    read_body,
    too_large,
    too_slow,
)
from tierwise.server.sent import Sent
from tierwise.server.speech import Header, Speech
from tierwise.server.speeches import Speeches
from tierwise.server.warned import warnings_of
from tierwise.telemetry.context import carrying_on, span_for
from tierwise.types import Deployment, Trace

if TYPE_CHECKING:
    from tierwise.guarded import Guarded
    from tierwise.passed_costs import PassedCosts

log = logging.getLogger("tierwise.server")

ANY = "/passthrough/"
_HEADER = b"x-tierwise-provider"
_REMEDY = (
    "Name the provider in the header `x-tierwise-provider`, or as `provider/model` in a JSON body."
)
_NO_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class PassingEndpoint:
    """Sends requests on as they are, with the provider's key in place of the client's."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        config: Config,
        keys: Keys,
        lasting: Lasting,
        speeches: Speeches,
    ) -> None:
        self._passages = orchestrator.passages
        guarded = orchestrator.guarded
        self._guarded = guarded if guarded is not None and guarded.looks_at_all else None
        self._ledger = orchestrator.ledger
        self._setup = orchestrator.setup
        self._costs: PassedCosts | None = None
        self._places = Places(orchestrator.setup, param=_HEADER.decode(), remedy=_REMEDY)
        self._open = frozenset(config.server.passthrough)
        self._keys = keys
        self._lasting = lasting
        self._speeches = speeches
        self._max_body = int(config.server.max_body_mb * 1024 * 1024)
        self._max_upload = int(config.server.max_upload_mb * 1024 * 1024)
        self._patience_s = orchestrator.patience_s("auto")

    def takes(self, scope: Scope) -> bool:
        """Whether a request is one of those."""
        path: str = scope["path"]
        return path.startswith(ANY) or family_of(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        sent = Sent(send)
        speech = self._speeches.of(scope)
        try:
            headers = dict(scope["headers"])
            client = self._keys.client(speech.credential(scope, headers), speech.proves)
            trace = self._lasting.trace(headers, scope["headers"], client)
            watched = self._lasting.watch.enter(receive)
            try:
                await self._pass(_Asked(scope, headers, receive, watched, trace), client, sent)
            except asyncio.CancelledError:
                if watched.stalled:
                    raise too_slow() from None
                if not watched.gone:
                    raise
            finally:
                self._lasting.watch.leave(watched)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the client is told, and the log
            await self._failed(error, sent, speech)

    async def _pass(self, asked: _Asked, client: Client, sent: Sent) -> None:
        check_passing(client)
        lasting, now = self._lasting, time.monotonic()
        deadline = now + self._patience_s
        with await lasting.allowances.admit(client.name, 0, now, client.limits) as taken:
            place = lasting.admission.enter(
                client.priority or "normal", client.name or "", deadline
            )
            with await place:
                budgets = lasting.budgets
                purse = None if budgets is None else budgets.purse(client.budgets)
                if purse is not None:
                    await purse.reserve(None)
                    asked.warnings = warnings_of(purse)
                try:
                    await self._pass_on(asked, client, sent, time.monotonic() - now)
                finally:
                    known = asked.passage
                    if known is not None and known.usage is not None:
                        taken.used(known.usage)
                    if purse is not None:
                        purse.settle((known.cost_usd if known is not None else None) or 0.0)

    async def _pass_on(self, asked: _Asked, client: Client, sent: Sent, waited_s: float) -> None:
        """A call that may be made."""
        deployment, passed = await self._target(asked)
        asked.passage = passage = Passage(
            asked.method,
            asked.path,
            kind_of(asked.path),
            deployment.provider,
            client.name,
            client.owner,
            Told(trace=asked.trace, waited_s=waited_s),
            self._cost_of(deployment, asked.path),
        )
        try:
            if self._guarded is not None and passed.body is not None:
                passed = await self._looked_at(self._guarded, asked, passed, passage)
            await self._send_on(deployment, passed, asked, passage, sent)
        except ClientGone:
            passage.left(self._ledger)
            raise
        except BaseException as error:
            passage.over(self._ledger, error)
            raise
        passage.over(self._ledger)

    def _cost_of(self, deployment: Deployment, path: str) -> CostOf:
        if self._costs is None:
            # Imported only here: few pass anything through.
            from tierwise.passed_costs import PassedCosts

            self._costs = PassedCosts(self._setup)
        return self._costs.of(deployment, path)

    async def _looked_at(
        self, guarded: Guarded, asked: _Asked, passed: Passed, passage: Passage
    ) -> Passed:
        """What is asked as it may go on; JSON must be read for that, so it may not be too large."""
        body = asked.read
        if body is None and asked.is_json:
            body = await self._whole(asked)
            asked.model = model_in(body)
        everywhere = asked.path.startswith(ANY)
        shown = await guarded.looked_at_passed(body, passage, everywhere=everywhere)
        if shown is None:
            return passed
        return asked.with_body(passed.path.partition("?")[0], shown)

    async def _send_on(
        self, deployment: Deployment, passed: Passed, asked: _Asked, passage: Passage, sent: Sent
    ) -> None:
        """Sends a call on and its answer back."""
        span = span_for(asked.trace)
        passed = replace(passed, headers=carrying_on(passed.headers, asked.trace, span))
        passage.sending(span, asked.model)
        try:
            answer = await self._passages.open(deployment, passed)
        except ConnectFailed:
            if asked.failed is not None:
                raise asked.failed from None
            raise
        async with answer:
            self._lasting.metrics.passed(deployment.provider, answer.status)
            passage.answered(answer)
            await _relay(answer, sent, passage, asked.warnings)

    async def _target(self, asked: _Asked) -> tuple[Deployment, Passed]:
        """Who is asked, and what."""
        path = clean(asked.path)
        if asked.path.startswith(ANY):
            name, slash, rest = path[len(ANY) :].partition("/")
            if not slash or name not in self._open:
                raise UnknownPath(
                    f"Nothing is passed through to {name!r}. Name the provider in "
                    "`server.passthrough` to allow it."
                )
            return self._places.named(name), asked.passed("/" + rest, self._max_upload)
        if family_of(path) is None:  # its slashes are written in a way that a provider may not read
            raise UnknownPath(f"There is nothing at {path}.")
        named = asked.headers.get(_HEADER)
        if named is not None:
            deployment = self._places.named(named.decode("latin-1").strip())
            return deployment, asked.passed(path, self._max_upload)
        if asked.is_json and asked.method not in _NO_BODY:
            return await self._by_model(asked, path)
        return self._places.only(path), asked.passed(path, self._max_upload)

    async def _by_model(self, asked: _Asked, path: str) -> tuple[Deployment, Passed]:
        """As the body's model says; it must be read for that, so it may not be too large."""
        deployment, body = self._places.by_model(await self._whole(asked), path)
        asked.read, asked.model = body, model_in(body)
        return deployment, asked.with_body(path, body)

    async def _whole(self, asked: _Asked) -> bytes:
        """The body, unpacked."""
        body = await read_body(asked.receive, asked.headers, self._max_body, asked.watched)
        codings = asked.headers.get(b"content-encoding")
        return body if codings is None else plain(body, codings, self._max_body)

    async def _failed(self, error: Exception, sent: Sent, speech: Speech) -> None:
        if not isinstance(error, TierwiseError):
            log.error("a call that is passed through broke the gateway", exc_info=error)
            error = GatewayBroke()
        elif isinstance(error, RequestError):
            self._lasting.metrics.refused(error)
        if sent.started:
            raise error  # its connection is cut, which is all that can be said of a broken body
        await sent.error(*refusal(error, speech))


class _Asked:
    """One request that is to be passed on."""

    def __init__(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        watched: Watched,
        trace: Trace | None,
    ) -> None:
        self.path: str = scope["raw_path"].decode("latin-1")
        self.headers = headers
        self.receive = receive
        self.watched = watched
        self.trace = trace
        self.read: bytes | None = None
        """Its body, where that had to be read; and the model that it names."""
        self.model: str | None = None
        self.passage: Passage | None = None
        """What the ledger keeps of it, once it is known who gets it."""
        self.warnings: Sequence[Header] = ()
        """Of soft budgets that are passed."""
        self.failed: Exception | None = None
        """Why its body could not be read to the end."""
        self._all: Sequence[Header] = scope["headers"]
        self.method: str = scope["method"]
        self._query: bytes = scope["query_string"]

    @property
    def is_json(self) -> bool:
        """Whether it says that it has a body of JSON."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return kind == b"application/json"

    def passed(self, path: str, limit: int) -> Passed:
        """It with its body as it comes, of `limit` bytes at most."""
        declared = self.headers.get(b"content-length")
        length = int(declared) if declared is not None and declared.isdigit() else None
        if length is not None and length > limit:
            raise _too_large(length, limit)
        if length == 0 or (length is None and b"transfer-encoding" not in self.headers):
            self.watched.heard(False)
            return self._made(path)
        return self._made(path, self._body(limit), length)

    def with_body(self, path: str, body: bytes) -> Passed:
        """It with a body that was read."""

        async def whole() -> AsyncIterator[bytes]:
            yield body

        return self._made(path, whole(), len(body), unpacked=True)

    def _made(
        self,
        path: str,
        body: AsyncIterator[bytes] | None = None,
        length: int | None = None,
        *,
        unpacked: bool = False,
    ) -> Passed:
        query = _without_key(self._query)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self._all
            if not (unpacked and name == b"content-encoding")
        ]
        target = f"{path}?{query}" if query else path
        return Passed(self.method, target, headers, body, length)

    async def _body(self, limit: int) -> AsyncIterator[bytes]:
        size = 0
        more = True
        while more:
            self.watched.heard(True)
            message = await self.receive()
            part: bytes = message.get("body", b"")
            size += len(part)
            if message["type"] == "http.disconnect":
                self.failed = ClientGone()
            elif size > limit:
                self.failed = _too_large(size, limit)
            if self.failed is not None:
                raise self.failed
            more = message.get("more_body", False)
            self.watched.heard(more)
            if part:
                yield part


async def _relay(
    answer: PassedAnswer, sent: Sent, passage: Passage, warnings: Sequence[Header]
) -> None:
    """The answer as it comes."""
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers]
    headers += warnings
    headers.append((b"x-tierwise-decision-id", passage.name.encode()))
    upstream = request_id_of(dict(answer.headers))
    if upstream is not None:
        headers.append((b"x-upstream-request-id", upstream.encode("latin-1", "replace")))
    await sent.head(answer.status, headers)
    async for piece in answer.pieces():
        passage.saw(piece)
        await sent.block(piece)
    await sent.end()


def _without_key(query: bytes) -> str:
    """The query without Google's `key`, which is the client's."""
    parts = [part for part in query.split(b"&") if part and not part.startswith(b"key=")]
    return b"&".join(parts).decode("latin-1")


def _too_large(size: int, limit: int) -> TierwiseError:
    return too_large(size, limit, "server.max_upload_mb")
