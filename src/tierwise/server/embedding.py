"""`POST /v1/embeddings`, in OpenAI's dialect, from any provider that has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from tierwise.errors import TierwiseError
from tierwise.orchestrator import Orchestrator, new_id
from tierwise.server.body import bounded_body
from tierwise.server.keys import Client
from tierwise.server.lasting import Lasting
from tierwise.server.request import ClientGone
from tierwise.types import Usage

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedded

_BYTES_PER_TOKEN = 4


class EmbeddingEndpoint:
    """Has embeddings made. They show in the metrics; the ledger is about answers.

    Args:
        client: whoever asks; raises `AuthenticationFailed`.
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

    async def post(self, request: Request) -> Response:
        """The vectors of one request."""
        # Imported only here: few embed.
        from tierwise.wire.embeddings import read_request

        arrived = time.monotonic()
        client = self._client(request)
        body = await bounded_body(request, self._max_body)
        asked = read_request(body)
        deadline = arrived + self._orchestrator.patience_s("auto")
        lasting, name = self._lasting, client.name
        expected = len(body) // _BYTES_PER_TOKEN
        watched = lasting.watch.enter(request.receive)
        watched.heard(False)
        try:
            with lasting.allowances.enter(name, expected, time.monotonic()) as taken:
                priority = client.priority or "normal"
                with await lasting.admission.enter(priority, name or "", deadline):
                    embedded = await self._orchestrator.embedder.embed(asked, deadline)
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
        return Response(embedded.body, media_type="application/json", headers=_headers(embedded))

    def _label(self, name: str) -> str:
        """The model's name if it is one: labels of metrics must be bounded."""
        return name if name in self._orchestrator.setup.embeddings else ""


def _headers(embedded: Embedded) -> dict[str, str]:
    headers = {
        "x-request-id": new_id(),
        "x-tierwise-model": embedded.model,
        "x-tierwise-deployment": embedded.deployment,
        "x-tierwise-cost-usd": f"{embedded.cost_usd:.8f}",
        "x-tierwise-attempts": str(embedded.attempts),
    }
    if embedded.upstream_id is not None:
        headers["x-upstream-request-id"] = embedded.upstream_id
    return headers
