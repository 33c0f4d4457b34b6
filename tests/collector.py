"""A collector of telemetry for tests: takes OTLP over HTTP, read with the official classes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData


@dataclass
class Sent:
    """One request that reached the collector."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Collector:
    """Listens on a port of its own. It answers with the next of `statuses`, then with 200.

    Whom it refuses it sends to `location`, where that is written. `asked` counts GETs. `answer` is
    the body of its answers with 200.
    """

    statuses: list[int] = field(default_factory=list)
    refused: list[Sent] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    location: str | None = None
    asked: int = 0
    answer: bytes = b""

    def __enter__(self) -> Collector:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                lower = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size)
                if lower.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = collector.statuses.pop(0) if collector.statuses else 200
                where = collector.sent if status == 200 else collector.refused
                where.append(Sent(self.path, lower, body))
                self.send_response(status)
                if status != 200:
                    self.send_header("retry-after", "0")
                    if collector.location is not None:
                        self.send_header("location", collector.location)
                self.end_headers()
                if status == 200:
                    self.wfile.write(collector.answer)

            def do_GET(self) -> None:
                collector.asked += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Span]:
        """All spans so far."""
        bodies = [one.body for one in self.sent if one.path == "/v1/traces"]
        return [span for body in bodies for span in spans_in(body)]

    def named(self, name: str) -> Span:
        """The only span of this name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    @property
    def metrics(self) -> dict[str, Metric]:
        """The latest of each metric, by name."""
        bodies = [one.body for one in self.sent if one.path == "/v1/metrics"]
        return {
            metric.name: metric
            for body in bodies
            for resource in MetricsData.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def resource(self) -> dict[str, Any]:
        """Who has sent the latest spans."""
        body = [one.body for one in self.sent if one.path == "/v1/traces"][-1]
        return facts(TracesData.FromString(body).resource_spans[0].resource)


def spans_in(body: bytes) -> list[Span]:
    """The spans of a request's body."""
    return [
        span
        for resource in TracesData.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def facts(span: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource; fails if one is there twice."""
    pairs: list[KeyValue] = list(span.attributes)
    assert len({pair.key for pair in pairs}) == len(pairs)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
