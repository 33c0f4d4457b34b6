"""The HTTP endpoints of one set-up: the hot path by hand, everything else with Starlette."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.config import Config
from tierwise.errors import RequestError, UnknownModel
from tierwise.orchestrator import Orchestrator
from tierwise.server.admin import AdminEndpoint, Reload
from tierwise.server.certificate import NONE_CONFIGURED, described
from tierwise.server.chat import ChatEndpoint
from tierwise.server.feedback import FeedbackEndpoint, with_feedback
from tierwise.server.keys import Keys
from tierwise.server.lasting import InUse, Lasting
from tierwise.server.request import Receive, Scope, Send
from tierwise.server.status import status_of
from tierwise.wire import openai_errors

log = logging.getLogger("tierwise.server")

CHAT_PATH = "/v1/chat/completions"


class Endpoints:
    """All of them, for HTTP requests. `in_use` tells when the last request is over."""

    def __init__(
        self, orchestrator: Orchestrator, config: Config, lasting: Lasting, reload: Reload
    ) -> None:
        self._orchestrator = orchestrator
        self._lasting = lasting
        self._file = config.origin.file
        self._keys = Keys(config.server.api_keys)
        self.in_use = InUse()
        self._chat = ChatEndpoint(
            orchestrator,
            self._keys,
            lasting,
            self.in_use,
            max_body=int(config.server.max_body_mb * 1024 * 1024),
        )
        self._feedback = FeedbackEndpoint(orchestrator, self._keys, refused=lasting.metrics.refused)
        self._admin = AdminEndpoint(orchestrator, self._keys, lasting, reload)
        self._rest = self._starlette()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        with self.in_use:
            path = scope["path"]
            if path == CHAT_PATH and scope["method"] == "POST":
                await self._chat(scope, receive, send)
                return
            if path.endswith("/"):
                # A redirect instead would cost a client its body, or an hour of its owner.
                scope["path"] = path.rstrip("/") or "/"
            await self._rest(scope, receive, send)

    def _starlette(self) -> Starlette:
        routes = [
            Route("/health/live", self._live),
            Route("/health/ready", self._readiness),
            Route("/v1/models", self._with_key(self._models)),
            Route("/v1/models/{model:path}", self._with_key(self._model)),
            Route("/v1/decisions/{decision}", self._with_key(self._decision)),
            Route("/v1/certificate", self._with_key(self._certificates)),
            Route("/v1/feedback", self._feedback.post, methods=["POST"]),
            Route("/v1/status", self._with_key(self._status)),
            Route("/metrics", self._with_key(self._scrape)),
            *self._admin.routes(),
            Route(CHAT_PATH, self._chat, methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: _http_error,
                RequestError: _refused,
                Exception: _unexpected,
            },
        )

    def _with_key(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self._caller(request)
            return await endpoint(request)

        return guarded

    def _caller(self, request: Request) -> str | None:
        return self._keys.caller(dict(request.scope["headers"]).get(b"authorization"))

    async def _live(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _readiness(self, _: Request) -> Response:
        if self._lasting.state != "ready":
            return _json({"status": self._lasting.state}, status=503)
        ledger = self._orchestrator.ledger
        return _json(
            {
                "status": "ok",
                "ledger": {
                    "pending": ledger.pending,
                    "dropped": ledger.dropped,
                    "last_error": ledger.last_error,
                },
                "gates": {"broken": self._orchestrator.checker.broken},
            }
        )

    async def _models(self, _: Request) -> Response:
        setup = self._orchestrator.setup
        listed = [_policy_entry(name) for name in setup.policies]
        listed += [self._model_entry(name) for name in setup.models]
        return _json({"object": "list", "data": listed})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["model"]
        setup = self._orchestrator.setup
        if name in setup.policies:
            return _json(_policy_entry(name))
        try:
            found, pinned = self._orchestrator.router.model_named(name)
        except UnknownModel as error:
            return _error(404, error.message, code=error.code)
        return _json({**self._model_entry(found, pinned), "id": name})

    def _model_entry(self, name: str, pinned: str | None = None) -> dict[str, object]:
        """What is listed of a model; with `pinned`, as it is at that deployment alone."""
        model = self._orchestrator.setup.models[name]
        deployments = [
            deployment
            for deployment in self._orchestrator.setup.deployments[name]
            if pinned in (None, deployment.id)
        ]
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": model.family or deployments[0].provider,
            "tierwise": {
                "deployments": [d.id for d in deployments],
                "available": any(self._orchestrator.health.available(d) for d in deployments),
                "capabilities": sorted(model.capabilities),
                "context_window": model.context_window,
                "prices": msgspec.to_builtins(model.prices),
            },
        }

    async def _decision(self, request: Request) -> Response:
        wanted = request.path_params["decision"]
        record = self._orchestrator.ledger.get(wanted)
        if record is None:
            return _error(
                404,
                f"There is no decision {wanted!r}. Decisions appear here within a second of "
                "their answer's end.",
                code="decision_not_found",
            )
        opinions = self._orchestrator.ledger.feedback(wanted)
        if record.caller != self._caller(request):
            # How a request went is the operators' business, what was said is the caller's.
            record = msgspec.structs.replace(record, prompt=None, answer=None)
            opinions = [msgspec.structs.replace(one, comment=None) for one in opinions]
        return Response(with_feedback(record, opinions), media_type="application/json")

    async def _certificates(self, _: Request) -> Response:
        promises = self._orchestrator.promises.all
        if not promises:
            return _error(404, NONE_CONFIGURED, code="no_certificate")
        return _json(described(promises))

    async def _status(self, _: Request) -> Response:
        return _json(status_of(self._orchestrator, self._lasting, self._file))

    async def _scrape(self, _: Request) -> Response:
        return Response(self._lasting.metrics.render(), media_type="text/plain; version=0.0.4")


def _policy_entry(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "tierwise"}


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


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - the only one sent here
    status, body, headers = openai_errors.render(error)
    return Response(body, status_code=status, media_type="application/json", headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the only one sent here
    path, headers = request.url.path, error.headers
    if error.status_code == 404:
        return _error(
            404,
            f"There is nothing at {request.method} {path}. Use POST {CHAT_PATH} or GET /v1/models; "
            "the base URL of a client ends with /v1.",
            code="unknown_path",
        )
    if error.status_code == 405 and headers:
        allowed = headers.get("Allow", "")
        return _error(
            405,
            f"{path} does not take {request.method}. Use {allowed}.",
            code="method_not_allowed",
            headers={"allow": allowed},
        )
    return _error(error.status_code, error.detail, headers=headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return _error(500, "Internal error; the gateway's log has the details.", code="internal")
