"""Embeddings, from any provider that has them: `POST /v1/embeddings` in OpenAI's dialect, and
Gemini's `:embedContent` and `:batchEmbedContents`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from tierwise.catalog import cost
from tierwise.errors import RequestError, TierwiseError
from tierwise.ledger import Told
from tierwise.names import new_id
from tierwise.orchestrator import Orchestrator
from tierwise.server.allowed import check_embedding
from tierwise.server.body import bounded_body
from tierwise.server.keys import Client
from tierwise.server.lasting import Lasting
from tierwise.server.request import ClientGone
from tierwise.types import Usage

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedded
    from tierwise.wire.embeddings import Embeddings, EmbeddingsAsked

_BYTES_PER_TOKEN = 4


class EmbeddingEndpoint:
    """Has embeddings made.

    Args:
        client: whoever asks; raises as `Keys.client` does.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        lasting: Lasting,
        client: Callable[[Request], Client],
        *,
        max_body: int,
    ) -> None:
        self._orchestrator = orchestrator
        self._lasting = lasting
        self._client = client
        self._max_body = max_body

    async def openai(self, request: Request) -> Response:
        """https://platform.openai.com/docs/api-reference/embeddings/create"""
        # Imported only here, and below: few embed.
        from tierwise.wire.embeddings import read_request

        name = new_id()
        embedded = await self._embedded(request, name, read_request)
        return _response(embedded, embedded.body, name)

    async def gemini(self, request: Request) -> Response:
        """https://ai.google.dev/api/embeddings, one text."""
        from tierwise.wire.gemini.embeddings import read_one, write_one

        return await self._google(request, read_one, write_one)

    async def gemini_many(self, request: Request) -> Response:
        """The same with several texts."""
        from tierwise.wire.gemini.embeddings import read_many, write_many

        return await self._google(request, read_many, write_many)

    async def _google(
        self,
        request: Request,
        read: Callable[[bytes, str], EmbeddingsAsked],
        write: Callable[[Embeddings, int], bytes],
    ) -> Response:
        from tierwise.wire.gemini.embeddings import in_googles_words

        name = new_id()
        model: str = request.path_params["model"]
        try:
            embedded = await self._embedded(request, name, lambda body: read(body, model))
        except RequestError as error:
            raise in_googles_words(error) from None
        return _response(embedded, write(embedded.found, embedded.usage.input_tokens), name)

    async def _embedded(
        self, request: Request, name: str, read: Callable[[bytes], EmbeddingsAsked]
    ) -> Embedded:
        """The vectors of one request."""
        arrived = time.monotonic()
        client = self._client(request)
        given = request.scope["headers"]
        trace = self._lasting.trace(dict(given), given, client)
        body = await bounded_body(request, self._max_body)
        asked = read(body)
        check_embedding(asked.model, client)
        deadline = arrived + self._orchestrator.patience_s("auto")
        lasting, caller = self._lasting, client.name
        expected = len(body) // _BYTES_PER_TOKEN
        watched = lasting.watch.enter(request.receive)
        watched.heard(False)
        try:
            now = time.monotonic()
            with await lasting.allowances.admit(caller, expected, now, client.limits) as taken:
                priority = client.priority or "normal"
                with await lasting.admission.enter(priority, caller or "", deadline):
                    told = Told(trace=trace, waited_s=time.monotonic() - arrived)
                    embedded = await self._paid(asked, expected, client, deadline, name, told)
                taken.used(Usage(input_tokens=embedded.usage.input_tokens))
        except TierwiseError as error:
            lasting.metrics.embedded(self._label(asked.model), error)
            raise
        except asyncio.CancelledError:
            if watched.gone:
                raise ClientGone from None
            raise
        finally:
            lasting.watch.leave(watched)
        lasting.metrics.embedded(embedded.model, None, embedded.cost_usd)
        return embedded

    async def _paid(
        self,
        asked: EmbeddingsAsked,
        tokens: int,
        client: Client,
        deadline: float,
        name: str,
        told: Told,
    ) -> Embedded:
        """Has them made, paid from the budgets of the key, with room for the dearest place."""
        budgets, orchestrator = self._lasting.budgets, self._orchestrator
        purse = budgets.purse(client.budgets) if budgets is not None else None
        if purse is not None:
            places = orchestrator.embedder.places(asked.model)
            usage = Usage(input_tokens=tokens)
            await purse.reserve(max(cost(usage, place.prices) for place in places))
        return await orchestrator.embedded(
            asked,
            deadline,
            name=name,
            caller=client.name,
            owner=client.owner,
            told=told,
            purse=purse,
        )

    def _label(self, name: str) -> str:
        """The model's name if it is one: labels of metrics must be bounded."""
        return name if name in self._orchestrator.setup.embeddings else ""


def _response(embedded: Embedded, body: bytes, name: str) -> Response:
    headers = {
        "x-request-id": name,
        "x-tierwise-decision-id": name,
        "x-tierwise-model": embedded.model,
        "x-tierwise-deployment": embedded.deployment,
        "x-tierwise-cost-usd": f"{embedded.cost_usd:.8f}",
        "x-tierwise-attempts": str(embedded.attempts),
    }
    if embedded.upstream_id is not None:
        headers["x-upstream-request-id"] = embedded.upstream_id
    return Response(body, media_type="application/json", headers=headers)
