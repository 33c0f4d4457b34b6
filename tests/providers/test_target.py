"""What is written to a provider to ask it."""

from __future__ import annotations

import pytest

from tierwise.errors import ConnectFailed
from tierwise.providers.target import written

URL = "http://provider.example:8080/v1/chat/completions?version=1"
HEADERS = {"authorization": "Bearer secret", "content-type": "application/json"}


def lines(request: bytes) -> list[bytes]:
    return request.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_post_says_where_what_and_how_long() -> None:
    request = written(URL, HEADERS, b"{}")
    assert lines(request) == [
        b"POST /v1/chat/completions?version=1 HTTP/1.1",
        b"host: provider.example:8080",
        b"authorization: Bearer secret",
        b"content-type: application/json",
        b"accept: */*",
        b"accept-encoding: identity",
        b"content-length: 2",
    ]
    assert request.endswith(b"\r\n\r\n{}")


def test_a_get_has_no_body() -> None:
    request = written(URL, {}, None)
    assert request.startswith(b"GET ")
    assert request.endswith(b"accept-encoding: identity\r\n\r\n")


def test_each_call_of_a_trace_says_its_own_part() -> None:
    without = lines(written(URL, HEADERS, b"{}"))
    for part in (b"traceparent: 00-a-b-01", b"traceparent: 00-a-c-01"):
        said = part + b"\r\ntracestate: vendor=1\r\n"
        with_part = lines(written(URL, HEADERS, b"{}", said))
        assert sorted(with_part) == sorted([*without, part, b"tracestate: vendor=1"])
        assert written(URL, HEADERS, None, said).endswith(said + b"\r\n")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "\u20ac"])
def test_nothing_is_sent_that_would_be_read_otherwise(value: str) -> None:
    with pytest.raises(ConnectFailed):
        written(URL, {"authorization": value}, b"{}")
