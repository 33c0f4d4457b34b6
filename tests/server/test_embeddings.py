"""Embeddings over HTTP and from the library."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import pytest
from aiohttp import web
from openai import OpenAI

from gateway import (
    KEY,
    PATIENCE_S,
    UPSTREAM_KEY,
    Reply,
    RunningGateway,
    call,
    chat,
    config_for,
    until,
)
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import AllPathsFailed, ConfigError, InvalidRequest, UnknownModel
from tierwise.ledger import EMBEDDINGS, Aside
from vectors import Embeds, config, vectors

PATH = "/v1/embeddings"


def down(_: dict[str, Any]) -> web.Response:
    return web.json_response({"error": {"message": "down"}}, status=500)


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


def test_the_access_log_says_what_vectors_cost_and_who_made_them(
    embeds: Embeds, capfd: pytest.CaptureFixture[str]
) -> None:
    data = config(embeds.url)
    data["server"] |= {"access_log": True, "log_format": "json"}
    with RunningGateway(data) as gateway:
        reply = ask(gateway.url)
        unknown = ask(gateway.url, "none-such")
    line, without = (json.loads(one) for one in capfd.readouterr().err.splitlines())
    assert line["decision_id"] == reply.headers["x-tierwise-decision-id"]
    assert (line["requested"], line["model"]) == ("vectors", "vectors")
    assert line["deployment"] == reply.headers["x-tierwise-deployment"]
    assert (line["input_tokens"], line["cost_usd"]) == (1000, 0.002)
    assert unknown.status == without["status"] == 404
    assert "decision_id" not in without  # as there is none


@pytest.mark.parametrize("name", ["vectors", "beta/vectors"])
def test_a_question_to_a_model_for_embeddings_is_told_what_it_is(
    running: RunningGateway, name: str
) -> None:
    reply = chat(running.url, name)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert f"`model` '{name}' is a model for embeddings" in reply.error["message"]


def test_the_official_sdk_reads_them(running: RunningGateway) -> None:
    """It asks for base64 unless it is told otherwise, and this provider gives numbers."""
    with OpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client:
        found = client.embeddings.create(model="vectors", input=["one", "three"])
    assert [one.embedding for one in found.data] == [[3.0, 0.5], [5.0, 0.5]]


def test_another_deployment_stands_in(running: RunningGateway, embeds: Embeds) -> None:
    embeds.answers["beta-key"] = down
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


def test_a_client_that_leaves_is_billed_for_what_was_read(
    running: RunningGateway, embeds: Embeds
) -> None:
    released = threading.Event()

    def late(body: dict[str, Any]) -> web.Response:
        released.wait(PATIENCE_S)
        return vectors(body)

    embeds.answers["beta-key"] = late
    body = json.dumps({"model": "beta/vectors", "input": "one two three four"}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {running.host}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    host, port = running.host.split(":")
    ledger = running.orchestrator.ledger
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode() + body)
        until(lambda: embeds.asked, "the provider is asked")
    until(lambda: ledger.flush() and list(ledger.asides()), "the request is booked")
    released.set()
    (aside,) = ledger.asides()
    assert (aside.status, aside.attempts[0].outcome) == ("cancelled", "cancelled")
    assert aside.cost_usd == aside.attempts[0].cost_usd
    assert aside.cost_usd == pytest.approx(2e-6 * aside.attempts[0].usage.input_tokens)
    assert aside.cost_usd > 0


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
        with pytest.raises(InvalidRequest, match=r"`input` .* half a character: `\\ud83d`"):
            await orchestrator.embed(["one", "\ud83d"], "vectors")


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


def noted(running: RunningGateway) -> list[Aside]:
    running.settle()
    return running.orchestrator.ledger.asides()


def test_each_is_in_the_ledger_under_the_id_that_its_client_got(
    running: RunningGateway, embeds: Embeds
) -> None:
    embeds.answers["beta-key"] = down
    replies = [ask(running.url) for _ in range(2)]
    latest, _ = found = noted(running)
    for header in ("x-request-id", "x-tierwise-decision-id"):
        assert [one.id for one in reversed(found)] == [one.headers[header] for one in replies]
    assert (latest.kind, latest.asked, latest.status, latest.code) == (
        EMBEDDINGS, "vectors", "ok", 200,
    )  # fmt: skip
    assert (latest.provider, latest.model, latest.deployment) == (
        "gamma", "vectors", "gamma/vectors",
    )  # fmt: skip
    assert (latest.cost_usd, latest.input_tokens, latest.output_tokens) == (0.002, 1000, 0)
    assert latest.latency_s > 0
    tried = [(call.deployment, call.outcome, call.status) for one in found for call in one.attempts]
    assert set(tried) >= {
        ("beta/vectors", "server_failed", 500),
        ("gamma/vectors", "accepted", 200),
    }
    shown = call(running.url, "GET", f"/v1/decisions/{latest.id}").json
    assert (shown["kind"], shown["cost_usd"]) == (EMBEDDINGS, 0.002)


def test_one_that_fails_is_there_too_with_all_that_was_tried(
    running: RunningGateway, embeds: Embeds
) -> None:
    embeds.answers["beta-key"] = embeds.answers["gamma-key"] = down
    reply = ask(running.url)
    [one] = noted(running)
    assert reply.status == 503
    for header in ("x-request-id", "x-tierwise-decision-id"):
        assert reply.headers[header] == one.id
    assert reply.headers["x-tierwise-attempts"] == "2"
    assert (one.status, one.model, one.deployment, one.cost_usd) == ("error", None, None, 0.0)
    assert one.error is not None
    assert one.error.startswith("AllPathsFailed: ")
    assert {(call.deployment, call.outcome) for call in one.attempts} == {
        ("beta/vectors", "server_failed"),
        ("gamma/vectors", "server_failed"),
    }


def test_whose_key_it_came_with_is_kept(embeds: Embeds) -> None:
    data = config(embeds.url)
    data["server"]["api_keys"] = [{"name": "team", "key": KEY}]
    with RunningGateway(data) as gateway:
        ask(gateway.url)
        assert [one.caller for one in noted(gateway)] == ["team"]


def test_a_model_that_nobody_has_is_refused_and_not_in_the_ledger(running: RunningGateway) -> None:
    assert ask(running.url, "none-such").status == 404
    assert noted(running) == []


def test_what_the_library_embeds_is_in_the_ledger(embeds: Embeds) -> None:
    async def embed() -> list[Aside]:
        async with Orchestrator.from_config(config(embeds.url)) as orchestrator:
            found = await orchestrator.embed("one", "vectors")
            told = await orchestrator.decision(found.decision_id)  # be it written yet or not
            assert (told["kind"], told["model"], told["cost_usd"]) == (EMBEDDINGS, "vectors", 0.002)
            embeds.answers["beta-key"] = embeds.answers["gamma-key"] = down
            with pytest.raises(AllPathsFailed) as caught:
                await orchestrator.embed("one", "vectors")
            assert orchestrator.ledger.flush()
            assert caught.value.decision_id == orchestrator.ledger.asides(1)[0].id
            return orchestrator.ledger.asides()

    failed, answered = asyncio.run(embed())
    assert (answered.status, answered.cost_usd, answered.caller) == ("ok", 0.002, None)
    assert (failed.status, len(failed.attempts)) == ("error", 2)


def test_the_report_has_them(running: RunningGateway) -> None:
    ask(running.url)
    running.settle()
    figures = running.orchestrator.ledger.report(now=1e12)
    assert (figures.requests, figures.ok, figures.cost_usd, figures.saving_usd) == (1, 1, 0.002, 0)
    assert figures.by_kind[EMBEDDINGS].input_tokens == 1000
    assert figures.small_share is None
