"""Clients that ask at a fixed rate, whether answers come or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import msgspec

from tierwise.chaos.seen import Seen
from tierwise.fleet import WorkItem

TIMEOUT_S = 60.0
_JSON = {"content-type": "application/json"}
When = Callable[[int], Awaitable[bool]]
"""Told before each request which one it is; says whether it is to be sent."""
Heard = Callable[[Seen], None]
"""Told of each request that is over."""


async def ask_all(
    url: str,
    items: Sequence[WorkItem],
    rate: float,
    before: When,
    heard: Heard,
) -> list[Seen]:
    """Sends requests, every second one a stream, until `before` says that it is enough.

    Args:
        items: what is asked, over again from the first where more is wanted.
        rate: requests a second. A late one is sent at once, and the next in its time.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    asked: list[asyncio.Task[Seen]] = []
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout
    ) as session:
        began = time.monotonic()
        number = 0

        async def ask(number: int) -> Seen:
            seen = await ask_one(session, url, number, items[number % len(items)])
            heard(seen)
            return seen

        while await before(number):
            asked.append(asyncio.create_task(ask(number)))
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        return list(await asyncio.gather(*asked))


def request_body(item: WorkItem, policy: str, *, stream: bool) -> bytes:
    """The body of a request; a stream is to end with its usage."""
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return msgspec.json.encode({**item.request, "model": policy, **more})


async def ask_one(
    session: aiohttp.ClientSession,
    url: str,
    number: int,
    item: WorkItem,
    *,
    streams: bool = True,
) -> Seen:
    """One request, a stream if its number is odd and there are to be `streams`, and all that came
    of it. Headers that each request is to have, such as a key, belong to the session."""
    stream = streams and number % 2 == 1
    body = request_body(item, "auto", stream=stream)
    at = time.monotonic()
    status, headers, parts, broke = 0, dict[str, str](), list[bytes](), None
    accepted = True
    try:
        async with session.post(f"{url}/v1/chat/completions", data=body, headers=_JSON) as response:
            status = response.status
            headers = {name.lower(): value for name, value in response.headers.items()}
            async for part in response.content.iter_any():
                parts.append(part)
    except (aiohttp.ClientError, TimeoutError) as error:
        accepted = not isinstance(error, aiohttp.ClientConnectorError)
        broke = f"{type(error).__name__}: {error}"
    return Seen(
        number=number, item=item, stream=stream, at=at, latency_s=time.monotonic() - at,
        status=status, headers=headers, body=b"".join(parts), broke=broke,
        accepted=accepted,
    )  # fmt: skip
