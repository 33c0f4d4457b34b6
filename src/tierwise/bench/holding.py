"""What it costs clients of streams to wait until gates have seen the answer, on a simulated fleet.

The same requests go through the gateway once under each way to treat streams, in mixed order, so
that all ways meet the same weather. Fleet and client run here, the gateway in a process of its own,
and everything between them is HTTP over the loopback interface.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from tierwise.bench.gateway import started
from tierwise.bench.programs import BenchError, free_ports
from tierwise.bench.reader import Reader
from tierwise.bench.traffic import PATH
from tierwise.bench.waits import Seen, Waits, Writer, spread, waits
from tierwise.bench.writers import LARGE, SMALL, Writers
from tierwise.fleet import Fleet, WorkItem
from tierwise.fleet.draw import dice

CONCURRENCY = 24
"""Few enough that neither fleet nor gateway is ever what is waited for."""
TIMEOUT_S = 120.0
GATES = ("complete", "refusal")

UNCHECKED = "unchecked"
_SMALL_FIRST = [{"model": SMALL.id, "accept": 0.5}, {"model": LARGE.id}]
MODES: dict[str, dict[str, Any]] = {
    UNCHECKED: {"tiers": _SMALL_FIRST, "streams": "unchecked"},
    "prefix": {"tiers": _SMALL_FIRST, "streams": "prefix"},
    "held": {"tiers": _SMALL_FIRST, "streams": "held"},
    "held_1s": {"tiers": _SMALL_FIRST, "streams": "held", "hold_s": 1},
    "large": {"tiers": [{"model": LARGE.id}]},
}
"""Policies of the gateway, by the names under which they are reported. `large` asks no smaller
model first: it is what a client that cannot do with less would wait for without tiers."""

Say = Callable[[str], None]


class Options(Struct, frozen=True):
    """`requests` are sent under each of `MODES`; `speed` is a factor on lifelike latency."""

    requests: int = 200
    speed: float = 1.0

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return self.requests * len(MODES)


def run(options: Options, say: Say = lambda _: None) -> Waits:
    """Measures on this machine.

    Raises:
        BenchError: the gateway did not start, or a stream failed.
    """
    writers = Writers(options.requests)
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
        seen = asyncio.run(_measured(writers, options, Path(name), say))
    return Waits(
        simulated=True,
        requests=options.requests,
        concurrency=CONCURRENCY,
        tiers=tuple(Writer(m.id, m.ttft_s, m.tokens_per_s) for m in (SMALL, LARGE)),
        answer_tokens=spread([writers.said(i, SMALL.id).output_tokens for i in writers.items()]),
        modes=waits(seen, UNCHECKED),
    )


async def _measured(
    writers: Writers, options: Options, home: Path, say: Say
) -> dict[str, dict[str, Seen]]:
    async with Fleet(writers, speed=options.speed) as fleet:
        (port,) = free_ports(1)
        # The loop stands still while the gateway starts; nobody asks the fleet anything by then.
        with started(home, port, config_text(fleet, home, port), core=None):
            return await _driven(f"http://127.0.0.1:{port}{PATH}", writers, say)


def config_text(fleet: Fleet, home: Path, port: int) -> str:
    """The fleet's configuration with a policy for each mode. JSON, which is YAML too."""
    config = fleet.config()
    config["policies"] = {
        name: {"reference": LARGE.id, "gates": GATES, **mode} for name, mode in MODES.items()
    }
    config["server"] = {"host": "127.0.0.1", "port": port}
    config["ledger"] = {"path": str(home / "ledger.db")}
    return json.dumps(config, indent=2)


async def _driven(url: str, writers: Writers, say: Say) -> dict[str, dict[str, Seen]]:
    """Sends everything, `CONCURRENCY` requests at a time."""
    seen: dict[str, dict[str, Seen]] = {mode: {} for mode in MODES}
    waiting = _mixed(writers.items())
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def client() -> None:
            for mode, item in waiting:
                seen[mode][item.id] = await ask(session, url, mode, item, writers)
                say(mode)

        try:
            async with asyncio.TaskGroup() as clients:
                for _ in range(CONCURRENCY):
                    clients.create_task(client())
        except* BenchError as failed:
            raise failed.exceptions[0] from None
    return seen


def _mixed(items: Sequence[WorkItem]) -> Iterator[tuple[str, WorkItem]]:
    """Every item under every mode, in an order that is always the same."""
    order = [(mode, item) for mode in MODES for item in items]
    dice("holding", len(items)).shuffle(order)
    return iter(order)


async def ask(
    session: aiohttp.ClientSession, url: str, mode: str, item: WorkItem, writers: Writers
) -> Seen:
    """One stream, read to its end.

    Raises:
        BenchError: it failed, or said something else than the model that answered.
    """
    body = msgspec.json.encode({**item.request, "model": mode, "stream": True})
    headers = {"content-type": "application/json"}
    reader = Reader(time.monotonic)
    try:
        async with session.post(url, data=body, headers=headers) as response:
            if response.status != 200:
                told = (await response.text())[:300]
                raise BenchError(f"the gateway does not answer: {response.status} {told}")
            async for line in response.content:
                reader.line(line)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BenchError(f"a stream broke off: {type(error).__name__}: {error}") from None
    ended = time.monotonic()
    text = "".join(reader.parts)
    if reader.first is None or text != writers.said(item, reader.model).text:
        who = reader.model or "nobody"
        raise BenchError(f"{mode} streamed what {who} did not say: {text!r:.200}")
    return Seen(
        first_s=reader.first - reader.began,
        total_s=ended - reader.began,
        tier=int(mode != "large" and reader.model == LARGE.id),
        fell_short=writers.score(item, reader.model, text) == 0.0,
    )
