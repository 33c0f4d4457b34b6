"""How many tokens a request would take, as each dialect asks for that.

`POST /v1/messages/count_tokens`, `POST /v1/responses/input_tokens` and Gemini's `:countTokens`. No
provider is asked, so a trace has the request alone, and the ledger has nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tierwise.counting import count_anthropic, count_gemini, count_responses
from tierwise.following import in_full
from tierwise.ledger import Aside, Told
from tierwise.passing import model_in
from tierwise.server.body import bounded_body
from tierwise.server.keys import Client
from tierwise.server.lasting import Lasting
from tierwise.state.kept_responses import KeptResponses

_KIND = "count_tokens"


class CountEndpoint:
    """Counts; without a key nobody comes here.

    Args:
        client: whoever asks; raises as `Keys.client` does.
    """

    def __init__(
        self,
        kept: KeptResponses,
        lasting: Lasting,
        client: Callable[[Request], Client],
        *,
        max_body: int,
    ) -> None:
        self._kept = kept
        self._lasting = lasting
        self._client = client
        self._max_body = max_body

    async def anthropic(self, request: Request) -> Response:
        """In Anthropic's words."""

        async def count(body: bytes, _: Client) -> Mapping[str, object]:
            return count_anthropic(body)

        return await self._counted(request, "anthropic", count)

    async def responses(self, request: Request) -> Response:
        """In the words of OpenAI's Responses, earlier answers that it goes on from among them."""

        async def count(body: bytes, client: Client) -> Mapping[str, object]:
            return count_responses(await in_full(body, self._kept, client.name))

        return await self._counted(request, "responses", count)

    async def gemini(self, request: Request) -> Response:
        """In Gemini's words."""

        async def count(body: bytes, _: Client) -> Mapping[str, object]:
            return count_gemini(body)

        return await self._counted(request, "gemini", count)

    async def _counted(
        self,
        request: Request,
        dialect: str,
        count: Callable[[bytes, Client], Awaitable[Mapping[str, object]]],
    ) -> Response:
        """The count of one request, which metrics and traces are told of."""
        client = self._client(request)
        at, began = time.time(), time.monotonic()
        given = request.scope["headers"]
        told = Told(
            trace=self._lasting.trace(dict(given), given, client),
            model=request.path_params.get("model"),
        )
        error: BaseException | None = None
        try:
            body = await bounded_body(request, self._max_body)
            if told.model is None:
                told = msgspec.structs.replace(told, model=model_in(body))
            counted = await count(body, client)
        except BaseException as raised:
            error = raised
            raise
        finally:
            over = Aside(
                id="",
                at=at,
                kind=_KIND,
                asked=f"{request.method} {request.url.path}",
                status=_status(error),
                latency_s=time.monotonic() - began,
                caller=client.name,
                owner=client.owner,
                error=None if error is None else f"{type(error).__name__}: {error}",
                told=told,
            )
            self._tell(over, dialect)
        return Response(msgspec.json.encode(counted), media_type="application/json")

    def _tell(self, over: Aside, dialect: str) -> None:
        self._lasting.metrics.counted(dialect, over.status)
        if self._lasting.telemetry is not None:
            self._lasting.telemetry.observe_aside(over)


def _status(error: BaseException | None) -> Literal["ok", "error", "cancelled"]:
    if error is None:
        return "ok"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
