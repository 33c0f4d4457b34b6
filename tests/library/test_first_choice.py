"""The first requests that leave a choice: the router is loaded for them, beside the others."""

from __future__ import annotations

import asyncio
import threading

from gateway import PATIENCE_S, Provider
from tierwise import Orchestrator
from tierwise.routing.build import Brain


class Loading:
    """Holds up the router's loading of an orchestrator until it is released."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()
        self.times = 0
        load = orchestrator._load_brain
        assert load is not None
        self._load = load
        orchestrator._load_brain = self

    def __call__(self) -> Brain:
        self.times += 1
        self.begun.set()
        assert self.release.wait(PATIENCE_S)
        return self._load()


def of_two(provider: Provider) -> Orchestrator:
    return Orchestrator.from_config(
        {
            "providers": {"p": {"base_url": provider.url, "models": ["gpt-4o", "gpt-4o-mini"]}},
            "ledger": {"path": ":memory:"},
        }
    )


async def test_whoever_names_a_model_is_served_while_the_router_loads(provider: Provider) -> None:
    async with of_two(provider) as o:
        loading = Loading(o)
        choosing = asyncio.create_task(o.chat("Hello"))
        assert await asyncio.to_thread(loading.begun.wait, PATIENCE_S)
        named = await asyncio.wait_for(o.chat("Hello", policy="gpt-4o"), PATIENCE_S)
        assert (named.model, choosing.done()) == ("gpt-4o", False)
        loading.release.set()
        assert (await choosing).decision.router == "default"


async def test_all_who_come_while_the_router_loads_are_decided_by_it(provider: Provider) -> None:
    async with of_two(provider) as o:
        loading = Loading(o)
        choosing = [asyncio.create_task(o.chat("Hello", policy="economy")) for _ in range(4)]
        streaming = asyncio.create_task(o.chat_stream("Hello"))
        assert await asyncio.to_thread(loading.begun.wait, PATIENCE_S)
        loading.release.set()
        answers = await asyncio.gather(*choosing)
        assert {answer.decision.router for answer in answers} == {"default"}
        stream = await streaming
        assert stream.decision.router == "default"
        async for _ in stream:
            pass
        assert loading.times == 1
