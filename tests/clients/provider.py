"""A provider that speaks four dialects and answers by a small script, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from typing import Any

from aiohttp import web

from clients.answered import WRITERS, Said
from clients.asked import READERS, Ask, Json
from gateway import PATIENCE_S

PLACES = {
    "openai-chat": "/chat/v1/chat/completions",
    "openai-responses": "/responses/v1/responses",
    "anthropic": "/anthropic/v1/messages",
    "gemini": "/gemini/v1beta/models/{call}",
}
ROOTS = {
    "openai-chat": "/chat/v1",
    "openai-responses": "/responses/v1",
    "anthropic": "/anthropic",
    "gemini": "/gemini",
}
"""Each dialect's base URL at this provider."""
TOO_HOT = "temperature is too hot for this model"
TOO_MANY = "you ask too often"


def answer(ask: Ask) -> Said:
    """What it says.

    It fills in schemas, calls the tools `weather` and `time` for Oslo together, then `weather` for
    Bergen, then tells all they gave; it calls any other tool once; it describes pictures, and else
    repeats what it is told.
    """
    if ask.schema is not None:
        return Said(json.dumps(filled(ask.schema, ask.schema)))
    if ask.must is not None or (ask.tools and "weather" not in ask.tools and not ask.rounds):
        name = ask.must or next(iter(ask.tools))
        return Said(calls=(("call_1", name, filled(ask.tools[name], ask.tools[name])),))
    if "weather" in ask.tools and ask.rounds < 2:
        if ask.rounds:
            return Said(calls=(("call_3", "weather", {"city": "Bergen"}),))
        names = [name for name in ("weather", "time") if name in ask.tools]
        calls = [(f"call_{at}", name, {"city": "Oslo"}) for at, name in enumerate(names, 1)]
        return Said("Let me see. ", tuple(calls))
    if ask.results:
        return Said("; ".join(f"{name}: {result}" for _, name, result in ask.results))
    if ask.pictures:
        return Said(" ".join(f"{kind or 'a link'} {data}" for kind, data in ask.pictures))
    return Said(f"You said: {ask.texts[-1]}")


def filled(schema: Any, root: Any) -> Any:
    """Something that a schema allows."""
    if "$ref" in schema:
        found = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return filled(found, root)
    for either in ("anyOf", "oneOf", "allOf"):
        if either in schema:
            return filled(schema[either][0], root)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match (kind[0] if isinstance(kind, list) else kind).lower():
        case "object":
            listed = schema.get("properties", {})
            return {name: filled(one, root) for name, one in listed.items()}
        case "array":
            return [filled(schema["items"], root)]
        case "integer" | "number":
            return 21
        case "boolean":
            return True
        case _:
            return "Oslo"


class ScriptedProvider:
    """Serves in a thread of its own. `gone` is set when a call was left before its end.

    Under `/recorded` it gives what `recorded` holds as (content type, body), one after another, and
    keeps what it is asked in `bodies`.

    Models are named `DIALECT` and `DIALECT-WHAT`: `slow` says a word and nothing more, `refusing`
    finds fault with the request, `limited` is asked too often.
    """

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.gone = threading.Event()
        self.recorded: list[tuple[str, bytes]] = []
        self.bodies: list[Json] = []
        self.url = ""
        self._numbers = itertools.count(1)

    def reset(self) -> None:
        """Forgets what was asked."""
        self.asked.clear()
        self.recorded.clear()
        self.bodies.clear()
        self.gone.clear()

    def __enter__(self) -> ScriptedProvider:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        for dialect, place in PLACES.items():
            app.router.add_post(place, self._serving(dialect))
        app.router.add_post("/recorded/{rest:.*}", self._replay)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    def _serving(self, dialect: str) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            body: Json = await request.json()
            if "call" in request.match_info:
                model, _, method = request.match_info["call"].rpartition(":")
                body = {**body, "model": model, "stream": method == "streamGenerateContent"}
            ask = READERS[dialect](body)
            ask.number = next(self._numbers)
            self.asked.append(ask)
            try:
                return await self._answer(request, ask)
            except (asyncio.CancelledError, ConnectionResetError):
                self.gone.set()
                raise

        return serve

    async def _replay(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        kind, body = self.recorded.pop(0)
        return web.Response(body=body, headers={"content-type": kind})

    async def _answer(self, request: web.Request, ask: Ask) -> web.StreamResponse:
        writer = WRITERS[ask.dialect]
        what = ask.model.removeprefix(ask.dialect)
        if what == "-refusing":
            return web.json_response(writer.error(400, TOO_HOT), status=400)
        if what == "-limited":
            headers = {"retry-after": "1"}
            return web.json_response(writer.error(429, TOO_MANY), status=429, headers=headers)
        if not ask.stream:
            return web.json_response(writer.whole(ask, answer(ask)))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for block in writer.stream(ask, answer(ask)):
            await response.write(block)
            if what == "-slow" and b"You" in block:
                await asyncio.Event().wait()
        await response.write_eof()
        return response
