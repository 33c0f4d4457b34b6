"""Asks the gateway what the workload asks, many at a time, and notes what came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import msgspec
from msgspec import Struct

from tierwise.fleet import Fleet, WorkItem, answer_text

TIMEOUT_S = 120.0


class Outcome(Struct, frozen=True, kw_only=True):
    """What a client saw of one request. `attempts` counts the calls to providers behind it.

    `right` says that the answer is, to the letter, what that model says to that prompt; `score`
    is the recorded or checked quality of the answer in [0, 1], None if there was no answer.
    """

    item: WorkItem
    status: int
    latency_s: float
    model: str | None = None
    deployment: str | None = None
    tier: int = 0
    attempts: int = 0
    cost_usd: float = 0.0
    score: float | None = None
    right: bool = False
    error: str | None = None


async def drive(
    url: str,
    policy: str,
    fleet: Fleet,
    items: Sequence[WorkItem],
    *,
    concurrency: int,
    seen: Callable[[Outcome], Awaitable[None]],
) -> list[Outcome]:
    """Asks for all items, `concurrency` at a time; tells `seen` about each outcome as it comes."""
    outcomes: list[Outcome] = []
    waiting = iter(items)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def client() -> None:
            for item in waiting:
                outcome = await ask(session, url, policy, fleet, item)
                outcomes.append(outcome)
                await seen(outcome)

        async with asyncio.TaskGroup() as clients:
            for _ in range(concurrency):
                clients.create_task(client())
    return outcomes


async def ask(
    session: aiohttp.ClientSession, url: str, model: str, fleet: Fleet, item: WorkItem
) -> Outcome:
    """One request to the gateway, and what came of it."""
    body = msgspec.json.encode({**item.request, "model": model})
    began = time.monotonic()
    try:
        async with session.post(
            f"{url}/v1/chat/completions", data=body, headers={"content-type": "application/json"}
        ) as response:
            answer = await response.read()
            latency = time.monotonic() - began
            headers = response.headers
            if response.status != 200:
                said = answer.decode("utf-8", "replace")[:300]
                return Outcome(item=item, status=response.status, latency_s=latency, error=said)
    except (aiohttp.ClientError, TimeoutError) as error:
        return Outcome(
            item=item,
            status=0,
            latency_s=time.monotonic() - began,
            error=f"{type(error).__name__}: {error}",
        )
    answered_by = headers["x-tierwise-model"]
    text = answer_text(msgspec.json.decode(answer)["choices"][0]["message"])
    return Outcome(
        item=item,
        status=200,
        latency_s=latency,
        model=answered_by,
        deployment=headers["x-tierwise-deployment"],
        tier=int(headers["x-tierwise-tier"]),
        attempts=int(headers["x-tierwise-attempts"]),
        cost_usd=float(headers["x-tierwise-cost-usd"]),
        score=fleet.score(item, answered_by, text),
        right=text == fleet.expected(item, answered_by),
    )
