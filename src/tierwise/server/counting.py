"""How many tokens a request would take, as each dialect asks for that.

`POST /v1/messages/count_tokens`, `POST /v1/responses/input_tokens` and Gemini's `:countTokens`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tierwise.counting import count_anthropic, count_gemini, count_responses
from tierwise.following import in_full
from tierwise.server.body import bounded_body
from tierwise.state.kept_responses import KeptResponses


class CountEndpoint:
    """Counts; without a key nobody comes here.

    Args:
        caller: the name of whoever asks; raises `AuthenticationFailed`.
    """

    def __init__(
        self, kept: KeptResponses, caller: Callable[[Request], str | None], *, max_body: int
    ) -> None:
        self._kept = kept
        self._caller = caller
        self._max_body = max_body

    async def anthropic(self, request: Request) -> Response:
        """In Anthropic's words."""
        return _json(count_anthropic(await bounded_body(request, self._max_body)))

    async def responses(self, request: Request) -> Response:
        """In the words of OpenAI's Responses, earlier answers that it goes on from among them."""
        caller = self._caller(request)
        body = await bounded_body(request, self._max_body)
        return _json(count_responses(await in_full(body, self._kept, caller)))

    async def gemini(self, request: Request) -> Response:
        """In Gemini's words."""
        return _json(count_gemini(await bounded_body(request, self._max_body)))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
