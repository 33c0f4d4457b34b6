"""A provider of embeddings, and a gateway before two accounts of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway import KEY, Provider, config_for

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[dict[str, Any]], web.Response]


def vectors(body: dict[str, Any]) -> web.Response:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": i, "embedding": [float(len(text)), 0.5]}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 1000, "total_tokens": 1000}
    answer = {"object": "list", "data": data, "model": body["model"], "usage": usage}
    return web.json_response(answer, headers={"x-request-id": "req_1"})


@dataclass
class Embeds(Provider):
    """A provider of embeddings; `answers` says what a key gets, `more` are other paths."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    more: dict[str, Handler] = field(default_factory=dict)

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/embeddings", self._embed)
        for path, handler in self.more.items():
            app.router.add_post(path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def _embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append((key, body))
        return self.answers.get(key, vectors)(body)


def config(url: str) -> dict[str, Any]:
    data = config_for("http://127.0.0.1:9/v1", server={"api_keys": [KEY]})
    for name, key in (("beta", "beta-key"), ("gamma", "gamma-key")):
        data["providers"][name] = {
            "preset": "openai_compatible",
            "base_url": url,
            "api_key": key,
            "embeddings": [{"model": "vectors", "upstream": f"{name}-vectors"}],
        }
    data["models"]["vectors"] = {"prices": {"input": 2, "output": 0}}
    return data
