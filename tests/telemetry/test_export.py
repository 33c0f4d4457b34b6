"""What goes to a collector arrives, is tried again, or is dropped and counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

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
