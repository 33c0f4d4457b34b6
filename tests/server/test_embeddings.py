"""Embeddings over HTTP and from the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from openai import OpenAI

from gateway import KEY, UPSTREAM_KEY, Provider, Reply, RunningGateway, call, config_for
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import ConfigError, UnknownModel

PATH = "/v1/embeddings"
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
    """A provider of embeddings; `answers` says what a key gets."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/embeddings", self._embed)
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


@pytest.fixture(scope="module")
def _embeds() -> Iterator[Embeds]:
    with Embeds() as one:
        yield one


@pytest.fixture
def embeds(_embeds: Embeds) -> Embeds:
    _embeds.answers.clear()
    _embeds.asked.clear()
    return _embeds


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


@pytest.fixture
def running(embeds: Embeds) -> Iterator[RunningGateway]:
    with RunningGateway(config(embeds.url)) as gateway:
        yield gateway


def ask(url: str, model: str = "vectors", **rest: Any) -> Reply:
    return call(url, "POST", PATH, {"model": model, "input": ["one", "three"], **rest})


def test_vectors_come_in_the_order_of_the_texts(running: RunningGateway, embeds: Embeds) -> None:
    reply = ask(running.url)
    assert reply.status == 200
    assert [one["embedding"][0] for one in reply.json["data"]] == [3, 5]
    assert reply.json["model"] == "vectors"
    assert reply.headers["x-tierwise-cost-usd"] == "0.00200000"
    assert reply.headers["x-upstream-request-id"] == "req_1"
    assert reply.headers["x-request-id"] not in ("", "req_1")
    provider = reply.headers["x-tierwise-deployment"].partition("/")[0]
    assert embeds.asked == [
        (f"{provider}-key", {"model": f"{provider}-vectors", "input": ["one", "three"]})
    ]


def test_the_official_sdk_reads_them(running: RunningGateway) -> None:
    """It asks for base64 unless it is told otherwise, and this provider gives numbers."""
    with OpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client:
        found = client.embeddings.create(model="vectors", input=["one", "three"])
    assert [one.embedding for one in found.data] == [[3.0, 0.5], [5.0, 0.5]]


def test_another_deployment_stands_in(running: RunningGateway, embeds: Embeds) -> None:
    broken = lambda _: web.json_response({"error": {"message": "down"}}, status=500)  # noqa: E731
    embeds.answers["beta-key"] = broken
    for _ in range(4):
        reply = ask(running.url)
        assert (reply.status, reply.headers["x-tierwise-deployment"]) == (200, "gamma/vectors")
    assert "beta-key" in {key for key, _ in embeds.asked}


def test_a_deployment_that_is_named_has_nobody_to_stand_in(
    running: RunningGateway, embeds: Embeds
) -> None:
    assert ask(running.url, "beta/vectors").headers["x-tierwise-deployment"] == "beta/vectors"
    embeds.answers["beta-key"] = lambda _: web.json_response(
        {"error": {"message": "slow down"}}, status=429, headers={"retry-after": "7"}
    )
    reply = ask(running.url, "beta/vectors")
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(reply.headers["retry-after"]) <= 7


def test_a_request_at_fault_is_not_asked_again(running: RunningGateway, embeds: Embeds) -> None:
    for key in ("beta-key", "gamma-key"):
        embeds.answers[key] = lambda _: web.json_response(
            {"error": {"message": "too many dimensions", "param": "dimensions"}}, status=400
        )
    reply = ask(running.url, dimensions=10**6)
    assert (reply.status, reply.json["error"]["param"]) == (400, "dimensions")
    assert len(embeds.asked) == 1


@pytest.mark.parametrize(
    ("status", "param", "asked"),
    [
        (404, "model", {"model": "none-such"}),
        (404, "model", {"model": "small"}),
        (400, "input", {"input": []}),
        (400, "dimensions", {"dimensions": "many"}),
    ],
)
def test_what_is_wrong_is_named(
    running: RunningGateway, status: int, param: str, asked: dict[str, Any]
) -> None:
    reply = ask(running.url, **asked)
    assert (reply.status, reply.error["param"]) == (status, param)


def test_models_for_embeddings_answer_nothing_else(running: RunningGateway) -> None:
    body = {"model": "vectors", "messages": [{"role": "user", "content": "Hello"}]}
    reply = call(running.url, "POST", "/v1/chat/completions", body)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    listed = {one["id"]: one for one in call(running.url, "GET", "/v1/models").json["data"]}
    assert listed["vectors"]["tierwise"]["capabilities"] == ["embeddings"]
    assert call(running.url, "GET", "/v1/models/vectors").json == listed["vectors"]
    assert "vectors" not in running.orchestrator.setup.models


def test_they_show_in_metrics_and_status(running: RunningGateway) -> None:
    ask(running.url)
    ask(running.url, "none-such")
    text = call(running.url, "GET", "/metrics").body.decode()
    assert 'tierwise_embeddings_total{model="vectors",status="ok"} 1.0' in text
    assert 'tierwise_embeddings_total{model="",status="UnknownModel"} 1.0' in text
    assert 'tierwise_cost_usd_total{model="vectors",policy=""} 0.002' in text
    ids = {one["id"] for one in call(running.url, "GET", "/v1/status").json["deployments"]}
    assert {"beta/vectors", "gamma/vectors", "alpha/small"} == ids - {"alpha/large"}


async def test_the_library_has_them_too(embeds: Embeds) -> None:
    async with Orchestrator.from_config(config(embeds.url)) as orchestrator:
        found = await orchestrator.embed(["one", "three"], "vectors", encoding_format="float")
        assert [vector[0] for vector in found] == [3, 5]
        assert (found.model, found.cost_usd) == ("vectors", pytest.approx(0.002))
        with pytest.raises(UnknownModel):
            await orchestrator.embed("one", "small")


def test_so_has_the_one_without_an_event_loop(embeds: Embeds) -> None:
    with SyncOrchestrator.from_config(config(embeds.url)) as orchestrator:
        assert [list(vector) for vector in orchestrator.embed("seven", "vectors")] == [[5.0, 0.5]]


def test_a_model_either_answers_or_gives_vectors(embeds: Embeds) -> None:
    data = config(embeds.url)
    data["providers"]["beta"]["models"] = ["vectors"]
    with pytest.raises(ConfigError, match="under `models` as well"):
        Orchestrator.from_config(data)


def test_a_provider_serves_something() -> None:
    data = config_for("http://127.0.0.1:9/v1")
    data["providers"]["beta"] = {"preset": "openai", "api_key": UPSTREAM_KEY}
    with pytest.raises(ConfigError, match="no model is listed"):
        Orchestrator.from_config(data)


def test_a_mistake_in_a_listed_model_is_explained() -> None:
    data = config_for("http://127.0.0.1:9/v1")
    data["providers"]["alpha"]["embeddings"] = [{"model": "vectors", "upstrem": "x"}]
    with pytest.raises(ConfigError) as caught:
        Orchestrator.from_config(data)
    assert caught.value.field == "providers.alpha.embeddings.0.upstrem"
    assert "upstream" in str(caught.value)
