"""The transport keeps connections, hangs up in time, and says what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from tierwise.errors import ConnectFailed, OutOfService, ServerFailed, UpstreamTimeout
from tierwise.providers import HttpRequest, Transport
from tierwise.providers.connections import HttpStream
from upstream import HANGS, Upstream, dead_url, fails, says, streams, upstreams

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.close()


def a_call(base_url: str, connect_s: float = 2.0) -> HttpRequest:
    return HttpRequest(f"{base_url}/chat/completions", {"x-one": "1"}, b"{}", connect_s)


@asynccontextmanager
async def a_server(serve: Serve) -> AsyncIterator[str]:
    """A bare TCP server."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)  # type: ignore[misc]
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


async def test_a_whole_answer_has_status_headers_and_body(transport: Transport) -> None:
    async with upstreams(fails(429, retry_after="7")) as (upstream,):
        reply = await transport.send(a_call(upstream.base_url), 5)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert b"error" in reply.body
    assert upstream.asked[0].headers["x-one"] == "1"
    assert upstream.asked[0].body == b"{}"


async def test_a_call_is_authorised_just_before_it_is_made(transport: Transport) -> None:
    async def sign(request: HttpRequest) -> dict[str, str]:
        return {"authorization": f"signed {request.body!r}"}

    async with upstreams(says({})) as (upstream,):
        await transport.send(replace(a_call(upstream.base_url), authorise=sign), 5)
    assert upstream.asked[0].headers["Authorization"] == "signed b'{}'"
    assert upstream.asked[0].headers["x-one"] == "1"


async def test_no_call_is_made_without_credentials(transport: Transport) -> None:
    async def fail(request: HttpRequest) -> dict[str, str]:
        raise OutOfService("no credentials")

    async with upstreams(says({})) as (upstream,):
        with pytest.raises(OutOfService):
            await transport.send(replace(a_call(upstream.base_url), authorise=fail), 5)
    assert upstream.calls == 0


async def test_credentials_that_take_too_long_are_a_timeout(transport: Transport) -> None:
    async def hang(request: HttpRequest) -> dict[str, str]:
        await asyncio.sleep(60)
        return {}

    with pytest.raises(UpstreamTimeout):
        await transport.send(replace(a_call(dead_url()), authorise=hang), 0.05)


async def test_large_answers_arrive_whole(transport: Transport) -> None:
    large = {"text": "größe " * 500_000}
    async with upstreams(says(large)) as (upstream,):
        reply = await transport.send(a_call(upstream.base_url), 5)
    assert len(reply.body) > 3_000_000


async def test_an_answer_without_end_is_not_collected_for_ever(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.providers.http.MOST_BYTES", 100_000)
    async with upstreams(says({"text": "x" * 1_000_000})) as (upstream,):
        with pytest.raises(ServerFailed, match="more than 100,000 bytes"):
            await transport.send(a_call(upstream.base_url), 5)


async def test_a_nobody_is_a_failed_connection(transport: Transport) -> None:
    for ask in (transport.send(a_call(dead_url()), 5), transport.open(a_call(dead_url()))):
        with pytest.raises(ConnectFailed):
            await ask


async def test_an_answer_that_takes_too_long_is_a_timeout(transport: Transport) -> None:
    async with upstreams(HANGS) as (upstream,):
        with pytest.raises(UpstreamTimeout, match=r"no answer within 0\.05 s"):
            await transport.send(a_call(upstream.base_url), 0.05)
        await hung_up(upstream)


async def test_a_cancelled_call_hangs_up(transport: Transport) -> None:
    async with upstreams(HANGS) as (upstream,):
        asking = asyncio.create_task(transport.send(a_call(upstream.base_url), 60))
        await upstream.arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await hung_up(upstream)


async def test_a_stream_closed_early_hangs_up(transport: Transport) -> None:
    async with upstreams(streams([b"data: 1\n\n"], hang=True)) as (upstream,):
        stream = await transport.open(a_call(upstream.base_url))
        assert await stream.read() == b"data: 1\n\n"
        stream.close()
        await hung_up(upstream)


async def hung_up(upstream: Upstream) -> None:
    await asyncio.wait_for(upstream.left.wait(), 5)


async def test_a_stream_is_read_to_its_end(transport: Transport) -> None:
    async with upstreams(streams([b"data: 1\n\n", b"data: 2\n\n"])) as (upstream,):
        stream = await transport.open(a_call(upstream.base_url))
        assert await stream.read_all() == b"data: 1\n\ndata: 2\n\n"
        assert await stream.read() == b""
        stream.close()


async def test_a_cut_connection_is_an_error_and_not_an_end(transport: Transport) -> None:
    async with upstreams(streams([b"data: 1\n\n"], cut=True)) as (upstream,):
        stream = await transport.open(a_call(upstream.base_url))
        with pytest.raises(ConnectFailed):
            await read_to_the_end(stream)
        stream.close()


async def read_to_the_end(stream: HttpStream) -> None:
    while await stream.read():
        pass


async def test_what_is_not_http_is_a_failed_connection(transport: Transport) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 smtp ready\r\n\r\n")
        await writer.drain()

    async with a_server(serve) as url:
        with pytest.raises(ConnectFailed):
            await transport.send(a_call(url), 5)


async def test_connections_are_used_again(transport: Transport) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.read(65_536):
            writer.write(ANSWER)

    async with a_server(serve) as url:
        for _ in range(3):
            assert (await transport.send(a_call(url), 5)).body == b"{}"
            stream = await transport.open(a_call(url))
            assert await stream.read_all() == b"{}"
            stream.close()
        await transport.close()
    assert connections == 1


async def test_an_idle_connection_that_the_server_closed_is_not_the_request_s_fault(
    transport: Transport,
) -> None:
    connections = 0
    answered = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(65_536)
        writer.write(ANSWER)
        if connections == 1:
            # Takes the next request, and hangs up on it without a word.
            await reader.read(65_536)
        else:
            answered.set()
            await reader.read(65_536)

    async with a_server(serve) as url:
        for _ in range(2):
            assert (await transport.send(a_call(url), 5)).body == b"{}"
        await asyncio.wait_for(answered.wait(), 5)
        await transport.close()
    assert connections == 2


@pytest.mark.parametrize(
    "part", [ANSWER[:-1], ANSWER[: ANSWER.index(b"content-length")]], ids=["in body", "in head"]
)
async def test_an_answer_that_breaks_off_on_a_used_connection_is_not_asked_for_twice(
    transport: Transport, part: bytes
) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await reader.read(65_536):
            requests += 1
            writer.write(ANSWER if requests == 1 else part)
            if requests > 1:
                return

    async with a_server(serve) as url:
        await transport.send(a_call(url), 5)
        with pytest.raises(ConnectFailed):
            await transport.send(a_call(url), 5)
    assert requests == 2


async def test_redirects_are_not_followed(transport: Transport) -> None:
    async with upstreams(says({}, 302, location="http://127.0.0.1:9/")) as (upstream,):
        reply = await transport.send(a_call(upstream.base_url), 5)
    assert (reply.status, upstream.calls) == (302, 1)
