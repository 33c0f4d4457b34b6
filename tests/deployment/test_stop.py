"""Gateways behind nginx, as deployed, are stopped and started again, one after the other."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from deployment.proxy import free_port, nginx_before
from gateway import (
    KEY,
    PATIENCE_S,
    Body,
    GatewayProcess,
    Provider,
    call,
    chunk,
    config_for,
    says,
    stream,
    write_config,
)

pytestmark = pytest.mark.process

UPSTREAM = Path(__file__).parents[2] / "deploy" / "nginx" / "upstream.conf"
REQUESTS = int(os.environ.get("TIERWISE_STOP_REQUESTS", "3000"))
"""At the least; more are asked until all stops are over."""
CLIENTS = 32
THOUGHT_S = 0.05
"""Between two requests of a client: gateways that start want something of the machine, too."""
START_S = 60.0
FAIL_TIMEOUT_S = float(UPSTREAM.read_text().partition("fail_timeout=")[2].partition("s")[0])
"""For how long nginx does not ask who has refused it, as deployed."""
STOPS = 4
"""How often one of the two is stopped and started again, at the least."""


class Crowd:
    """Clients that ask until it is `over`, and never ask anything twice."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/chat/completions"
        self.asked = 0
        self.over = False
        self.came: Counter[str] = Counter()

    async def ask(self) -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            await asyncio.gather(*(self._client(session) for _ in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self.over:
            self.asked += 1
            self.came[await self._one(session, self.asked)] += 1
            await asyncio.sleep(THOUGHT_S)

    async def _one(self, session: aiohttp.ClientSession, number: int) -> str:
        """What came of a request: `whole`, or what was wrong."""
        streams = number % 3 == 0
        body = {
            "model": "small",
            "stream": streams,
            "messages": [{"role": "user", "content": f"{number} is said"}],
        }
        try:
            async with session.post(self._url, json=body) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, OSError) as error:
            return type(error).__name__
        if reply.status != 200:
            return f"{reply.status}: {text[:200]}"
        return "whole" if ("[DONE]" in text if streams else f"{number} is" in text) else "broken"


class Pair:
    """Two gateways at ports of their own."""

    def __init__(self, stack: ExitStack, folder: Path, provider: Provider, *more: str) -> None:
        self._stack, self._folder, self._more = stack, folder, more
        data = config_for(provider.url, server={"api_keys": [KEY], "grace_s": 5})
        self.ports = [free_port(), free_port()]
        self.started = 0
        for number in range(2):
            place = folder / str(number)
            place.mkdir()
            data["ledger"]["path"] = str(place / "ledger.db")
            write_config(place / "tierwise.yaml", data)
        self.processes = [self._start(number) for number in range(2)]

    @property
    def hosts(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports]

    def restart(self, number: int) -> None:
        """Stops one as whoever replaces it does, and waits until nginx has taken the new one in.

        A connection that was begun before the stop may reach the new one long before that.
        """
        assert self.processes[number].end(signal.SIGTERM) == 0
        self.processes[number] = self._start(number)
        time.sleep(FAIL_TIMEOUT_S)
        seen = self._answered(number)
        _until(lambda: self._answered(number) > seen, "nginx to ask it again")

    def _start(self, number: int) -> GatewayProcess:
        place = self._folder / str(number)
        words = ("--config", str(place / "tierwise.yaml"), "--port", str(self.ports[number]))
        gateway = self._stack.enter_context(GatewayProcess(*words, *self._more, cwd=place))
        _until(lambda: "/v1" in gateway.stderr, "the new gateway")
        return gateway

    def _answered(self, number: int) -> float:
        """How many requests it has answered."""
        try:
            shown = call(f"http://{self.hosts[number]}", "GET", "/metrics").body.decode()
        except OSError:
            return 0.0
        lines = [one for one in shown.splitlines() if one.startswith("tierwise_requests_total{")]
        return sum(float(one.rpartition(" ")[2]) for one in lines)


def _until(holds: Callable[[], bool], what: str) -> None:
    """Waits longer than other tests do, as others keep the machine busy here."""
    give_up = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < give_up, f"in vain: {what}"
        time.sleep(0.05)


async def talks(request: web.Request, body: Body) -> web.StreamResponse:
    """An answer that takes a while, word by word if that is asked for."""
    await asyncio.sleep(0.01)
    if not body.get("stream"):
        return await says()(request, body)

    async def events() -> AsyncIterator[Body | str]:
        for word in str(body["messages"][-1]["content"]).split():
            yield chunk(body["model"], {"content": f"{word} "})
            await asyncio.sleep(0.01)
        yield chunk(body["model"], {}, "stop")
        yield "[DONE]"

    return await stream(request, events())


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails_while_gateways_are_stopped_one_after_the_other(
    provider: Provider, tmp_path: Path, workers: int
) -> None:
    provider.acts["small"] = talks

    async def all_of_it(pair: Pair, url: str) -> Counter[str]:
        crowd = Crowd(url)
        asking = asyncio.create_task(crowd.ask())
        stops = 0
        try:
            while stops < STOPS or crowd.asked < REQUESTS:
                await asyncio.to_thread(pair.restart, stops % 2)
                stops += 1
        finally:
            crowd.over = True
            await asking
        return crowd.came

    with ExitStack() as stack:
        pair = Pair(stack, tmp_path, provider, "--workers", str(workers))
        url = stack.enter_context(nginx_before(*pair.hosts))
        came = asyncio.run(all_of_it(pair, url))
    assert set(came) == {"whole"}
    assert came["whole"] >= REQUESTS
