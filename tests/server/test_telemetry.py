"""A request's trace, from its client through the gateway to the provider and the collector."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest

from collector import Collector, facts
from gateway import KEY, Provider, RunningGateway, call, chat, config_for, fails, says, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01"
SERVER, CLIENT, INTERNAL = 2, 3, 1

Start = Callable[..., RunningGateway]


@pytest.fixture
def start(
    provider: Provider, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Starts a gateway that tells the collector of everything."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    with ExitStack() as stack:

        def begin(**sections: Any) -> RunningGateway:
            telemetry = {"otlp_endpoint": collector.url, **sections.pop("telemetry", {})}
            data = config_for(provider.url, telemetry=telemetry, **sections)
            return stack.enter_context(RunningGateway(data))

        yield begin


def told(collector: Collector, count: int) -> list[Any]:
    """All spans, when so many requests have been told of."""
    until(lambda: sum(s.kind == SERVER for s in collector.spans) >= count, "the spans")
    return collector.spans


def test_the_official_clients_trace_reaches_provider_and_collector(
    provider: Provider, start: Start, collector: Collector
) -> None:
    client = openai.OpenAI(base_url=f"{start().url}/v1", api_key=KEY)
    answer = client.chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": "Hello"}],
        extra_headers={"traceparent": HEADER, "tracestate": "vendor=1"},
    )
    assert answer.choices[0].message.content == "Hello"
    both = {span.kind: span for span in told(collector, 1) if span.name == "chat small"}
    root, call = both[SERVER], both[CLIENT]
    assert root.trace_id.hex() == call.trace_id.hex() == TRACE
    assert root.parent_span_id.hex() == PARENT
    assert root.trace_state == "vendor=1"
    assert call.parent_span_id == root.span_id
    assert "gen_ai.request.stream" not in {**facts(root), **facts(call)}
    sent = provider.seen[-1].headers
    assert sent["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert sent["tracestate"] == "vendor=1"


def test_several_headers_of_a_traces_state_are_one_in_their_order(
    provider: Provider, start: Start, collector: Collector
) -> None:
    said = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    body = json.dumps(said).encode()
    connection = http.client.HTTPConnection(start().url.removeprefix("http://"))
    with contextlib.closing(connection):
        connection.putrequest("POST", "/v1/chat/completions")
        for name, value in (
            ("authorization", f"Bearer {KEY}"),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("traceparent", HEADER),
            ("tracestate", "vendor=1,other=2"),
            ("tracestate", "third=3"),
            ("tracestate", ""),
        ):
            connection.putheader(name, value)
        connection.endheaders(body)
        assert connection.getresponse().status == 200
    assert provider.seen[-1].headers["tracestate"] == "vendor=1,other=2,third=3"
    root = next(span for span in told(collector, 1) if span.kind == SERVER)
    assert root.trace_state == "vendor=1,other=2,third=3"


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_told_by_its_stations(
    provider: Provider, start: Start, collector: Collector, stream: bool
) -> None:
    provider.acts["small"] = says("")
    gateway = start()
    reply = chat(gateway.url, "stepwise", stream=stream)
    assert reply.status == 200
    spans = told(collector, 1)
    by_id = {span.span_id: span for span in spans}
    [root] = [span for span in spans if not span.parent_span_id]
    tree = sorted(
        (by_id[span.parent_span_id].name if span.parent_span_id else "", span.name, span.kind)
        for span in spans
    )
    assert tree == [
        ("", "chat stepwise", SERVER),
        ("chat small", "gate complete", INTERNAL),
        ("chat stepwise", "analyse", INTERNAL),
        ("chat stepwise", "chat large", CLIENT),
        ("chat stepwise", "chat small", CLIENT),
        ("chat stepwise", "route", INTERNAL),
    ]
    assert len({span.trace_id for span in spans}) == 1
    for span in spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    small, large = collector.named("chat small"), collector.named("chat large")
    assert collector.named("analyse").end_time_unix_nano <= small.start_time_unix_nano
    assert small.end_time_unix_nano <= large.start_time_unix_nano
    assert facts(root)["tierwise.decision.id"] == reply.headers["x-tierwise-decision-id"]


def test_attributes_are_those_of_the_conventions(start: Start, collector: Collector) -> None:
    gateway = start()
    assert chat(gateway.url, "stepwise", stream=True).status == 200
    told(collector, 1)
    call, root = facts(collector.named("chat small")), facts(collector.named("chat stepwise"))
    host, port = gateway.orchestrator.setup.everywhere()[0].base_url.split("/")[2].split(":")
    took = call.pop("gen_ai.response.time_to_first_chunk")
    assert took > 0
    p = call.pop("tierwise.p_acceptable")
    assert 0 <= p <= 1
    assert call == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "alpha",
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "small",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "server.address": host,
        "server.port": int(port),
        "http.response.status_code": 200,
        "tierwise.deployment": "alpha/small",
        "tierwise.tier": 1,
        "tierwise.outcome": "accepted",
        "tierwise.cost_usd": pytest.approx(20e-6),
    }
    assert root["gen_ai.request.model"] == "stepwise"
    assert root["gen_ai.response.model"] == "small"
    assert root["gen_ai.usage.output_tokens"] == 5
    assert root["tierwise.cost_usd"] == pytest.approx(20e-6)
    assert root["tierwise.reference_cost_usd"] == pytest.approx(200e-6)
    assert facts(collector.named("gate complete"))["gen_ai.evaluation.score.value"] > 0.5
    assert facts(collector.named("route"))["tierwise.plan"] == ["small", "large"]
    assert collector.resource["service.name"] == "tierwise"


def test_failed_calls_say_what_kind_of_error_it_was(
    provider: Provider, start: Start, collector: Collector
) -> None:
    provider.acts["small"] = fails(500, {"message": "the prompt was: my secret plan"})
    gateway = start(policies={"direct": {"tiers": [{"model": "small"}], "wait_s": 0}})
    assert chat(gateway.url, "small", text="my secret plan").status >= 500
    spans = told(collector, 1)
    [root] = [span for span in spans if span.kind == SERVER]
    calls = [span for span in spans if span.kind == CLIENT]
    assert {facts(call)["error.type"] for call in calls} == {"server_failed"}
    assert facts(calls[0])["http.response.status_code"] == 500
    assert facts(root)["error.type"] == "AllPathsFailed"
    assert {span.status.code for span in (root, *calls)} == {2}
    assert b"secret plan" not in b"".join(sent.body for sent in collector.sent)


def test_prompts_and_answers_are_told_only_if_the_configuration_says_so(
    provider: Provider, start: Start, collector: Collector
) -> None:
    provider.acts["small"] = says("my secret answer")
    quiet = start(ledger={"store_content": True})
    assert chat(quiet.url, "stepwise", text="my secret plan").status == 200
    told(collector, 1)
    assert b"secret" not in b"".join(sent.body for sent in collector.sent)
    frank = start(ledger={"store_content": True}, telemetry={"content": True})
    assert chat(frank.url, "stepwise", text="my secret plan").status == 200
    told(collector, 2)
    [root] = [
        facts(span)
        for span in collector.spans
        if span.kind == SERVER and "gen_ai.input.messages" in facts(span)
    ]
    assert json.loads(root["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "my secret plan"}]}
    ]
    assert json.loads(root["gen_ai.output.messages"])[0]["parts"][0]["content"] == (
        "my secret answer"
    )


def test_without_an_endpoint_nothing_is_sent_and_providers_see_no_trace(
    provider: Provider, gateway: RunningGateway
) -> None:
    assert chat(gateway.url, "small", headers={"traceparent": HEADER}).status == 200
    assert "traceparent" not in {name.lower() for name in provider.seen[-1].headers}
    record = gateway.last_record()
    assert record.trace is None
    assert record.attempts[0].span is None
    assert record.attempts[0].began_s is not None


def test_what_is_not_sampled_is_not_told_but_passed_on(
    provider: Provider, start: Start, collector: Collector
) -> None:
    gateway = start(telemetry={"sample": 0.0})
    assert chat(gateway.url, "small").status == 200
    assert provider.seen[-1].headers["traceparent"].endswith("-00")
    assert chat(gateway.url, "small", headers={"traceparent": HEADER}).status == 200
    assert {span.trace_id.hex() for span in told(collector, 1)} == {TRACE}


def calls_in(collector: Collector, metric: str, count: int) -> Any:
    """A histogram of calls, when so many have been counted."""

    def counted() -> bool:
        found = collector.metrics.get(metric)
        return found is not None and sum(p.count for p in found.histogram.data_points) == count

    until(counted, f"{count} calls in {metric}")
    return collector.metrics[metric]


def test_metrics_are_those_of_the_conventions(
    provider: Provider, start: Start, collector: Collector
) -> None:
    gateway = start(telemetry={"older_names": False})
    assert chat(gateway.url, "small").status == 200
    assert chat(gateway.url, "small", stream=True).status == 200
    provider.acts["small"] = fails(400, {"message": "no"})
    assert chat(gateway.url, "small").status == 400
    durations = calls_in(collector, "gen_ai.client.inference.duration", 3)
    metrics = collector.metrics
    assert durations.unit == "s"
    assert durations.histogram.aggregation_temporality == 2
    by_error = {facts(p).get("error.type"): p for p in durations.histogram.data_points}
    assert {error: p.count for error, p in by_error.items()} == {None: 2, "refused": 1}
    for point in by_error.values():
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert sum(point.bucket_counts) == point.count
    used = {
        name.removeprefix("gen_ai.client.inference.usage."): sum(
            p.as_int for p in metric.sum.data_points
        )
        for name, metric in metrics.items()
        if name.startswith("gen_ai.client.inference.usage.")
    }
    assert used == {
        "input_tokens": 20,
        "output_tokens": 10,
        "cache_read.input_tokens": 0,
        "cache_write.input_tokens": 0,
        "reasoning.output_tokens": 0,
    }
    spent = metrics["gen_ai.client.inference.usage.input_tokens"]
    assert spent.unit == "{token}"
    assert spent.sum.is_monotonic
    assert {facts(p)["gen_ai.token.modality"] for p in spent.sum.data_points} == {"unknown"}
    [each] = metrics["gen_ai.client.inference.operation.output_tokens"].histogram.data_points
    assert (each.count, each.sum) == (2, 10)
    first = metrics["gen_ai.client.inference.time_to_first_chunk"].histogram.data_points
    assert [p.count for p in first] == [1]
    cost = metrics["tierwise.cost"].sum
    assert cost.is_monotonic
    assert sum(p.as_double for p in cost.data_points) == pytest.approx(2 * 20e-6)
    assert not {name for name in metrics if name.startswith("gen_ai.client.operation.")}
    assert "gen_ai.client.token.usage" not in metrics


def test_metrics_have_the_names_of_before_as_well(start: Start, collector: Collector) -> None:
    gateway = start()
    assert chat(gateway.url, "small", stream=True).status == 200
    durations = calls_in(collector, "gen_ai.client.operation.duration", 1)
    metrics = collector.metrics
    renamed = metrics["gen_ai.client.inference.duration"]
    assert durations.histogram.data_points == renamed.histogram.data_points
    tokens = metrics["gen_ai.client.token.usage"]
    assert tokens.unit == "{token}"
    by_type = {facts(p)["gen_ai.token.type"]: p.sum for p in tokens.histogram.data_points}
    assert by_type == {"input": 10, "output": 5}
    first = metrics["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points
    assert [p.count for p in first] == [1]


def test_a_collector_that_is_gone_costs_no_request(provider: Provider, start: Start) -> None:
    gateway = start(telemetry={"otlp_endpoint": "http://127.0.0.1:9"})
    assert [chat(gateway.url, "small").status for _ in range(5)] == [200] * 5


def test_every_way_of_answering_leaves_its_status_in_the_access_log(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[Any] = []
    monkeypatch.setattr(
        "tierwise.telemetry.access.AccessLog.add", lambda _, over, __: entries.append(over)
    )
    server = {"access_log": True, "cors_origins": ["https://example.org"]}
    with RunningGateway(config_for(provider.url, server=server)) as gateway:
        url = gateway.url
        chat(url, "small")
        chat(url, "small", stream=True)
        chat(url, "nobody")
        once = {"idempotency-key": "k1"}
        chat(url, "small", headers=once)
        chat(url, "small", headers=once)
        call(url, "GET", "/health/live")
        call(url, "GET", "/none-such")
        call(url, "GET", "/v1/files", headers={"x-tierwise-provider": "nobody"})
        preflight = {"origin": "https://example.org", "access-control-request-method": "POST"}
        call(url, "OPTIONS", "/v1/chat/completions", headers=preflight)
    found = [(one.method, one.status) for one in entries]
    assert found == [
        ("POST", 200),
        ("POST", 200),
        ("POST", 404),
        ("POST", 200),
        ("POST", 200),
        ("GET", 200),
        ("GET", 404),
        ("GET", 404),
        ("OPTIONS", 200),
    ]


def test_lines_of_the_access_log_that_were_dropped_are_in_the_metrics(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.telemetry.access.MOST_WAITING", 0)
    with RunningGateway(config_for(provider.url, server={"access_log": True})) as gateway:
        for _ in range(3):
            chat(gateway.url, "small")
        metrics = call(gateway.url, "GET", "/metrics").body.decode()
    assert "\ntierwise_access_lines_dropped_total 3.0\n" in metrics
