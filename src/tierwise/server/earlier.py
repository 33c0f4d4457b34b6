"""`/v1/responses/{id}`: answers that were kept, for those who asked for them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.errors import InvalidRequest, UnknownPath
from tierwise.following import forgotten, found, listed
from tierwise.state.kept_responses import Kept, KeptResponses

COMPACT_PATH = "/v1/responses/compact"
_ONE = "/v1/responses/{response}"


class EarlierEndpoint:
    """Gives a kept answer, its input, or forgets it.

    Args:
        caller: the name of whoever asks; raises as `Keys.client` does.
    """

    def __init__(self, kept: KeptResponses, caller: Callable[[Request], str | None]) -> None:
        self._kept = kept
        self._caller = caller

    def routes(self) -> list[Route]:
        """Where these calls are."""
        return [
            Route(f"{_ONE}/input_items", self.items),
            Route(f"{_ONE}/cancel", self.cancel, methods=["POST"]),
            # One route, so that whoever uses another method is told of both.
            Route(_ONE, self.one, methods=["GET", "DELETE"]),
        ]

    async def one(self, request: Request) -> Response:
        """Gives the answer, or forgets it."""
        return await (self.forget if request.method == "DELETE" else self.give)(request)

    async def give(self, request: Request) -> Response:
        """The answer as it was given."""
        kept = await self._found(request)
        if request.query_params.get("stream") == "true":
            raise InvalidRequest(
                "`stream` is true. A kept answer is given whole: leave it out.", param="stream"
            )
        return Response(kept.response, media_type="application/json")

    async def items(self, request: Request) -> Response:
        """A page of what it is an answer to."""
        kept = await self._found(request)
        return _json(listed(kept, request.query_params))

    async def cancel(self, request: Request) -> Response:
        """Only answers in the background can be cancelled, and there are none here."""
        await self._found(request)
        raise InvalidRequest(
            "Only a response that was created with `background: true` can be cancelled.",
            param="response_id",
        )

    async def forget(self, request: Request) -> Response:
        """Forgets the answer."""
        caller, name = self._caller(request), request.path_params["response"]
        return _json(await forgotten(self._kept, caller, name))

    async def _found(self, request: Request) -> Kept:
        caller, name = self._caller(request), request.path_params["response"]
        return await found(self._kept, caller, name)


def no_compaction() -> UnknownPath:
    """That nothing makes a conversation short here; without it `compact` were an answer's id."""
    return UnknownPath(
        f"POST {COMPACT_PATH} is not offered: only the provider that makes a conversation short "
        "can read what it becomes, and the next answer may come from another. Send the "
        "conversation itself, or name the answer that it goes on from as `previous_response_id`."
    )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
