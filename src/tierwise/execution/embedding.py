"""Embeddings: the same vectors from whichever deployment of a model answers.

Vectors of different models cannot be compared, so a request never goes to another model than the
one that was asked for; its deployments stand in for each other.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tierwise.catalog import cost
from tierwise.errors import (
    AllPathsFailed,
    DeadlineExceeded,
    RateLimited,
    UnknownModel,
    Unsatisfiable,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers.embedding import EmbeddingAdapter, load_embedding_adapter
from tierwise.providers.http import HttpReply, HttpRequest, Transport, request_id_of
from tierwise.state.health import Health
from tierwise.telemetry.context import carrying, span_for
from tierwise.types import Attempt, Deployment, Trace, Usage
from tierwise.wire.embeddings import (
    Embeddings,
    EmbeddingsAsked,
    guessed,
    join,
    write_reply,
)

_AT_A_TIME = 8
"""Calls of one request, for providers that take few texts in one."""


class Embedded(Struct, frozen=True):
    """The vectors as JSON that OpenAI's clients read, and how they came about.

    `found` are the vectors as the provider gave them. `attempts` counts the deployments that were
    asked; `cost_usd` is that of the one that answered, as others are not paid for what they do not
    answer.
    """

    found: Embeddings
    body: bytes
    model: str
    deployment: str
    usage: Usage
    cost_usd: float
    attempts: int
    upstream_id: str | None = None


class _Call(Struct, frozen=True):
    """What is asked of whichever deployment; see `Embedder.embed`."""

    asked: EmbeddingsAsked
    tokens: int
    deadline: float
    trace: Trace | None
    since: float


class Embedder:
    """Asks the deployments of a model, one after the other, until one answers."""

    def __init__(
        self,
        configured: Mapping[str, Sequence[Deployment]],
        transport: Transport,
        health: Health,
    ) -> None:
        """Raises `ConfigError` if embeddings cannot be asked for in a deployment's dialect."""
        self._configured = configured
        self._adapters: dict[str, EmbeddingAdapter] = {
            place.id: load_embedding_adapter(place.dialect)(place)
            for group in configured.values()
            for place in group
        }
        self._transport = transport
        self._health = health

    def places(self, name: str) -> Sequence[Deployment]:
        """The deployments that a name stands for: a model's, or the one of `provider/model`.

        Raises:
            UnknownModel: it names neither.
        """
        return _places(self._configured, name)

    async def embed(
        self,
        asked: EmbeddingsAsked,
        deployments: Sequence[Deployment],
        deadline: float,
        attempts: list[Attempt],
        *,
        trace: Trace | None = None,
        since: float | None = None,
    ) -> Embedded:
        """The vectors of what is asked.

        Args:
            deployments: those that stand for the model that is asked for; see `places`.
            deadline: a point of the monotonic clock, in seconds.
            attempts: takes every call and what came of it, also of a request that fails.
            trace: that the calls are part of.
            since: from when on attempts say when they began, by the same clock; from now on.

        Raises:
            Unsatisfiable: no deployment can express what is asked.
            UpstreamRejected: the request is at fault.
            AllPathsFailed: none answered.
            DeadlineExceeded: none did in time.
        """
        tokens = guessed(asked).input_tokens
        call = _Call(asked, tokens, deadline, trace, time.monotonic() if since is None else since)
        health = self._health
        places = health.order(deployments, tokens) or health.last_resorts(deployments, tokens)
        lines: list[str] = []
        errors: list[UpstreamError] = []
        unable: Unsatisfiable | None = None
        for place in places:
            if time.monotonic() >= deadline:
                raise DeadlineExceeded("the deadline passed", lines)
            try:
                answered = await self._try(place, call, attempts)
            except Unsatisfiable as error:
                unable = error
            except UpstreamRejected:
                raise
            except UpstreamError as error:
                errors.append(error)
                lines.append(f"{place.id}: {error.kind}: {error.message}")
            else:
                return answered
        if unable is not None and not errors:
            raise unable
        out = [place for place in deployments if place not in places]
        lines += [f"{place.id}: {health.why_out(place)}" for place in out]
        limited = bool(lines) and all(isinstance(error, RateLimited) for error in errors)
        raise AllPathsFailed(
            lines,
            retry_after=health.next_return_s(list(deployments)),
            rate_limited=limited and all(health.rate_limited(place) for place in out),
        )

    async def _try(self, place: Deployment, call: _Call, attempts: list[Attempt]) -> Embedded:
        """The answer of one deployment, or its error; either is noted as an attempt."""
        began = time.monotonic()
        attempt = Attempt(
            deployment=place.id,
            model=place.model,
            tier=0,
            outcome="accepted",
            began_s=began - call.since,
            span=span_for(call.trace),
        )
        try:
            found, upstream_id = await self._ask(place, call, attempt.span, not attempts)
        except (UpstreamError, asyncio.CancelledError) as error:
            attempt = replace(attempt, latency_s=time.monotonic() - began)
            if isinstance(error, UpstreamError):
                attempt = replace(
                    attempt, outcome=error.kind, error=error.message, status=error.status
                )
            else:  # whoever leaves before the end has had it read all the same
                read = guessed(call.asked)
                usd = cost(read, place.prices)
                attempt = replace(
                    attempt, outcome="cancelled", usage=read, estimated=True, cost_usd=usd
                )
            attempts.append(attempt)
            raise
        embedded = _embedded(found, call.asked, place, len(attempts) + 1, upstream_id)
        attempts.append(
            replace(
                attempt,
                status=200,
                usage=embedded.usage,
                estimated=found.usage is None,
                cost_usd=embedded.cost_usd,
                latency_s=time.monotonic() - began,
            )
        )
        return embedded

    async def _ask(
        self,
        place: Deployment,
        call: _Call,
        span: str | None,
        first: bool,
    ) -> tuple[Embeddings, str | None]:
        """What one deployment answers, and what it calls the request."""
        adapter = self._adapters[place.id]
        asked, tokens, deadline = call.asked, call.tokens, call.deadline
        requests = [carrying(one, call.trace, span) for one in adapter.requests(asked)]
        began = time.monotonic()
        until = min(deadline, began + place.timeouts.total)
        self._health.started(place, tokens, first=first)
        try:
            replies = await self._send(requests, until)
            for reply in replies:
                if not 200 <= reply.status < 300:
                    error = adapter.error(reply.status, reply.headers, reply.body)
                    error.upstream_id = request_id_of(reply.headers)
                    raise error
            parts = [adapter.reply(reply.body, reply.headers, asked) for reply in replies]
            found = join(parts, asked)
        except UpstreamError as error:
            if time.monotonic() < deadline:  # a caller's deadline says nothing about it
                self._health.failed(place, error)
            self._health.settle(place, began, tokens, 0)
            raise
        finally:
            self._health.left(place)
        self._health.succeeded(place, time.monotonic() - began, None)
        if found.usage is not None:
            self._health.settle(place, began, tokens, found.usage.input_tokens)
        return found, request_id_of(replies[0].headers)

    async def _send(self, requests: Sequence[HttpRequest], until: float) -> list[HttpReply]:
        """The answers to all calls; the first that fails ends the others."""
        if len(requests) == 1:
            return [await self._transport.send(requests[0], until - time.monotonic())]
        free = asyncio.Semaphore(_AT_A_TIME)

        async def one(request: HttpRequest) -> HttpReply:
            async with free:
                return await self._transport.send(request, until - time.monotonic())

        tasks = [asyncio.create_task(one(request)) for request in requests]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()


def _places(configured: Mapping[str, Sequence[Deployment]], name: str) -> Sequence[Deployment]:
    """The deployments that a name stands for: a model's, or the one of `provider/model`.

    Raises:
        UnknownModel: it names neither.
    """
    found = configured.get(name)
    if found is not None:
        return found
    everyone = [place for group in configured.values() for place in group]
    for place in everyone:
        if name in (place.id, f"{place.provider}/{place.upstream_model}"):
            return (place,)
    if not everyone:
        said = "No model for embeddings is configured; list one under `embeddings` of a provider."
    else:
        near = difflib.get_close_matches(name, configured, n=3) or sorted(configured)[:3]
        said = f"Did you mean {' or '.join(near)}? GET /v1/models lists all."
    raise UnknownModel(f"`model` {name!r} is no model for embeddings. {said}", param="model")


def _embedded(
    found: Embeddings,
    asked: EmbeddingsAsked,
    place: Deployment,
    attempts: int,
    upstream_id: str | None,
) -> Embedded:
    usage = found.usage or guessed(asked)
    return Embedded(
        found=found,
        body=write_reply(found, asked, place.model),
        model=place.model,
        deployment=place.id,
        usage=usage,
        cost_usd=cost(usage, place.prices),
        attempts=attempts,
        upstream_id=upstream_id,
    )
