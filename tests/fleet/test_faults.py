"""Every fault, as a client sees it over HTTP."""

from __future__ import annotations

import asyncio
import email.utils
import time

import aiohttp
import pytest

from tierwise.fleet import Fleet
from tierwise.fleet.faults import (
    CloseConnections,
    Cut,
    ErrorEvent,
    Errors,
    Faults,
    Garbage,
    Hang,
    RateLimit,
    Slow,
    Stall,
)
from tierwise.providers.cooldown import retry_after

MODEL = "sim-large"
BROKEN = (aiohttp.ClientError, ConnectionError)


@pytest.fixture
def alpha(fleet):
    return fleet.providers["alpha"]


@pytest.fixture
def item(fleet, first):
    return first(fleet, "math")


async def read_stream(client, provider, item):
    """What arrives of a stream, and the error that ended it."""
    received = b""
    request = {"model": MODEL, **item.request, "stream": True}
    async with client.session.post(
        f"http://127.0.0.1:{provider.port}/v1/chat/completions",
        json=request,
        headers={"authorization": f"Bearer {provider.api_key}"},
    ) as response:
        try:
            async for data in response.content.iter_any():
                received += data
        except BROKEN as error:
            return received, error
    return received, None


async def reads_of_stream(client, provider, item):
    """What each read of a stream gave."""
    async with client.session.post(
        f"http://127.0.0.1:{provider.port}/v1/chat/completions",
        json={"model": MODEL, **item.request, "stream": True},
        headers={"authorization": f"Bearer {provider.api_key}"},
    ) as response:
        return [data async for data in response.content.iter_any()]


async def given_up(awaitable):
    """Whether a client that waits a moment gets nothing."""
    try:
        async with asyncio.timeout(0.15):
            await awaitable
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("status", [401, 402, 404, 429, 500, 502, 503, 529])
async def test_errors_have_their_status_and_a_body(alpha, client, item, status):
    alpha.faults = Faults(errors=Errors(status=status))
    reply = await client.ask(alpha, item, MODEL)
    assert reply.status == status
    assert reply.json()["error"]["message"]
    assert alpha.counts.refused == 1


async def test_a_share_hits_that_part_of_the_requests(alpha, client, item):
    alpha.faults = Faults(errors=Errors(status=503, share=0.3))
    replies = [await client.ask(alpha, item, MODEL) for _ in range(200)]
    assert 40 <= sum(reply.status == 503 for reply in replies) <= 80


async def test_which_requests_a_share_hits_follows_from_the_seed():
    faults = Faults(errors=Errors(share=0.5))

    def hits(seed):
        return [faults.hitting(MODEL, seed, "alpha", n).errors is not None for n in range(64)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)


async def test_a_fault_can_be_limited_to_models(alpha, client, item):
    alpha.faults = Faults(errors=Errors(models=("sim-medium",)))
    assert (await client.ask(alpha, item, "sim-medium")).status == 500
    assert (await client.ask(alpha, item, "sim-large")).status == 200


async def test_a_rate_limit_counts_down_and_then_refuses(alpha, client, item):
    alpha.faults = Faults(rate_limit=RateLimit(requests=2, window_s=50))
    replies = [await client.ask(alpha, item, MODEL) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    left = [reply.headers["x-ratelimit-remaining-requests"] for reply in replies]
    assert left == ["1", "0", "0"]
    assert replies[0].headers["x-ratelimit-limit-requests"] == "2"
    assert 40 < int(replies[2].headers["retry-after"]) <= 50
    assert replies[2].json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_rate_limit_lets_requests_through_once_its_window_is_over(alpha, client, item):
    alpha.faults = Faults(rate_limit=RateLimit(requests=1, window_s=0.05))
    assert (await client.ask(alpha, item, MODEL)).status == 200
    async with asyncio.timeout(5):
        while (await client.ask(alpha, item, MODEL)).status != 200:
            pass


async def test_a_rate_limit_says_when_to_come_back_in_every_usual_form(alpha, client, item):
    for form in ("seconds", "ms", "date"):
        alpha.faults = Faults(rate_limit=RateLimit(retry_after=form, wait_s=7, headers=False))
        reply = await client.ask(alpha, item, MODEL)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        assert reply.status == 429
        assert 5 < retry_after(headers) <= 8
    assert email.utils.parsedate_to_datetime(reply.headers["retry-after"]).timestamp() > time.time()
    alpha.faults = Faults(rate_limit=RateLimit(retry_after="none", headers=False))
    reply = await client.ask(alpha, item, MODEL)
    assert reply.status == 429
    assert "retry-after" not in reply.headers
    assert "x-ratelimit-limit-requests" not in reply.headers


@pytest.mark.parametrize(("asked", "sent"), [(7, "7.000s"), (None, "1.000s")])
async def test_a_limit_of_nothing_never_says_that_it_is_over_at_once(
    alpha, client, item, asked, sent
):
    limit = RateLimit(requests=0, retry_after="none", wait_s=asked)
    alpha.faults = Faults(rate_limit=limit)
    reply = await client.ask(alpha, item, MODEL)
    assert reply.status == 429
    assert reply.headers["x-ratelimit-reset-requests"] == sent


@pytest.mark.parametrize("stream", [False, True])
async def test_slow_holds_the_answer_back(alpha, client, item, stream):
    alpha.faults = Faults(slow=Slow(seconds=30))
    assert await given_up(client.ask(alpha, item, MODEL, stream=stream))
    alpha.faults = Faults()
    assert (await client.ask(alpha, item, MODEL, stream=stream)).status == 200


async def test_a_slow_factor_multiplies_lifelike_latency(source, client, first):
    # A thousandth of lifelike is a few milliseconds, and ten thousand times that is many seconds.
    async with Fleet(source, speed=0.001) as fleet:
        alpha, item = fleet.providers["alpha"], first(fleet, "math")
        assert (await client.ask(alpha, item, MODEL)).status == 200
        alpha.faults = Faults(slow=Slow(factor=10_000))
        assert await given_up(client.ask(alpha, item, MODEL))


async def test_streams_come_piece_by_piece(source, client, first):
    async with Fleet(source, speed=0.1) as lifelike:
        item = first(lifelike, "math")
        reads = await reads_of_stream(client, lifelike.providers["alpha"], item)
    assert len(reads) > 2
    assert b"[DONE]" not in reads[0]


async def test_a_hang_before_the_headers_answers_nothing(alpha, client, item):
    alpha.faults = Faults(hang=Hang())
    assert await given_up(client.ask(alpha, item, MODEL))
    assert alpha.requests == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hang_after_the_headers_sends_no_body(alpha, client, item, stream):
    alpha.faults = Faults(hang=Hang(when="after_headers"))
    async with client.session.post(
        f"http://127.0.0.1:{alpha.port}/v1/chat/completions",
        json={"model": MODEL, **item.request, "stream": stream},
        headers={"authorization": f"Bearer {alpha.api_key}"},
    ) as response:
        assert response.status == 200
        assert await given_up(response.content.readany())


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_ends_a_stream_after_so_many_events(alpha, client, item, reset):
    alpha.faults = Faults(cut=Cut(after_events=4, reset=reset))
    received, error = await read_stream(client, alpha, item)
    assert error is not None
    assert reset or received.count(b"data: ") == 4
    assert alpha.counts.spoilt == 1


async def test_a_cut_ends_a_whole_answer_in_the_middle(alpha, client, item):
    alpha.faults = Faults(cut=Cut())
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.ask(alpha, item, MODEL)


async def test_a_stall_sends_some_events_and_then_nothing(alpha, client, item):
    alpha.faults = Faults(stall=Stall(after_events=2))
    async with client.session.post(
        f"http://127.0.0.1:{alpha.port}/v1/chat/completions",
        json={"model": MODEL, **item.request, "stream": True},
        headers={"authorization": f"Bearer {alpha.api_key}"},
    ) as response:
        received = b""
        while received.count(b"\n\n") < 2:
            received += await response.content.readany()
        assert received.count(b"data: ") == 2
        assert await given_up(response.content.readany())


async def test_an_error_event_ends_a_stream_that_began_well(alpha, client, item):
    alpha.faults = Faults(error_event=ErrorEvent(after_events=3))
    received, error = await read_stream(client, alpha, item)
    assert error is None
    events = received.rstrip().split(b"\n\n")
    assert len(events) == 4
    assert b'"error"' in events[-1]
    assert (alpha.counts.answered, alpha.counts.spoilt) == (0, 1)
    assert b"[DONE]" not in received


async def test_garbage_in_a_body_is_not_json(alpha, client, item):
    alpha.faults = Faults(garbage=Garbage())
    reply = await client.ask(alpha, item, MODEL)
    assert reply.status == 200
    with pytest.raises(ValueError, match="truncated"):
        reply.json()


async def test_garbage_in_a_stream_is_a_broken_event_after_good_ones(alpha, client, item):
    alpha.faults = Faults(garbage=Garbage(after_events=2))
    received, error = await read_stream(client, alpha, item)
    assert error is None
    *good, broken = received.rstrip().split(b"\n\n")
    assert len(good) == 2
    assert broken.endswith(b'{"conte')


@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_can_be_a_web_page(alpha, client, item, stream):
    alpha.faults = Faults(garbage=Garbage(kind="html"))
    reply = await client.ask(alpha, item, MODEL, stream=stream)
    assert reply.status == 200
    assert reply.body.startswith(b"<!doctype html>")


async def test_garbage_can_be_no_http_at_all(alpha, client, item):
    alpha.faults = Faults(garbage=Garbage(kind="bytes"))
    with pytest.raises(BROKEN):
        await client.ask(alpha, item, MODEL)


async def test_an_idle_connection_is_closed_after_a_good_answer(alpha, item):
    alpha.faults = Faults(close_connections=CloseConnections())
    reader, writer = await raw_request(alpha, item)
    async with asyncio.timeout(5):
        received = await reader.read()  # ends only because the server closes
    writer.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert b"connection: close" not in received.lower()
    assert alpha.counts.answered == 1


async def test_a_connection_that_is_used_again_is_reset(alpha, item):
    alpha.faults = Faults(close_connections=CloseConnections(when="reuse"))
    reader, writer = await raw_request(alpha, item)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    writer.write(http_request(alpha, item))
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(5):
            await reader.read()
    writer.close()


async def test_a_blackhole_accepts_connections_and_reads_nothing(alpha, client, item):
    await client.ask(alpha, item, MODEL)
    alpha.faults = Faults(blackhole=True)
    assert await given_up(client.ask(alpha, item, MODEL))  # over the connection of before
    reader, writer = await raw_request(alpha, item)
    assert await given_up(reader.read(1))
    writer.write(bytes(32 << 20))  # more than the buffers of both ends hold
    assert await given_up(writer.drain())
    assert alpha.requests == 1
    alpha.faults = Faults()
    async with asyncio.timeout(5):
        assert await end_of(reader)
    writer.close()
    assert (await client.ask(alpha, item, MODEL)).status == 200


async def test_a_dead_provider_refuses_connections_and_comes_back_on_its_port(alpha, client, item):
    port = alpha.port
    alpha.faults = Faults(hang=Hang())
    waiting = asyncio.create_task(client.ask(alpha, item, MODEL))
    await until(lambda: alpha.requests)
    await alpha.kill()
    with pytest.raises(BROKEN):
        await waiting
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.ask(alpha, item, MODEL)
    assert not alpha.alive
    alpha.faults = Faults()
    await alpha.revive()
    assert alpha.port == port
    assert (await client.ask(alpha, item, MODEL)).status == 200


async def test_a_client_that_leaves_is_counted_and_its_answer_given_up(alpha, client, item):
    alpha.faults = Faults(slow=Slow(seconds=30))
    asked = asyncio.create_task(client.ask(alpha, item, MODEL, stream=True))
    await until(lambda: alpha.requests)
    asked.cancel()
    await until(lambda: alpha.counts.disconnected)
    assert alpha.counts.answered == 0


async def test_faults_combine(alpha, client, item):
    alpha.faults = Faults(
        errors=Errors(status=500, models=("sim-medium",)),
        rate_limit=RateLimit(requests=1, models=("sim-large",)),
        cut=Cut(after_events=1, models=("sim-ledger",)),
    )
    assert (await client.ask(alpha, item, "sim-medium")).status == 500
    assert (await client.ask(alpha, item, "sim-large")).status == 200
    assert (await client.ask(alpha, item, "sim-large")).status == 429
    with pytest.raises(BROKEN):
        await client.ask(alpha, item, "sim-ledger", stream=True)


async def test_the_fault_that_comes_first_ends_a_stream(alpha, client, item):
    alpha.faults = Faults(cut=Cut(after_events=5), error_event=ErrorEvent(after_events=2))
    received, error = await read_stream(client, alpha, item)
    assert error is None
    assert b'"error"' in received


async def until(condition):
    """Waits for what another task does, which nothing here is told of."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def end_of(reader):
    """Whether the connection ends without another byte."""
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


def http_request(provider, item):
    import msgspec

    body = msgspec.json.encode({"model": MODEL, **item.request})
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        f"authorization: Bearer {provider.api_key}\r\n\r\n"
    ).encode() + body


async def raw_request(provider, item):
    """A request over a bare socket, which shows what an HTTP client would hide."""
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    writer.write(http_request(provider, item))
    return reader, writer
