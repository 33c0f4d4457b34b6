"""What a provider does with one HTTP request: meets its faults, then answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from tierwise.fleet import bodies
from tierwise.fleet.chat import ChatRequest, Refused, read
from tierwise.fleet.connection import Connection, connection_of, for_ever
from tierwise.fleet.delivery import JSON, Delivery
from tierwise.fleet.faults import Faults
from tierwise.fleet.pace import pace
from tierwise.fleet.reply import Replies
from tierwise.fleet.speak import Answer
from tierwise.fleet.window import come_back

if TYPE_CHECKING:
    from tierwise.fleet.provider import Provider


class Serving:
    """Answers the requests of one provider."""

    def __init__(self, provider: Provider, replies: Replies, key: str, speed: float) -> None:
        self._provider = provider
        self._replies = replies
        self._key = f"Bearer {key}"
        self._speed = speed

    async def __call__(self, http: web.BaseRequest) -> web.StreamResponse:
        """One request, whatever it is."""
        connection = connection_of(http)
        try:
            return await self._serve(http, connection)
        except Refused as refused:
            self._provider.counts.refused += 1
            return web.Response(status=refused.status, body=refused.body, headers=JSON)
        except asyncio.CancelledError:
            if not connection.ended_here:
                self._provider.counts.disconnected += 1
            raise

    async def _serve(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        provider = self._provider
        if provider.faults.blackhole:
            await for_ever()
        body = await http.content.read()
        is_chat = http.method == "POST" and http.path == "/v1/chat/completions"
        if is_chat:
            provider.requests += 1
        number = provider.requests
        faults = provider.faults.hitting(_model_in(body), provider.seed, provider.name, number)
        used, connection.used = connection.used, True
        await self._before(faults, connection, used)
        if faults.errors is not None:
            provider.counts.refused += 1
            status = faults.errors.status
            return web.Response(status=status, body=bodies.error_body(status), headers=JSON)
        self._check_key(http)
        if not is_chat:
            return self._other(http)
        headers = {"x-request-id": f"req_{provider.name}_{number}"}
        refusal = self._limit(faults, headers)
        if refusal is not None:
            return refusal
        delivery = Delivery(http, faults, headers, provider.counts)
        response = await self._chat(read(body), delivery, faults, number)
        closing = faults.close_connections
        if closing is not None and closing.when == "idle":
            await response.prepare(http)
            await response.write_eof()
            connection.close_after()
        return response

    async def _before(self, faults: Faults, connection: Connection, used: bool) -> None:
        """What happens to a request before anybody looks at what it asks for."""
        closing = faults.close_connections
        if closing is not None and closing.when == "reuse" and used:
            self._provider.counts.spoilt += 1
            connection.drop(reset=True)
            await for_ever()
        if faults.hang is not None and faults.hang.when == "before_headers":
            await for_ever()
        if faults.garbage is not None and faults.garbage.kind == "bytes":
            self._provider.counts.spoilt += 1
            connection.close_after(bodies.NOT_HTTP)
            await for_ever()

    def _check_key(self, http: web.BaseRequest) -> None:
        if http.headers.get("authorization") != self._key:
            raise Refused(
                401,
                f"Incorrect API key provided. {self._provider.name} is part of a fleet that only "
                "takes the key of its own configuration.",
                code="invalid_api_key",
            )

    def _other(self, http: web.BaseRequest) -> web.Response:
        if http.path == "/v1/models" and http.method == "GET":
            data = [
                {"id": name, "object": "model", "created": 0, "owned_by": self._provider.name}
                for name in self._provider.upstream_names
            ]
            body = msgspec.json.encode({"object": "list", "data": data})
            return web.Response(body=body, headers=JSON)
        if http.path in ("/v1/models", "/v1/chat/completions"):
            raise Refused(405, f"Not allowed to {http.method} on {http.path}.")
        raise Refused(404, f"Unknown request URL: {http.method} {http.path}.", code="unknown_url")

    def _limit(self, faults: Faults, headers: dict[str, str]) -> web.Response | None:
        """Takes one request from the rate limit, if there is one; the refusal if it is spent."""
        limit = faults.rate_limit
        if limit is None:
            return None
        now = time.monotonic()
        window = self._provider.window
        wait = window.take(limit, now)
        headers.update(window.headers(limit, now))
        if wait is None:
            return None
        self._provider.counts.refused += 1
        headers.update(come_back(limit, wait))
        body = bodies.error_body(
            429, f"Rate limit reached for requests. Limit {limit.requests}/{limit.window_s:g} s."
        )
        return web.Response(status=429, body=body, headers={**JSON, **headers})

    async def _chat(
        self, request: ChatRequest, delivery: Delivery, faults: Faults, number: int
    ) -> web.StreamResponse:
        model = self._replies.model(request, self._provider.name)
        repeated = faults.repeat.words if faults.repeat is not None else 0
        said = self._replies.said(request, model, repeated)
        answer = Answer(
            request,
            request.model,
            said,
            f"{self._provider.name}{number:08d}",
            int(time.time()),
        )
        first_s, rest_s = pace(model, said, request.prompt, self._speed, faults.slow)
        if request.stream:
            return await delivery.stream(answer, first_s, rest_s)
        return await delivery.whole(answer, first_s + rest_s)


class _Named(msgspec.Struct):
    model: str = ""


def _model_in(body: bytes) -> str:
    """The id of the model that a body names, if it can be read at all."""
    try:
        return msgspec.json.decode(body, type=_Named).model.rsplit("/", 1)[-1]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
