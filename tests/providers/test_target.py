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
    for part in ("00-a-b-01", "00-a-c-01"):
        traced = {**HEADERS, "traceparent": part, "tracestate": "vendor=1"}
        with_part = lines(written(URL, traced, b"{}"))
        assert f"traceparent: {part}".encode() in with_part
        assert b"tracestate: vendor=1" in with_part
        assert sorted({*with_part} - {*lines(written(URL, HEADERS, b"{}"))}) == sorted(
            [f"traceparent: {part}".encode(), b"tracestate: vendor=1"]
        )


@pytest.mark.parametrize("name", ["authorization", "traceparent"])
@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "\u20ac"])
def test_nothing_is_sent_that_would_be_read_otherwise(name: str, value: str) -> None:
    with pytest.raises(ConnectFailed):
        written(URL, {"traceparent": "00-a-b-01", name: value}, b"{}")
