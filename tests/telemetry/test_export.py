"""What goes to a collector arrives, is tried again, or is dropped and counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from collector import Collector, spans_in
from gateway import until
from tierwise.telemetry.export import Exporter
from tierwise.telemetry.protobuf import message, text
from tierwise.telemetry.settings import Settings

Started = Callable[..., Exporter]


def a_span(name: str) -> bytes:
    return message(2, text(5, name))


def no_metrics(_: float) -> Iterable[bytes]:
    return ()


@pytest.fixture
def started() -> Iterator[Started]:
    running: list[Exporter] = []

    def start(url: str, **settings: Any) -> Exporter:
        given = {"traces_url": f"{url}/v1/traces", "delay_s": 0.01, **settings}
        running.append(Exporter(Settings(**given), no_metrics, "1"))
        return running[-1]

    yield start
    for one in running:
        one.close()


def test_spans_arrive_with_headers_and_who_sent_them(started: Started) -> None:
    with Collector() as collector:
        exporter = started(
            collector.url,
            traces_headers=(("api-key", "k"),),
            resource=(("service.name", "mine"),),
        )
        exporter.add([a_span("one"), a_span("two")])
        until(lambda: exporter.sent == 2, "the spans")
    assert [span.name for span in collector.spans] == ["one", "two"]
    assert collector.sent[0].headers["api-key"] == "k"
    assert collector.sent[0].headers["content-type"] == "application/x-protobuf"
    assert collector.resource == {"service.name": "mine"}


def test_spans_that_the_collector_rejects_are_dropped_and_told_of(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with Collector(answer=answer) as collector:
        exporter = started(collector.url, batch=3)
        for turn in range(1, 4):
            exporter.add([a_span("one"), a_span("two"), a_span("three")])
            until(lambda turn=turn: (exporter.sent, exporter.dropped) == (turn, 2 * turn), "them")
    assert len(collector.sent) == 3  # and none of it again
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 2  # the first and the second time; then the fourth, eighth, ...
    assert "rejected 2" in said[0]
    assert "too old" in said[0]


@pytest.mark.parametrize(
    "answer",
    [b"{}", b"\x0a\x05\x08", b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x01", b"\xff" * 40, b"<html>"],
)
def test_an_answer_that_is_none_rejects_nothing(started: Started, answer: bytes) -> None:
    with Collector(answer=answer) as collector:
        exporter = started(collector.url)
        exporter.add([a_span("one")])
        until(lambda: exporter.sent == 1, "the span")
    assert exporter.dropped == 0


def test_they_are_compressed_where_that_is_asked_for(started: Started) -> None:
    with Collector() as collector:
        exporter = started(collector.url, gzip=True)
        exporter.add([a_span("one")])
        until(lambda: exporter.sent == 1, "the span")
    assert collector.sent[0].headers["content-encoding"] == "gzip"
    assert [span.name for span in collector.spans] == ["one"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_collector_that_is_busy_is_asked_again(started: Started, status: int) -> None:
    with Collector(statuses=[status, status]) as collector:
        exporter = started(collector.url)
        exporter.add([a_span("one")])
        until(lambda: exporter.sent == 1, "the third try")
    assert len(collector.refused) == 2
    assert (exporter.dropped, exporter.waiting) == (0, 0)


def test_what_a_collector_refuses_is_dropped_counted_and_told(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    with Collector(statuses=[400]) as collector:
        exporter = started(collector.url, traces_headers=(("api-key", "the-secret"),))
        exporter.add([a_span("one")])
        until(lambda: exporter.dropped == 1, "the refusal")
        exporter.add([a_span("two")])
        until(lambda: exporter.sent == 1, "the next one")
    assert len(collector.refused) == 1
    assert "HTTP status 400" in caplog.text
    assert "the-secret" not in caplog.text


def test_more_than_may_wait_is_dropped(started: Started) -> None:
    with Collector() as collector:
        exporter = started(collector.url, queue=3, delay_s=60.0)
        for number in range(5):
            exporter.add([a_span(f"{number}")])
        assert (exporter.waiting, exporter.dropped) == (3, 2)
        exporter.flush()
        until(lambda: exporter.sent == 3, "those that have found room")
        exporter.add([a_span("later")])
        assert exporter.waiting == 1


def test_large_numbers_go_out_in_parts(started: Started) -> None:
    with Collector() as collector:
        exporter = started(collector.url, batch=10)
        for number in range(25):
            exporter.add([a_span(f"{number}")])
        until(lambda: exporter.sent == 25, "all of them")
    assert max(len(spans_in(one.body)) for one in collector.sent) <= 10


def test_large_spans_go_out_in_parts_that_collectors_take(started: Started) -> None:
    """With prompts and answers in them, as many as may go out at once would be too much for one."""
    with Collector() as collector:
        exporter = started(collector.url, delay_s=60.0)
        for number in range(9):
            answer = message(9, text(1, "answer"), message(2, message(7, bytes(1_000_000))))
            exporter.add([message(2, text(5, f"{number}"), answer)])
        exporter.flush()
        until(lambda: exporter.sent == 9, "all of them")
    assert [span.name for span in collector.spans] == [f"{number}" for number in range(9)]
    assert max(len(one.body) for one in collector.sent) < 4 * 1024 * 1024 + 1_000


def test_what_waits_is_bounded_in_bytes_too(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.telemetry.export.MOST_WAITING", 2_500)
    with Collector() as collector:
        exporter = started(collector.url, delay_s=60.0)
        for _ in range(4):
            exporter.add([bytes(1_000)])
        assert (exporter.waiting, exporter.dropped) == (2, 2)
        exporter.flush()
        until(lambda: exporter.sent == 2, "those that have found room")
        exporter.add([bytes(1_000)])
        assert exporter.waiting == 1


@contextmanager
def _whoever_speaks_no_http() -> Iterator[str]:
    """As gRPC's port does to whoever asks it in HTTP/1.1."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    asked, _ = listening.accept()
                    with asked:
                        asked.recv(65_536)
                        asked.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00SETTINGS\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_port_that_speaks_no_http_is_told_in_words_and_what_it_gets_does_not_wait_for_ever(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    with _whoever_speaks_no_http() as url:
        exporter = started(url)
        exporter.add([a_span("one")])
        until(lambda: exporter.dropped == 1, "the loss to be counted")
    assert exporter.waiting == 0
    assert "4318" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_header_that_cannot_be_sent_is_told_without_its_secret(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = started("http://127.0.0.1:9", traces_headers=(("api-key", "hidden\nword"),))
    exporter.add([a_span("one")])
    until(lambda: exporter.dropped == 1, "the loss to be counted")
    assert "headers" in caplog.text
    assert "hidden" not in caplog.text


def test_a_redirect_is_a_refusal_as_keys_are_for_no_other_place(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    with Collector() as elsewhere, Collector(statuses=[302]) as collector:
        collector.location = elsewhere.url
        exporter = started(collector.url, traces_headers=(("api-key", "k"),))
        exporter.add([a_span("one")])
        until(lambda: exporter.dropped == 1, "the refusal")
    assert "HTTP status 302" in caplog.text
    assert elsewhere.asked == 0


def test_a_certificate_that_cannot_be_read_is_told_and_stops_nobody(
    started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    started("https://127.0.0.1:9", certificate="/nowhere/ca.pem").add([a_span("one")])
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE names '/nowhere/ca.pem'" in caplog.text


def test_what_waits_at_the_end_is_sent(started: Started) -> None:
    with Collector() as collector:
        exporter = started(collector.url, delay_s=60.0)
        exporter.add([a_span("last")])
        exporter.close()
        assert [span.name for span in collector.spans] == ["last"]


def test_the_end_does_not_wait_for_a_collector_that_is_gone(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.telemetry.export.CLOSE_PATIENCE_S", 0.2)
    exporter = started("http://127.0.0.1:9")
    exporter.add([a_span("lost")])
    closing = threading.Thread(target=exporter.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    until(lambda: exporter.dropped == 1, "the loss to be counted")


def test_an_observer_is_never_kept_waiting(started: Started) -> None:
    exporter = started("http://127.0.0.1:9", queue=10)
    for _ in range(100):
        exporter.add([a_span("x")])  # returns, however slow the collector is
    assert exporter.waiting <= 10
    assert exporter.dropped >= 80
