"""`GET /v1/models`: the models and policies that a request may name, as each dialect lists them."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tierwise.listing import Listing
from tierwise.orchestrator import Orchestrator
from tierwise.server.speeches import Speeches


class ModelEndpoint:
    """Lists what is configured, and one of it."""

    def __init__(self, orchestrator: Orchestrator, speeches: Speeches) -> None:
        self._listing = Listing(orchestrator)
        self._speeches = speeches

    async def all(self, request: Request) -> Response:
        """In the shape of whose clients ask: Anthropic's, Google's or else OpenAI's."""
        speech = self._speeches.of(request.scope)
        if speech is self._speeches.gemini:
            return await self.all_google(request)
        if speech is self._speeches.anthropic:
            return _json(self._listing.anthropic(request.query_params))
        return _json(self._listing.openai())

    async def one(self, request: Request) -> Response:
        """As `all`, of one that may be named as in a request."""
        name: str = request.path_params["model"]
        speech = self._speeches.of(request.scope)
        if speech is self._speeches.gemini:
            return await self.one_google(request)
        if speech is self._speeches.anthropic:
            return _json(self._listing.anthropic_one(name))
        return _json(self._listing.openai_one(name))

    async def all_google(self, request: Request) -> Response:
        """In Gemini's shape."""
        return _json(self._listing.gemini(request.query_params))

    async def one_google(self, request: Request) -> Response:
        """As `all_google`, of one."""
        return _json(self._listing.gemini_one(request.path_params["model"]))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
