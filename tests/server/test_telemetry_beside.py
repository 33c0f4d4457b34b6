"""Traces and metrics of what is no answer: embeddings, and calls that are passed through."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from aiohttp import web

from collector import Collector, facts
from elsewhere import Elsewhere
from gateway import KEY, PATIENCE_S, RunningGateway, call, config_for, until
from vectors import Embeds, config

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01"
SERVER, CLIENT = 2, 3
ASKED = {"role": "user", "content": "Hi"}

Start = Callable[[dict[str, Any]], RunningGateway]


@pytest.fixture
def start(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a gateway that tells the collector of everything."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    with ExitStack() as stack:

        def begin(data: dict[str, Any]) -> RunningGateway:
            told = {"otlp_endpoint": collector.url, **data.get("telemetry", {})}
            return stack.enter_context(RunningGateway({**data, "telemetry": told}))

        yield begin


def told(collector: Collector, count: int = 1) -> tuple[list[Any], list[Any]]:
    """The spans of requests and those of calls, when so many requests have been told of."""
    until(lambda: sum(s.kind == SERVER for s in collector.spans) >= count, "the spans")
    spans = collector.spans
    return [s for s in spans if s.kind == SERVER], [s for s in spans if s.kind == CLIENT]


def counted(collector: Collector, metric: str, count: int) -> list[Any]:
    """The series of a histogram, when so many values are in it."""

    def points() -> list[Any]:
        found = collector.metrics.get(metric)
        return [] if found is None else list(found.histogram.data_points)

    until(lambda: sum(p.count for p in points()) == count, f"{count} in {metric}")
    return points()


def embed(gateway: RunningGateway, **fields: Any) -> Any:
    body = {"model": "vectors", "input": "one", **fields}
    return call(gateway.url, "POST", "/v1/embeddings", body, headers={"traceparent": HEADER})


def test_embeddings_are_told_with_each_call_for_them(
    start: Start, collector: Collector, embeds: Embeds
) -> None:
    embeds.answers["beta-key"] = lambda _: web.json_response({"error": {}}, status=500)
    gateway = start(config(embeds.url))
    reply = embed(gateway, dimensions=2, encoding_format="base64")
    assert reply.status == 200
    [root], calls = told(collector)
    assert root.name == "embeddings vectors"
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    assert {(one.trace_id.hex(), one.parent_span_id) for one in calls} == {(TRACE, root.span_id)}
    for one in calls:
        assert root.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano
        assert one.end_time_unix_nano <= root.end_time_unix_nano
    failed, answered = sorted(calls, key=lambda one: one.start_time_unix_nano)
    assert failed.end_time_unix_nano <= answered.start_time_unix_nano
    assert (failed.name, failed.status.code) == ("embeddings beta-vectors", 2)
    assert facts(failed)["error.type"] == "server_failed"
    host, port = embeds.url.split("/")[2].split(":")
    assert facts(answered) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "gamma",
        "gen_ai.request.model": "gamma-vectors",
        "gen_ai.response.model": "vectors",
        "gen_ai.embeddings.dimension.count": 2,
        "gen_ai.request.encoding_formats": ["base64"],
        "gen_ai.usage.input_tokens": 1000,
        "server.address": host,
        "server.port": int(port),
        "http.response.status_code": 200,
        "tierwise.deployment": "gamma/vectors",
        "tierwise.outcome": "accepted",
        "tierwise.cost_usd": pytest.approx(0.002),
    }
    whole = facts(root)
    assert whole["gen_ai.operation.name"] == "embeddings"
    assert (whole["gen_ai.request.model"], whole["gen_ai.provider.name"]) == ("vectors", "gamma")
    assert whole["tierwise.decision.id"] == reply.headers["x-tierwise-decision-id"]
    assert (whole["tierwise.attempts"], whole["tierwise.failovers"]) == (2, 1)
    assert whole["gen_ai.usage.input_tokens"] == 1000
    assert "gen_ai.usage.output_tokens" not in whole


def test_each_call_for_embeddings_carries_its_own_span(start: Start, collector: Collector) -> None:
    got: list[str] = []

    async def other(request: web.Request) -> web.Response:
        got.append(request.headers["traceparent"])
        return web.json_response({"data": [{"index": 0, "embedding": [1.0]}]})

    with Embeds(more={"/v2/embeddings": other}) as elsewhere:
        data = config(elsewhere.url.replace("/v1", "/v2"))
        assert embed(start(data)).status == 200
    _, [one] = told(collector)
    assert got == [f"00-{TRACE}-{one.span_id.hex()}-01"]


def test_embeddings_that_fail_are_told_and_their_texts_are_not(
    start: Start, collector: Collector, embeds: Embeds
) -> None:
    said = {"error": {"message": "no such: my secret plan"}}
    for key in ("beta-key", "gamma-key"):
        embeds.answers[key] = lambda _: web.json_response(said, status=400)
    assert embed(start(config(embeds.url)), input="my secret plan").status == 400
    [root], [one] = told(collector)
    assert (root.status.code, facts(root)["error.type"]) == (2, "UpstreamRejected")
    assert (one.status.code, facts(one)["error.type"]) == (2, "refused")
    assert b"secret plan" not in b"".join(sent.body for sent in collector.sent)


def test_metrics_of_embeddings_are_those_of_the_conventions(
    start: Start, collector: Collector, embeds: Embeds
) -> None:
    gateway = start(config(embeds.url))
    assert embed(gateway).status == 200
    assert embed(gateway).status == 200
    [duration] = counted(collector, "gen_ai.client.embeddings.duration", 2)
    assert facts(duration)["gen_ai.operation.name"] == "embeddings"
    [tokens] = counted(collector, "gen_ai.client.embeddings.operation.input_tokens", 2)
    assert tokens.sum == 2000
    [older] = counted(collector, "gen_ai.client.operation.duration", 2)
    assert facts(older) == facts(duration)
    [used] = counted(collector, "gen_ai.client.token.usage", 2)
    assert (facts(used)["gen_ai.token.type"], used.sum) == ("input", 2000)
    assert "gen_ai.client.inference.duration" not in collector.metrics
    [cost] = collector.metrics["tierwise.cost"].sum.data_points
    assert (facts(cost)["gen_ai.response.model"], cost.as_double) == (
        "vectors",
        pytest.approx(0.004),
    )
    text = call(gateway.url, "GET", "/metrics").body.decode()
    assert 'tierwise_tokens_total{model="vectors",type="input"} 2000.0' in text
    assert 'outcome="accepted"' in text
    assert "tierwise_attempt_seconds_count" in text


def passing(elsewhere: Elsewhere) -> dict[str, Any]:
    return config_for(elsewhere.url, server={"api_keys": [KEY], "passthrough": ["alpha"]})


def test_what_is_passed_through_is_told_and_carries_its_span(
    start: Start, collector: Collector, elsewhere: Elsewhere
) -> None:
    gateway = start(passing(elsewhere))
    body = {"model": "alpha/gpt-image-1", "prompt": "my secret plan"}
    headers = {"traceparent": HEADER, "tracestate": "vendor=1"}
    reply = call(gateway.url, "POST", "/v1/images/generations", body, headers=headers)
    assert reply.status == 200
    [root], [one] = told(collector)
    assert (root.name, one.name) == ("generate_content gpt-image-1",) * 2
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    assert (one.trace_id.hex(), one.parent_span_id) == (TRACE, root.span_id)
    [got] = elsewhere.got
    assert got["headers"]["traceparent"] == f"00-{TRACE}-{one.span_id.hex()}-01"
    assert got["headers"]["tracestate"] == "vendor=1"
    host, port = elsewhere.url.split("/")[2].split(":")
    assert facts(one) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "alpha",
        "gen_ai.request.model": "gpt-image-1",
        "gen_ai.output.type": "image",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 300,
        "server.address": host,
        "server.port": int(port),
        "http.request.method": "POST",
        "url.path": "/v1/images/generations",
        "http.response.status_code": 200,
    }
    assert facts(root)["tierwise.decision.id"] == reply.headers["x-tierwise-decision-id"]
    assert b"secret plan" not in b"".join(sent.body for sent in collector.sent)


@pytest.mark.parametrize(
    ("method", "path", "operation", "output"),
    [
        ("POST", "/v1/audio/speech", "generate_content", "speech"),
        ("POST", "/v1/audio/transcriptions", "generate_content", "text"),
        ("POST", "/v1/vector_stores/vs_1/search", "retrieval", None),
        ("POST", "/v1/vector_stores", "vector_stores", None),
        ("POST", "/v1/moderations", "moderations", None),
        ("GET", "/v1/files/f_1", "files", None),
        ("GET", "/v1/batches", "batches", None),
        ("POST", "/passthrough/alpha/v1/anything", "passthrough", None),
    ],
)
def test_what_a_call_does_is_said_in_the_conventions_words_where_they_have_some(
    start: Start,
    collector: Collector,
    elsewhere: Elsewhere,
    method: str,
    path: str,
    operation: str,
    output: str | None,
) -> None:
    gateway = start(passing(elsewhere))
    headers = {} if path.startswith("/passthrough") else {"x-tierwise-provider": "alpha"}
    assert call(gateway.url, method, path, headers=headers).status == 200
    [root], [one] = told(collector)
    for span in (root, one):
        assert span.name == facts(span)["gen_ai.operation.name"] == operation
        assert facts(span).get("gen_ai.output.type") == output
    name = "inference" if operation == "generate_content" else "operation"
    [point] = counted(collector, f"gen_ai.client.{name}.duration", 1)
    assert facts(point)["gen_ai.operation.name"] == operation


def test_calls_that_fail_say_how(start: Start, collector: Collector, elsewhere: Elsewhere) -> None:
    gateway = start(passing(elsewhere))
    url = "/v1/files/missing"
    call(gateway.url, "GET", url, headers={"x-tierwise-provider": "alpha"})
    spans = [one for some in told(collector) for one in some]
    assert [(one.status.code, facts(one)["error.type"]) for one in spans] == [(2, "404")] * 2


def test_a_client_that_leaves_is_no_error_of_the_provider(
    start: Start, collector: Collector, elsewhere: Elsewhere
) -> None:
    gateway = start(passing(elsewhere))
    connection = http.client.HTTPConnection(gateway.host)
    headers = {"authorization": f"Bearer {KEY}", "x-tierwise-provider": "alpha"}
    connection.request("GET", "/v1/files/slow", headers=headers)
    assert elsewhere.arrived.wait(PATIENCE_S)
    connection.close()
    spans = [one for some in told(collector) for one in some]
    assert [(one.status.code, facts(one)["error.type"]) for one in spans] == [(0, "cancelled")] * 2


def test_a_model_that_the_provider_refuses_makes_no_series_of_its_own(
    start: Start, collector: Collector, elsewhere: Elsewhere
) -> None:
    gateway = start(passing(elsewhere))
    for name in ("one", "two", "three"):
        body = {"model": f"alpha/{name}", "prompt": "x"}
        call(gateway.url, "POST", "/v1/images/missing", body)
    [point] = counted(collector, "gen_ai.client.inference.duration", 3)
    assert facts(point)["error.type"] == "404"
    assert "gen_ai.request.model" not in facts(point)


def test_metrics_of_generated_pictures_have_their_tokens(
    start: Start, collector: Collector, elsewhere: Elsewhere
) -> None:
    gateway = start(passing(elsewhere))
    body = {"model": "alpha/gpt-image-1", "prompt": "x"}
    assert call(gateway.url, "POST", "/v1/images/generations", body).status == 200
    [made] = counted(collector, "gen_ai.client.inference.operation.output_tokens", 1)
    assert (made.sum, facts(made)["gen_ai.request.model"]) == (300, "gpt-image-1")
    text = call(gateway.url, "GET", "/metrics").body.decode()
    assert 'tierwise_passed_through_seconds_count{provider="alpha"} 1.0' in text


def test_a_passed_call_that_says_its_cost_is_told_with_it_and_is_in_no_figure_of_answers(
    start: Start, collector: Collector, elsewhere: Elsewhere
) -> None:
    gateway = start(passing(elsewhere))
    path = "/passthrough/alpha/v1/chat/completions"
    assert call(gateway.url, "POST", path, {"model": "small"}).status == 200
    [root], _ = told(collector)
    assert facts(root)["tierwise.cost_usd"] == pytest.approx(20e-6)
    counted(collector, "gen_ai.client.operation.duration", 1)
    assert not {"tierwise.cost", "tierwise.request.duration"} & collector.metrics.keys()


def test_without_an_endpoint_a_callers_trace_goes_on_as_it_came(
    elsewhere: Elsewhere,
) -> None:
    with RunningGateway(passing(elsewhere)) as gateway:
        headers = {"x-tierwise-provider": "alpha", "traceparent": HEADER}
        assert call(gateway.url, "GET", "/v1/files", headers=headers).status == 200
        [got] = elsewhere.got
        assert got["headers"]["traceparent"] == HEADER
        gateway.settle()
        [one] = gateway.orchestrator.ledger.asides()
        shown = call(gateway.url, "GET", f"/v1/decisions/{one.id}").json
    assert "told" not in shown


@pytest.mark.parametrize(
    ("path", "body", "dialect"),
    [
        (
            "/v1/messages/count_tokens",
            {"messages": [{"role": "user", "content": "Hi"}]},
            "anthropic",
        ),
        ("/v1/responses/input_tokens", {"input": "Hi"}, "responses"),
        ("/v1beta/models/small:countTokens", {"contents": [{"parts": [{"text": "Hi"}]}]}, "gemini"),
    ],
)
def test_counting_tokens_is_told_though_no_provider_is_asked(
    start: Start,
    collector: Collector,
    elsewhere: Elsewhere,
    path: str,
    body: dict[str, Any],
    dialect: str,
) -> None:
    gateway = start(passing(elsewhere))
    named = body if dialect == "gemini" else {**body, "model": "small"}
    counted = call(gateway.url, "POST", path, named, headers={"traceparent": HEADER})
    wrong = call(gateway.url, "POST", path, b"{")
    assert (counted.status, wrong.status) == (200, 400)
    roots, calls = told(collector, 2)
    assert not calls
    good, bad = sorted(roots, key=lambda one: one.start_time_unix_nano)
    assert (good.name, good.trace_id.hex()) == ("count_tokens small", TRACE)
    assert good.status.code == 0
    assert (bad.status.code, facts(bad)["error.type"]) == (2, "InvalidRequest")
    assert facts(good)["url.path"] == path
    text = call(gateway.url, "GET", "/metrics").body.decode()
    for status in ("ok", "error"):
        line = f'tierwise_token_counts_total{{dialect="{dialect}",status="{status}"}} 1.0'
        assert line in text
    assert call(gateway.url, "POST", path, named, key=None).status == 401
