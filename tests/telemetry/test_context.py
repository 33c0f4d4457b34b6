from __future__ import annotations

import pytest

from tierwise.providers.http import HttpRequest
from tierwise.telemetry.context import Tracing, carrying, heard, span_for
from tierwise.types import Trace

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01".encode()


def test_a_callers_trace_goes_on_under_a_span_of_our_own() -> None:
    trace = Tracing().begin({b"traceparent": HEADER, b"tracestate": b"vendor=1"})
    assert (trace.id, trace.parent, trace.sampled, trace.state) == (TRACE, PARENT, True, "vendor=1")
    assert len(trace.span) == 16
    assert trace.span != PARENT


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"nonsense",
        b"ff-" + HEADER[3:],  # a version that there will never be
        HEADER.upper(),
        HEADER + b"-more",  # of version 0, which has no more
        b"00-" + b"0" * 32 + HEADER[35:],
        b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01",
        HEADER[:-1],
        HEADER.replace(b"a", b"\xff", 1),
        HEADER + b"\n",
    ],
)
def test_a_header_of_another_form_is_taken_for_none(header: bytes) -> None:
    trace = Tracing().begin({b"traceparent": header})
    assert trace.parent is None
    assert trace.id != TRACE
    assert trace.sampled


def test_a_later_version_may_say_more() -> None:
    trace = Tracing().begin({b"traceparent": b"01" + HEADER[2:] + b"-more"})
    assert (trace.id, trace.parent) == (TRACE, PARENT)


@pytest.mark.parametrize("state", [b"x" * 513, b"a=\xff", b"a=1\r\nx: y"])
def test_a_state_that_cannot_be_passed_on_is_left_out(state: bytes) -> None:
    assert Tracing().begin({b"traceparent": HEADER, b"tracestate": state}).state == ""


def test_the_caller_decides_about_its_trace_and_the_share_about_ours() -> None:
    unsampled = HEADER[:-1] + b"0"
    assert not Tracing(1.0).begin({b"traceparent": unsampled}).sampled
    assert Tracing(0.0).begin({b"traceparent": HEADER}).sampled
    assert not Tracing(0.0).begin({}).sampled
    assert Tracing(1.0).begin({}).sampled


def test_without_following_the_share_decides_by_the_id_as_others_do() -> None:
    low, high = TRACE[:16] + "0" * 15 + "1", TRACE[:16] + "f" * 16
    tracing = Tracing(0.5, follow=False)
    found = [
        tracing.begin({b"traceparent": f"00-{one}-{PARENT}-01".encode()}).sampled
        for one in (low, high)
    ]
    assert found == [True, False]


def test_about_the_share_that_is_asked_for_is_sampled() -> None:
    tracing = Tracing(0.25)
    sampled = sum(tracing.begin({}).sampled for _ in range(4000))
    assert 800 < sampled < 1200  # 7 standard deviations


def test_a_call_carries_its_own_span_and_the_callers_state() -> None:
    call = HttpRequest("http://x", {"authorization": "Bearer k"}, b"")
    trace = Trace(id=TRACE, span="1" * 16, sampled=False, state="a=1")
    carried = carrying(call, trace, "2" * 16)
    said = f"traceparent: 00-{TRACE}-{'2' * 16}-00\r\ntracestate: a=1\r\n"
    assert carried.part_of == said.encode()
    assert carried.headers == call.headers
    assert call.part_of == b""


def test_where_nobody_follows_requests_calls_stay_as_they_are() -> None:
    call = HttpRequest("http://x", {}, b"")
    assert span_for(None) is None
    assert carrying(call, None, None) is call


def test_logs_hear_of_a_trace_only_where_there_is_one() -> None:
    assert heard({}) is None
    found = heard({b"traceparent": HEADER})
    assert found is not None
    assert found.id == TRACE
