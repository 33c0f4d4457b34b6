"""What the gateway's CPU does for clients of each dialect before providers of each.

Scripted providers of every dialect answer at once; each kind of client asks each of them, in turns,
and the kernel says what CPU time the gateway took. Clients of chat before a provider of chat are
what everything else is held against: there bytes pass as they are.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tierwise import __version__
from tierwise.bench.gateway import KEY, Gateway, started
from tierwise.bench.process import cores, cpu_model, exact_cpu_seconds
from tierwise.bench.programs import BenchError, free_ports, listens, running, wait_until
from tierwise.bench.scripts import ADAPTERS, CLIENTS, PIECES, model_of, question

CONNECTIONS = 8
_PLAIN = "openai-chat"


class Options(Struct, frozen=True):
    """How many requests are measured: in every round so many of each pair of dialects."""

    requests: int = 1000
    streams: int = 150
    rounds: int = 3

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return 2 + self.rounds * len(CLIENTS)


class Pair(Struct, frozen=True):
    """A client's dialect before a provider's: CPU of the gateway in microseconds.

    A chunk is a piece of text of a stream; all that the stream costs is counted to its pieces.
    `ratio` and `chunk_ratio` are to chat before chat in the same round, `beyond_us` and
    `chunk_beyond_us` what there is more than there.
    """

    client: str
    provider: str
    request_us: float
    ratio: float
    beyond_us: float
    chunk_us: float
    chunk_ratio: float
    chunk_beyond_us: float


class Dialects(Struct, frozen=True):
    """All pairs, and where and how often they were measured."""

    pairs: tuple[Pair, ...]
    requests: int
    streams: int
    rounds: int
    cpu: str
    tierwise: str


class _Taken(Struct, frozen=True):
    """CPU microseconds of one pair in one round."""

    request: float
    chunk: float


_Round = Mapping[tuple[str, str], _Taken]


def run(options: Options, say: Callable[[str], None] = lambda _: None) -> Dialects:
    """Measures on this machine.

    Raises:
        BenchError: something did not start, or answered with errors.
    """
    mine, others = cores()
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
        home = Path(name)
        upstream, port = free_ports(2)
        log = home / "providers.log"
        command = [sys.executable, "-m", "tierwise.bench.scripted", str(upstream)]
        say("starting providers and the gateway")
        with running(command, core=others, log=log) as providers:
            wait_until(lambda: listens(upstream), providers, log, timeout_s=30.0)
            with started(home, port, _config(home, port, upstream), core=mine) as gateway:
                say("warming up")
                _round(gateway, Options(requests=50, streams=10))
                rounds = [
                    _round(gateway, options, say, f"round {number}: ")
                    for number in range(1, options.rounds + 1)
                ]
    return Dialects(
        pairs=tuple(_pair(client, to, rounds) for client in CLIENTS for to in ADAPTERS),
        requests=options.requests,
        streams=options.streams,
        rounds=options.rounds,
        cpu=cpu_model(),
        tierwise=__version__,
    )


def _round(
    gateway: Gateway, options: Options, say: Callable[[str], None] = lambda _: None, at: str = ""
) -> _Round:
    taken: dict[tuple[str, str], _Taken] = {}
    for client in CLIENTS:
        say(f"{at}clients of {client}")
        for provider in ADAPTERS:
            whole = _cpu_s(gateway, *question(client, provider, stream=False), options.requests)
            stream = _cpu_s(gateway, *question(client, provider, stream=True), options.streams)
            taken[client, provider] = _Taken(
                whole / options.requests * 1e6, stream / options.streams / PIECES * 1e6
            )
    return taken


def _pair(client: str, provider: str, rounds: Sequence[_Round]) -> Pair:
    taken = [one[client, provider] for one in rounds]
    plain = [one[_PLAIN, _PLAIN] for one in rounds]

    def median(of: Callable[[_Taken, _Taken], float], digits: int) -> float:
        both = zip(taken, plain, strict=True)
        return round(statistics.median(of(one, chat) for one, chat in both), digits)

    return Pair(
        client=client,
        provider=provider,
        request_us=median(lambda one, _: one.request, 1),
        ratio=median(lambda one, chat: one.request / chat.request, 2),
        beyond_us=median(lambda one, chat: one.request - chat.request, 1),
        chunk_us=median(lambda one, _: one.chunk, 2),
        chunk_ratio=median(lambda one, chat: one.chunk / chat.chunk, 2),
        chunk_beyond_us=median(lambda one, chat: one.chunk - chat.chunk, 2),
    )


def _cpu_s(gateway: Gateway, path: str, body: bytes, count: int) -> float:
    """CPU seconds of the gateway for so many requests, what its ledger writes included."""
    gateway.drain()
    before = exact_cpu_seconds(gateway.pid)
    asyncio.run(_ask_all(gateway.port, path, body, count))
    gateway.drain()
    return exact_cpu_seconds(gateway.pid) - before


async def _ask_all(port: int, path: str, body: bytes, count: int) -> None:
    request = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
    left = iter(range(count))

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(request)
            await _read_answer(reader)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))


async def _read_answer(reader: asyncio.StreamReader) -> None:
    """Reads one answer to its end; raises `BenchError` if it is an error."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, length, rest = head.partition(b"content-length: ")
    body = (
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        if length
        else await reader.readuntil(b"\r\n0\r\n\r\n")
    )
    if not head.startswith(b"http/1.1 200") or b'"error":{' in body:
        raise BenchError(f"the gateway answers: {(head + body)[:600]!r}")


def _config(home: Path, port: int, upstream: int) -> str:
    """A provider of each dialect with a model of its own. JSON, which is YAML too."""
    base = f"http://127.0.0.1:{upstream}"
    config = {
        "server": {"host": "127.0.0.1", "port": port, "api_keys": [KEY]},
        "providers": {
            name: {
                "dialect": adapter,
                "base_url": f"{base}/{name}/v1",
                "api_key": "sk-upstream",
                "models": [model_of(name)],
            }
            for name, adapter in ADAPTERS.items()
        },
        "models": {model_of(name): {"prices": {"input": 1.0, "output": 2.0}} for name in ADAPTERS},
        "ledger": {"path": str(home / "ledger.db")},
    }
    return json.dumps(config, indent=2)
