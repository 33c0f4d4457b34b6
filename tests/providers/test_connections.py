"""The HTTP client against real servers that answer byte by byte as a test wants it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from required import lacking
from tierwise.errors import ConnectFailed
from tierwise.providers import connections as connections_module
from tierwise.providers.connections import Connections, HttpStream
from tierwise.providers.target import target_of

PATIENCE_S = 30.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Peer:
    """One request on one connection of a `serving` server."""

    def __init__(
        self, connection: int, head: bytes, body: bytes,
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.head = head
        self.body = body
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def hang_up(self) -> None:
        self._writer.close()

    async def gone(self) -> None:
        """Waits until the client has hung up."""
        try:
            while await asyncio.wait_for(self._reader.read(1), PATIENCE_S):
                pass
        except ConnectionError:
            pass


Answer = Callable[[Peer], Awaitable[None]]


class Server:
    """Answers each request with the next of its answers; `asked` has the requests so far."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = iter(answers)
        self.tasks: set[asyncio.Task[None]] = set()
        self.asked: list[Peer] = []
        self.connections = 0
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                peer = Peer(number, head, body, reader, writer)
                self.asked.append(peer)
                await next(self._answers)(peer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()


@asynccontextmanager
async def serving(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(list(answers))
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Connections]:
    client = Connections()
    yield client
    client.close()


def says(*parts: bytes, then_hang_up: bool = False) -> Answer:
    async def answer(peer: Peer) -> None:
        for part in parts:
            await peer.send(part)
        if then_hang_up:
            peer.hang_up()

    return answer


async def silence(peer: Peer) -> None:
    await peer.gone()


async def ask(client: Connections, url: str, timeout_s: float = PATIENCE_S) -> HttpStream:
    return await client.open(f"{url}/v1/x?y=1", {"x-key": "k"}, b"{}", PATIENCE_S, timeout_s)


async def all_of(stream: HttpStream) -> bytes:
    parts = []
    while part := await stream.read(PATIENCE_S):
        parts.append(part)
    stream.close()
    return b"".join(parts)


@pytest.mark.parametrize(
    "raw",
    [
        HELLO,
        CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        CHUNKED + b"5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HELLO,
    ],
    ids=["length", "chunks", "extensions", "early-hints"],
)
async def test_an_answer_is_read_however_its_bytes_arrive(client: Connections, raw: bytes) -> None:
    bytewise = [raw[i : i + 1] for i in range(len(raw))]
    async with serving(says(raw), says(*bytewise)) as server:
        for _ in range(2):
            stream = await ask(client, server.url)
            assert stream.status == 200
            assert await all_of(stream) == b"hello"
        assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection(client: Connections) -> None:
    async with serving(says(b"HTTP/1.1 200 OK\r\n\r\nhello", then_hang_up=True)) as server:
        assert await all_of(await ask(client, server.url)) == b"hello"


async def test_the_request_is_sent_as_it_is(client: Connections) -> None:
    nope = b"HTTP/1.1 404 Nope\r\nX-Why: Because\r\nContent-Length: 0\r\n\r\n"
    async with serving(says(nope)) as server:
        stream = await ask(client, server.url)
        assert (stream.status, stream.headers["x-why"]) == (404, "Because")
        stream.close()
        asked = server.asked[0]
    assert asked.body == b"{}"
    lines = asked.head.decode().lower().split("\r\n")
    assert lines[0] == "post /v1/x?y=1 http/1.1"
    assert f"host: {server.url.removeprefix('http://')}" in lines
    assert "x-key: k" in lines


async def test_a_connection_whose_answer_was_not_read_to_its_end_is_closed(
    client: Connections,
) -> None:
    left = asyncio.Event()

    async def endless(peer: Peer) -> None:
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await peer.gone()
        left.set()

    async with serving(endless, says(HELLO)) as server:
        stream = await ask(client, server.url)
        assert await stream.read(PATIENCE_S) == b"hello"
        stream.close()
        await asyncio.wait_for(left.wait(), PATIENCE_S)
        assert await all_of(await ask(client, server.url)) == b"hello"
        assert [peer.connection for peer in server.asked] == [0, 1]


async def test_a_server_that_wants_to_close_gets_a_new_connection_next_time(
    client: Connections,
) -> None:
    goodbye = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    async with serving(says(goodbye), says(HELLO)) as server:
        for _ in range(2):
            assert await all_of(await ask(client, server.url)) == b"hello"
        assert [peer.connection for peer in server.asked] == [0, 1]


async def test_a_server_that_hung_up_while_idle_is_asked_again(client: Connections) -> None:
    async with serving(says(HELLO, then_hang_up=True), says(HELLO)) as server:
        for _ in range(2):
            assert await all_of(await ask(client, server.url)) == b"hello"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "closed before the end"),
        (b"HTTP/1.1 200 O", "closed before the end"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "not an HTTP answer"),
    ],
    ids=["nothing", "half-a-head", "not-http", "endless-head"],
)
async def test_what_is_no_answer_is_an_error(client: Connections, raw: bytes, why: str) -> None:
    async with serving(says(raw, then_hang_up=True)) as server:
        with pytest.raises(ConnectFailed, match=why):
            await ask(client, server.url)


@pytest.mark.parametrize(
    "raw",
    [CHUNKED + b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"],
    ids=["chunks", "length"],
)
async def test_an_answer_that_is_cut_short_is_an_error_after_what_has_come(
    client: Connections, raw: bytes
) -> None:
    async with serving(says(raw, then_hang_up=True)) as server:
        stream = await ask(client, server.url)
        assert await stream.read(PATIENCE_S) == b"hello"
        with pytest.raises(ConnectFailed):
            await stream.read(PATIENCE_S)
        stream.close()


async def test_a_silent_server_is_waited_for_no_longer_than_asked(client: Connections) -> None:
    async with serving(silence, says(CHUNKED + b"5\r\nhello\r\n")) as server:
        with pytest.raises(TimeoutError):
            await ask(client, server.url, timeout_s=0.01)
        stream = await ask(client, server.url)
        assert await stream.read(PATIENCE_S) == b"hello"
        assert stream.ready() is None
        with pytest.raises(TimeoutError):
            await stream.read(0.01)
        stream.close()


async def test_bytes_that_say_nothing_yet_do_not_stop_the_clock(client: Connections) -> None:
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    begun = gzip.compress(b"hello")[:10]  # no more than gzip's own header
    async with serving(says(head)) as server:
        stream = await ask(client, server.url)
        connection = stream._connection
        assert connection is not None
        reading = asyncio.create_task(stream.read(0.01))
        await asyncio.sleep(0)
        # They come in the very round of the loop in which the time is over.
        loop = asyncio.get_running_loop()
        loop.call_soon(connection.data_received, b"%x\r\n%b\r\n" % (len(begun), begun))
        time.sleep(0.02)  # noqa: ASYNC251 - so that both are due
        done, _ = await asyncio.wait({reading}, timeout=1.0)
        stream.close()
        assert done
        assert isinstance(reading.exception(), TimeoutError)


async def test_cancelling_hangs_up(client: Connections) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def patient(peer: Peer) -> None:
        asked.set()
        await peer.gone()
        left.set()

    async with serving(patient) as server:
        task = asyncio.create_task(ask(client, server.url))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(left.wait(), PATIENCE_S)


async def test_a_slow_reader_slows_the_server_down(client: Connections) -> None:
    piece = b"x" * 65_536
    pieces = 1024
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(piece)))
        for _ in range(pieces):
            await peer.send(piece)
            sent += 1

    async with serving(flood) as server:
        stream = await ask(client, server.url)
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            for _ in range(100):
                await asyncio.sleep(0)
        assert sent < pieces
        assert len(await all_of(stream)) == pieces * len(piece)


async def test_a_line_break_in_a_header_never_leaves(client: Connections) -> None:
    async with serving() as server:
        with pytest.raises(ConnectFailed, match="line break"):
            await client.open(server.url, {"authorization": "Bearer a\r\nx: y"}, b"", 1.0)
        assert server.connections == 0


async def test_a_closed_port_is_an_error(client: Connections) -> None:
    async with serving() as server:
        url = server.url
    with pytest.raises(ConnectFailed, match="Connect"):
        await ask(client, url)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the proxy that the environment names."""

    def use(url: str) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
        monkeypatch.setenv("no_proxy", "")
        target_of.cache_clear()

    yield use
    target_of.cache_clear()


async def test_a_proxy_is_asked_with_the_whole_url(
    client: Connections, proxies: Callable[[str], None]
) -> None:
    async with serving(says(HELLO)) as proxy:
        proxies(proxy.url.replace("//", "//user:p%40ss@"))
        assert await all_of(await ask(client, "http://models.invalid:81")) == b"hello"
    lines = proxy.asked[0].head.decode().split("\r\n")
    assert lines[0] == "POST http://models.invalid:81/v1/x?y=1 HTTP/1.1"
    assert "host: models.invalid:81" in lines
    assert "proxy-authorization: Basic dXNlcjpwQHNz" in lines


async def test_hosts_without_a_proxy_are_asked_directly(
    client: Connections, proxies: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(says(HELLO)) as server:
        proxies("http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert await all_of(await ask(client, server.url)) == b"hello"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        lacking("openssl is not installed")
    return cert, key


@pytest.fixture
def tls(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """For a server whose certificate the client trusts."""
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=cert)
    monkeypatch.setattr(connections_module, "tls_context", lambda: trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_answers_come_over_tls(client: Connections, tls: ssl.SSLContext) -> None:
    async with serving(says(HELLO), says(HELLO), tls=tls) as server:
        for _ in range(2):
            assert await all_of(await ask(client, server.url)) == b"hello"
        assert server.connections == 1


async def test_a_server_that_cannot_prove_its_name_is_not_asked(
    client: Connections, tls: ssl.SSLContext
) -> None:
    async with serving(says(HELLO), tls=tls) as server:
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await ask(client, server.url.replace("localhost", "127.0.0.1"))
        assert server.asked == []


async def test_tls_goes_through_a_proxys_tunnel(
    client: Connections, tls: ssl.SSLContext, proxies: Callable[[str], None]
) -> None:
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split("\r\n")[0])
        host, _, port = head.split(" ")[1].partition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                target.write(data)
            target.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        over.set()

    over = asyncio.Event()
    asked: list[str] = []
    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    async with serving(says(HELLO), says(HELLO), tls=tls) as server:
        proxies(f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        for _ in range(2):
            assert await all_of(await ask(client, server.url)) == b"hello"
        assert asked == [f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1"]
        client.close()
        await asyncio.wait_for(over.wait(), PATIENCE_S)
    proxy.close()


async def test_a_proxy_that_refuses_is_an_error(
    client: Connections, proxies: Callable[[str], None]
) -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with serving(says(refused)) as proxy:
        proxies(proxy.url)
        with pytest.raises(ConnectFailed, match="the proxy answered 407"):
            await ask(client, "https://models.invalid")
