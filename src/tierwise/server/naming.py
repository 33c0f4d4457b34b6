"""An id for every answer, so that whoever asks why it is as it is can say which one is meant."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp

from tierwise.names import new_id
from tierwise.server.request import Receive, Scope, Send

ID = b"x-request-id"
_START = "http.response.start"


class Naming:
    """Has the answers of an application carry `x-request-id`, unless they do by themselves.

    Args:
        own_id: the header beside it in which the client of a request looks for the id; None where
            there is none.
    """

    def __init__(self, app: ASGIApp, own_id: Callable[[Scope], bytes | None]) -> None:
        self._app = app
        self._own_id = own_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""

        async def named(message: MutableMapping[str, Any]) -> None:
            if message["type"] == _START:
                headers = list(message.get("headers", ()))
                said = dict(headers)
                for name in (ID, self._own_id(scope)):
                    if name is not None and name not in said:
                        said[name] = said.get(ID) or new_id().encode()
                        headers.append((name, said[name]))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, named)
