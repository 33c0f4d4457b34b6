"""How much longer does a request take through the gateway? Asked of pairs, one at a time.

The same request goes to the same deployment twice, directly and through the gateway, and the
order alternates; what a model takes to answer is the same both times, so the difference is the
gateway's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from tierwise.fleet import WorkItem

WARM_UP = 5
"""Pairs that are not counted: they open connections."""


async def added_latency(
    url: str, config: Mapping[str, Any], model: str, items: Sequence[WorkItem]
) -> list[float]:
    """Differences in seconds, one a pair.

    Args:
        config: the gateway's configuration, which says where `model` is served.
        model: a model of that configuration; its first deployment is asked.
    """
    name, provider = next(
        (name, provider)
        for name, provider in config["providers"].items()
        if any(_served(entry) == model for entry in provider["models"])
    )
    upstream = next(_upstream(e) for e in provider["models"] if _served(e) == model)
    headers = {"content-type": "application/json", "authorization": f"Bearer {provider['api_key']}"}
    differences: list[float] = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for number, item in enumerate(items):
            direct = f"{provider['base_url']}/chat/completions", upstream
            through = f"{url}/v1/chat/completions", f"{name}/{model}"
            if number % 2:
                a, b = await _timed(session, direct, item), await _timed(session, through, item)
            else:
                b, a = await _timed(session, through, item), await _timed(session, direct, item)
            if number >= WARM_UP:
                differences.append(b - a)
    return differences


async def _timed(session: aiohttp.ClientSession, target: tuple[str, str], item: WorkItem) -> float:
    url, model = target
    body = msgspec.json.encode({**item.request, "model": model})
    began = time.perf_counter()
    async with session.post(url, data=body) as response:
        await response.read()
    return time.perf_counter() - began


def _served(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else str(entry["model"])


def _upstream(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else str(entry.get("upstream") or entry["model"])
