"""`GET /v1/models`: the models and policies that a request may name, as each dialect lists them."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tierwise.errors import UnknownModel
from tierwise.listing import Listing
from tierwise.orchestrator import Orchestrator
from tierwise.server.allowed import narrowed
from tierwise.server.keys import Client
from tierwise.server.speeches import Speeches


class ModelEndpoint:
    """Lists what is configured, and one of it."""

    def __init__(self, orchestrator: Orchestrator, speeches: Speeches) -> None:
        self._orchestrator = orchestrator
        self._all = Listing(orchestrator)
        self._speeches = speeches

    async def all(self, request: Request) -> Response:
        """In the shape of whose clients ask: Anthropic's, Google's or else OpenAI's."""
        speech = self._speeches.of(request.scope)
        if speech is self._speeches.gemini:
            return await self.all_google(request)
        if speech is self._speeches.anthropic:
            return _json(self._listing(request).anthropic(request.query_params))
        return _json(self._listing(request).openai())

    async def one(self, request: Request) -> Response:
        """As `all`, of one that may be named as in a request."""
        name: str = request.path_params["model"]
        speech = self._speeches.of(request.scope)
        if speech is self._speeches.gemini:
            return await self.one_google(request)
        if speech is self._speeches.anthropic:
            return _json(self._listing(request).anthropic_one(name))
        return _json(self._listing(request).openai_one(name))

    async def all_google(self, request: Request) -> Response:
        """In Gemini's shape."""
        return _json(self._listing(request).gemini(request.query_params))

    async def one_google(self, request: Request) -> Response:
        """As `all_google`, of one."""
        return _json(self._listing(request).gemini_one(request.path_params["model"]))

    def _listing(self, request: Request) -> Listing:
        """What the key may use."""
        client: Client = request.state.client
        if client.models or client.policies:
            return Listing(_Narrowed(self._orchestrator, client))
        return self._all


class _Narrowed:
    """What an orchestrator offers to one key."""

    def __init__(self, orchestrator: Orchestrator, client: Client) -> None:
        self.setup = narrowed(orchestrator.setup, client)
        self.health = orchestrator.health
        self.router = self
        self._router = orchestrator.router

    def model_named(self, name: str) -> tuple[str, str | None]:
        """As `Router.model_named`; others than the key's are none."""
        try:
            found, pinned = self._router.model_named(name)
        except UnknownModel:
            found, pinned = "", None
        if found not in self.setup.models:
            raise UnknownModel(
                f"`model` is {name[:200]!r}, and this key may use no such model or policy. "
                "GET /v1/models lists those that it may use.",
                param="model",
            )
        return found, pinned


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
