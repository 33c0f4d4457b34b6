"""What HTTP has in store: compressed bodies, heads without end, pages of other origins, ids."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading

import pytest
from aiohttp import web

from fuzz.inside import Inside
from gateway import (
    KEY,
    PATIENCE_S,
    Body,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    fails,
    says,
)
from tierwise.server import corked
from tierwise.server.corked import MOST_HEAD_BYTES

PATH = "/v1/chat/completions"
BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hello"}]}).encode()


def test_a_compressed_body_is_read(gateway: RunningGateway, provider: Provider) -> None:
    headers = {"content-encoding": "gzip"}
    reply = call(gateway.url, "POST", PATH, gzip.compress(BODY), headers=headers)
    assert (reply.status, provider.seen[-1].body["model"]) == (200, "small")
    assert "Content-Encoding" not in provider.seen[-1].headers


@pytest.mark.parametrize(
    ("status", "coding", "body"),
    [
        (400, "gzip", BODY),
        (413, "gzip", gzip.compress(b" " * (2 << 20))),
        (415, "lzma", BODY),
    ],
)
def test_one_that_cannot_be_unpacked_is_refused(
    gateway: RunningGateway, status: int, coding: str, body: bytes
) -> None:
    reply = call(gateway.url, "POST", PATH, body, headers={"content-encoding": coding})
    assert (reply.status, reply.error["param"]) == (status, "content-encoding")


@pytest.mark.parametrize("streaming", [False, True])
def test_an_answer_that_comes_compressed_is_unpacked(
    gateway: RunningGateway, provider: Provider, streaming: bool
) -> None:
    async def act(request: web.Request, body: Body) -> web.StreamResponse:
        if not streaming:
            answer = await says("Hello")(request, body)
            assert isinstance(answer, web.Response)
            answer.enable_compression(web.ContentCoding.gzip)
            return answer
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.enable_compression(web.ContentCoding.deflate)
        await response.prepare(request)
        choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}
        event = {"id": "1", "model": "small", "choices": [choice]}
        await response.write(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode())
        await response.write_eof()
        return response

    # A provider compresses only for those who ask; some proxies do not ask whether they may.
    provider.acts["small"] = act
    reply = chat(gateway.url, stream=streaming)
    assert (reply.status, b"Hello" in reply.body) == (200, True)


def test_a_head_without_end_is_cut_off(gateway: RunningGateway) -> None:
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        line = b"x-filler: " + b"x" * 8000 + b"\r\n"
        answer = b""
        try:
            for _ in range(MOST_HEAD_BYTES * 4 // len(line)):
                connection.sendall(line)
        except OSError:
            pass  # it has hung up
        try:
            answer = connection.recv(4096)
        except OSError:
            return
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer


def head_of(size: int, path: str) -> bytes:
    """A whole request whose request line and headers have about so many bytes."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nx-filler: "
    return head.encode() + b"x" * (size - len(head)) + b"\r\n\r\n{}"


def answer_to(gateway: RunningGateway, *sent: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Status line, headers and body of the answer to what is sent piece by piece."""
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in sent:
            connection.sendall(piece)
            threading.Event().wait(0.05 * (len(sent) > 1))
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += connection.recv(65536)
        head, _, body = heard.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65536)
    return status.encode(), headers, body


@pytest.mark.parametrize("size", [MOST_HEAD_BYTES + 100, 120_000])
@pytest.mark.parametrize(
    ("path", "shape", "word"),
    [
        (PATH, ("error", "code"), "headers_too_large"),
        ("/v1/messages", ("error", "type"), "invalid_request_error"),
        ("/v1beta/models/m:generateContent", ("error", "status"), "INVALID_ARGUMENT"),
    ],
)
def test_a_head_that_is_too_long_is_refused_in_the_clients_words(
    gateway: RunningGateway, size: int, path: str, shape: tuple[str, str], word: str
) -> None:
    whole = head_of(size, path)
    for sent in ([whole], [whole[:500], whole[500:]], [whole[: MOST_HEAD_BYTES + 50]]):
        status, headers, body = answer_to(gateway, *sent)
        error = json.loads(body)[shape[0]]
        assert (status.split()[1], error[shape[1]]) == (b"431", word)
        assert f"more than {MOST_HEAD_BYTES:,} bytes" in error["message"]
        assert headers["x-request-id"]


@pytest.mark.parametrize(
    "line", [b"POST /v1/chat/completions?q=", b"POST /\xff", b"POST http://[", b"\r\n"]
)
def test_a_first_line_without_end_is_refused(gateway: RunningGateway, line: bytes) -> None:
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        connection.sendall(line + b"x" * (MOST_HEAD_BYTES + 100))
        assert connection.recv(65536).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


def test_a_head_as_long_as_is_said_is_taken_with_its_body(gateway: RunningGateway) -> None:
    whole = head_of(MOST_HEAD_BYTES - 100, PATH)
    for sent in ([whole], [whole[:500], whole[500:]]):
        status, _, body = answer_to(gateway, *sent)
        assert (status.split()[1], json.loads(body)["error"]["code"]) == (b"401", "missing_api_key")


def test_what_counts_is_each_head_and_not_what_comes_at_once(gateway: RunningGateway) -> None:
    ask = head_of(30_000, "/health/live").replace(b"POST", b"GET", 1)
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        connection.sendall(ask * 5 + ask.replace(b"host: x", b"connection: close", 1))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 OK") == 6


@pytest.mark.parametrize("line", [b"x-filler: " + b"x" * 8000 + b"\r\n", b"x" * 8000])
def test_trailers_without_end_are_cut_off(gateway: RunningGateway, line: bytes) -> None:
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        head = b"GET /health/live HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head + b"0\r\nx: x" + b"\r\n" * (line[-1:] == b"\n"))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # it has hung up
            connection.sendall(line * 10_000)


def test_short_trailers_and_long_chunks_are_no_trouble(gateway: RunningGateway) -> None:
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        head = b"GET /health/live HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")  # so the rest comes by itself
        size = MOST_HEAD_BYTES * 3
        chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
        connection.sendall(chunk + b"0\r\nx-checksum: 1\r\n\r\n")
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("sent", [b"", b"GET /health/live HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_is_given_up(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(corked, "HEAD_S", 0.05)
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 ") if sent else answer == b""


def test_a_connection_that_has_asked_is_kept_for_more(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corked, "HEAD_S", 0.05)
    ask = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    with socket.create_connection(gateway.host.split(":"), timeout=PATIENCE_S) as connection:
        for _ in range(2):
            connection.sendall(ask)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            threading.Event().wait(0.2)


def test_a_very_long_path_is_no_trouble(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/models/" + "x" * 20_000)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")


def test_an_answer_has_ids_of_ours_and_of_the_provider(
    gateway: RunningGateway, provider: Provider
) -> None:
    async def act(request: web.Request, body: Body) -> web.StreamResponse:
        answer = await says("Hello")(request, body)
        answer.headers["x-request-id"] = "req_upstream"
        return answer

    provider.acts["small"] = act
    reply = chat(gateway.url)
    assert reply.headers["x-upstream-request-id"] == "req_upstream"
    assert reply.headers["x-request-id"] == reply.headers["x-tierwise-decision-id"]


def test_a_refusal_has_the_providers_id(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = fails(400, {"message": "no"}, {"request-id": "req_upstream"})
    reply = chat(gateway.url)
    assert (reply.status, reply.headers["x-upstream-request-id"]) == (400, "req_upstream")


def test_an_error_before_all_has_an_id(gateway: RunningGateway) -> None:
    assert call(gateway.url, "POST", PATH, b"{").headers["x-request-id"]


def test_pages_of_other_origins_may_not_ask_unless_they_are_named(
    gateway: RunningGateway, provider: Provider
) -> None:
    asks = {
        "origin": "https://example.org",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    plain = call(gateway.url, "OPTIONS", PATH, key=None, headers=asks)
    assert (plain.status, "access-control-allow-origin" in plain.headers) == (405, False)
    data = config_for(
        provider.url, server={"api_keys": [KEY], "cors_origins": ["https://example.org"]}
    )
    with RunningGateway(data) as open_one:
        allowed = call(open_one.url, "OPTIONS", PATH, key=None, headers=asks)
        answered = chat(open_one.url, headers={"origin": "https://example.org"})
        other = chat(open_one.url, headers={"origin": "https://example.com"})
    assert (allowed.status, answered.status) == (200, 200)
    for reply in (allowed, answered):
        assert reply.headers["access-control-allow-origin"] == "https://example.org"
        assert reply.headers["x-request-id"]
    shown = answered.headers["access-control-expose-headers"].split(", ")
    ours = {name for name in answered.headers if name.startswith("x-tierwise-")}
    assert {*ours, "x-tierwise-dropped", "x-tierwise-cache"} <= {*shown}
    assert "access-control-allow-origin" not in other.headers


def test_heads_are_given_without_bodies(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "HEAD", "/v1/models")
    assert (reply.status, reply.body) == (200, b"")


def test_a_query_of_any_bytes_is_no_trouble() -> None:
    async def asked() -> list[int]:
        inside = Inside()
        inside.start()
        try:
            targets = (b"/nowhere?\xff", b"/v1/models?\xe5=\xff", b"/v1beta/models?key=\xff")
            return [(await inside.ask("GET", target, key=None)).status for target in targets]
        finally:
            await inside.close()

    assert asyncio.run(asked()) == [404, 401, 401]


def test_a_number_of_thousands_of_digits_is_refused(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1beta/models?pageSize=000000001" + "9" * 5000)
    assert reply.status == 400


def test_a_wrong_method_is_told_all_that_are_right(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "PUT", "/v1/responses/resp_1")
    assert reply.status == 405
    assert {one.strip() for one in reply.headers["allow"].split(",")} == {"GET", "HEAD", "DELETE"}
