"""The HTTP endpoints of one set-up: the hot path by hand, everything else with Starlette."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tierwise.config import Config
from tierwise.config.clients import limits_of
from tierwise.config.serving import Use
from tierwise.errors import (
    GatewayBroke,
    HeadTooLarge,
    NotPermitted,
    RequestError,
    TierwiseError,
    UnknownPath,
    WrongMethod,
)
from tierwise.ledger import with_feedback
from tierwise.listing import COUNT, EMBED, EMBED_MANY, GENERATE, STREAM
from tierwise.orchestrator import Orchestrator
from tierwise.promised import described
from tierwise.server.accounts import AccountEndpoint
from tierwise.server.admin import AdminEndpoint, Reload
from tierwise.server.allowed import check_watching, may_see
from tierwise.server.answers import AnswerEndpoint
from tierwise.server.claude_on_vertex import COUNT as COUNT_ON_VERTEX
from tierwise.server.claude_on_vertex import claude_in
from tierwise.server.corked import HEAD_TOO_LARGE, MOST_HEAD_BYTES
from tierwise.server.counting import CountEndpoint
from tierwise.server.description import describe
from tierwise.server.earlier import COMPACT_PATH, EarlierEndpoint, no_compaction
from tierwise.server.embedding import EmbeddingEndpoint
from tierwise.server.feedback import FeedbackEndpoint
from tierwise.server.google import PUBLISHED, asked_in, is_googles
from tierwise.server.keys import Client, Keys
from tierwise.server.lasting import InUse, Lasting
from tierwise.server.models import ModelEndpoint
from tierwise.server.naming import Naming
from tierwise.server.neighbours import Neighbours
from tierwise.server.observed import noting
from tierwise.server.pages import AsClient, Pages
from tierwise.server.passing import PassingEndpoint
from tierwise.server.refusals import refused
from tierwise.server.request import ClientGone, Receive, Scope, Send
from tierwise.server.speech import Speech
from tierwise.server.speeches import Speeches
from tierwise.server.status import databases, in_brief, shared, status_of
from tierwise.wire import openai_errors

log = logging.getLogger("tierwise.server")

CHAT_PATH = "/v1/chat/completions"
_POST = ["POST"]
_NO_CERTIFICATE = (
    "No policy has a certificate. Make one with `tierwise calibrate --policy NAME --out FILE`, "
    "and name it in the configuration as `policies.NAME.certificate`."
)
_UNDER_V1BETA = "/v1beta/models"
_EXPOSED = [
    "x-request-id",
    "request-id",
    "x-upstream-request-id",
    "retry-after",
    "age",
    *(f"x-tierwise-{name}" for name in ("decision-id", "model", "deployment", "tier", "cost-usd")),
    *(f"x-tierwise-{name}" for name in ("attempts", "dropped", "cache", "budget-warning")),
]
"""Headers that a page in a browser may read, where pages may ask at all."""
_NOTING = (AnswerEndpoint, PassingEndpoint)
"""What tells the log of the status by itself: see `noting`."""


class Endpoints:
    """All of them, for HTTP requests. `in_use` tells when the last request is over."""

    def __init__(
        self, orchestrator: Orchestrator, config: Config, lasting: Lasting, reload: Reload
    ) -> None:
        self._orchestrator = orchestrator
        self._lasting = lasting
        self._file = config.origin.file
        accounts = lasting.accounts
        self._keys = Keys(
            config.server.api_keys,
            accounts.directory if accounts is not None else None,
            limits_of(config.server.limits),
            lasting.parts(orchestrator),
        )
        self._max_body = int(config.server.max_body_mb * 1024 * 1024)
        self.in_use = InUse()
        self._speeches = speeches = Speeches(orchestrator.kept_responses)
        self._gemini = self._answering(speeches.gemini)
        self._vertex = self._answering(speeches.vertex)
        self._answers = {
            CHAT_PATH: self._answering(speeches.chat),
            "/v1/messages": self._answering(speeches.anthropic),
            "/v1/responses": self._answering(speeches.responses),
        }
        self._feedback = FeedbackEndpoint(orchestrator, self._keys, refused=lasting.metrics.refused)
        self._admin = AdminEndpoint(orchestrator, self._keys, lasting, reload)
        passing = PassingEndpoint(orchestrator, config, self._keys, lasting, speeches)
        self._passes = passing.takes
        self._passing = self._named(passing)
        self._pages = Pages(orchestrator, config, lasting, self._keys, reload, self._answer_for)
        self._rest = self._starlette()
        self._named_rest = self._named(self._rest)
        self._neighbours: Neighbours | None = None
        if not self._keys.guarded:
            server = config.server
            self._neighbours = Neighbours(server.cors_origins, proxied=bool(server.trusted_proxies))
        self._serve: ASGIApp = self._served
        if config.server.cors_origins:
            self._serve = self._named(
                CORSMiddleware(
                    self._served,
                    allow_origins=config.server.cors_origins,
                    allow_methods=["*"],
                    allow_headers=["*"],
                    expose_headers=_EXPOSED,
                )
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        with self.in_use:
            await self._serve(scope, receive, send)

    def _served(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        endpoint = self._whoever_serves(scope)
        if not isinstance(endpoint, _NOTING):
            send = noting(send)
        return endpoint(scope, receive, send)

    def _whoever_serves(self, scope: Scope) -> ASGIApp:
        path = scope["path"]
        if HEAD_TOO_LARGE in scope:
            return self._too_large(scope)
        if self._neighbours is not None:
            try:
                self._neighbours.check(scope["headers"])
            except NotPermitted as foreign:
                self._lasting.metrics.refused(foreign)
                return self._named(refused(foreign, self._speeches.of(scope)))
        if scope["method"] == "POST":
            endpoint = self._answers.get(path)
            if endpoint is None and path[-1:] != "/":
                asked = asked_in(path)
                if asked is not None and asked[1] in (GENERATE, STREAM):
                    endpoint = self._gemini
                elif claude_in(path) is not None:
                    endpoint = self._vertex
            if endpoint is not None:
                return endpoint
        elif asked_in(path) is not None or claude_in(path) is not None:
            # Else it would be taken for the name of a model.
            error = _wrong_method(scope["method"], path, "POST")
            return self._named(refused(error, self._speeches.of(scope)))
        if self._passes(scope):
            return self._passing
        if self._pages.takes(path):
            return self._pages
        if path.endswith("/"):
            # A redirect instead would cost a client its body, or an hour of its owner.
            scope["path"] = path.rstrip("/") or "/"
        return self._named_rest

    def _too_large(self, scope: Scope) -> ASGIApp:
        error = HeadTooLarge(
            f"The request line and headers have more than {MOST_HEAD_BYTES:,} bytes. Send fewer or "
            "shorter headers, and what is long in the body."
        )
        self._lasting.metrics.refused(error)
        return self._named(refused(error, self._speeches.of(scope)))

    async def _answer_for(self, whom: AsClient, scope: Scope, receive: Receive, send: Send) -> None:
        """A chat request of somebody who has signed in to the dashboard."""
        await self._answering(self._speeches.chat, whom)(scope, receive, send)

    def _answering(self, speech: Speech, whom: AsClient | None = None) -> AnswerEndpoint:
        return AnswerEndpoint(
            speech,
            self._orchestrator,
            whom or self._keys,
            self._lasting,
            self.in_use,
            max_body=self._max_body,
        )

    def _named(self, app: ASGIApp) -> ASGIApp:
        """What is not on the hot path, where answers have the ids of their decisions."""
        return Naming(app, lambda scope: self._speeches.of(scope).own_id)

    def _starlette(self) -> Starlette:
        models = ModelEndpoint(self._orchestrator, self._speeches)
        counts = CountEndpoint(
            self._orchestrator.kept_responses, self._lasting, self._client, max_body=self._max_body
        )
        earlier = EarlierEndpoint(self._orchestrator.kept_responses, self._caller)
        vectors = EmbeddingEndpoint(
            self._orchestrator, self._lasting, self._client, max_body=self._max_body
        )
        routes = [
            Route("/health/live", self._live),
            Route("/health/ready", self._readiness),
            Route("/openapi.json", describe),
            Route("/v1/models", self._with_key(models.all)),
            Route("/v1/models/{model:path}:countTokens", counts.gemini, methods=_POST),
            *(
                Route(f"{root}/{{model:path}}:{method}", serve, methods=_POST)
                for root in ("/v1/models", _UNDER_V1BETA, PUBLISHED)
                for method, serve in ((EMBED, vectors.gemini), (EMBED_MANY, vectors.gemini_many))
            ),
            Route("/v1/models/{model:path}", self._with_key(models.one)),
            Route(_UNDER_V1BETA, self._with_key(models.all_google)),
            Route(f"{_UNDER_V1BETA}/{{model:path}}:countTokens", counts.gemini, methods=_POST),
            Route(f"{_UNDER_V1BETA}/{{model:path}}", self._with_key(models.one_google)),
            Route("/v1/messages/count_tokens", counts.anthropic, methods=_POST),
            Route(COUNT_ON_VERTEX, counts.anthropic, methods=_POST),
            Route("/v1/responses/input_tokens", counts.responses, methods=_POST),
            *earlier.routes(),
            Route("/v1/embeddings", vectors.openai, methods=_POST),
            Route("/v1/decisions/{decision}", self._with_key(self._decision)),
            Route("/v1/certificate", self._with_key(self._certificates)),
            Route("/v1/feedback", self._feedback.post, methods=_POST),
            Route("/v1/status", self._with_key(self._status)),
            Route("/metrics", self._with_key(self._scrape, "metrics")),
            *self._admin.routes(),
            *AccountEndpoint(self._orchestrator, self._lasting, self._client).routes(),
            *(Route(path, endpoint, methods=_POST) for path, endpoint in self._answers.items()),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: self._http_error,
                RequestError: self._refused,
                TierwiseError: self._refused,
                ClientGone: _nobody_there,
                Exception: self._unexpected,
            },
        )

    def _with_key(
        self, endpoint: Callable[[Request], Awaitable[Response]], use: Use | None = None
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            request.state.client = self._client(request, use)
            return await endpoint(request)

        return guarded

    def _client(self, request: Request, use: Use | None = None) -> Client:
        """Whoever asks, and what for. Raises as `Keys.client` does."""
        speech = self._speeches.of(request.scope)
        headers = dict(request.scope["headers"])
        client = self._keys.client(speech.credential(request.scope, headers), speech.proves, use)
        self._lasting.note(headers, client)
        return client

    def _caller(self, request: Request) -> str | None:
        return self._client(request).name

    async def _live(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _readiness(self, _: Request) -> Response:
        if self._lasting.state != "ready":
            return _json({"status": self._lasting.state}, status=503)
        return _json(
            {
                "status": "ok",
                **in_brief(databases(self._orchestrator, self._lasting)),
                "gates": {"broken": self._orchestrator.checker.broken},
                **in_brief(shared(self._lasting)),
            }
        )

    async def _decision(self, request: Request) -> Response:
        wanted = request.path_params["decision"]
        client: Client = request.state.client
        ledger = self._orchestrator.ledger
        # In a thread: a database that is slow or away is this request's trouble, not all others'.
        record = await asyncio.to_thread(ledger.get, wanted)
        if record is None:
            aside = await asyncio.to_thread(ledger.aside, wanted)
            if aside is not None and may_see(aside, client):
                return _json(aside)
        if record is None or not may_see(record, client):
            return _error(
                404,
                f"There is no decision {wanted!r}. Decisions appear here within a second of "
                "their answer's end.",
                code="decision_not_found",
            )
        opinions = await asyncio.to_thread(ledger.feedback, wanted)
        if record.caller != client.name:
            # How a request went is the operators' business, what was said is the caller's.
            record = msgspec.structs.replace(record, prompt=None, answer=None)
            opinions = [msgspec.structs.replace(one, comment=None) for one in opinions]
        return Response(with_feedback(record, opinions), media_type="application/json")

    async def _certificates(self, _: Request) -> Response:
        promises = self._orchestrator.promises.all
        if not promises:
            return _error(404, _NO_CERTIFICATE, code="no_certificate")
        return _json(described(promises))

    async def _status(self, request: Request) -> Response:
        check_watching(request.state.client)
        return _json(status_of(self._orchestrator, self._lasting, self._file))

    async def _scrape(self, request: Request) -> Response:
        check_watching(request.state.client)
        return Response(self._lasting.metrics.render(), media_type="text/plain; version=0.0.4")

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, TierwiseError)  # noqa: S101 - the only ones sent here
        if isinstance(error, RequestError):
            self._lasting.metrics.refused(error)
        return refused(error, self._speeches.of(request.scope))

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - the only one sent here
        speech, path = self._speeches.of(request.scope), request.scope["path"]
        if error.status_code == 405 and request.method == "POST" and is_googles(path):
            return refused(
                UnknownPath(
                    f"There is nothing at POST {path}. Models are asked by `:{GENERATE}`, "
                    f"`:{STREAM}` and `:{COUNT}`, and for embeddings by `:{EMBED}` and "
                    f"`:{EMBED_MANY}`."
                ),
                self._speeches.gemini,
            )
        if error.status_code == 405 and request.method == "POST" and path == COMPACT_PATH:
            return refused(no_compaction(), speech)
        if error.status_code == 404:
            return refused(
                UnknownPath(
                    f"There is nothing at {request.method} {path}. Use POST {CHAT_PATH} or GET "
                    "/v1/models; the base URL of a client ends with /v1."
                ),
                speech,
            )
        if error.status_code == 405 and error.headers:
            allowed = error.headers.get("Allow", "")
            return refused(_wrong_method(request.method, path, allowed), speech)
        return _error(error.status_code, error.detail, headers=error.headers)

    async def _unexpected(self, request: Request, error: Exception) -> Response:
        log.error("%s %s broke", request.method, request.scope["path"], exc_info=error)
        return refused(GatewayBroke(), self._speeches.of(request.scope))


def _wrong_method(method: str, path: str, allowed: str) -> WrongMethod:
    return WrongMethod(f"{path} does not take {method}. Use {allowed}.", allowed=allowed)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def _error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = openai_errors.error_body(message, status=status, code=code)
    return Response(body, status_code=status, media_type="application/json", headers=headers)


async def _nobody_there(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is left to read it
