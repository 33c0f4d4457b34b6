"""What a request is paid from: asked before the first call, told the bill when it is over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import Provider, config_for, fails
from tierwise.errors import BudgetExceeded, TierwiseError
from tierwise.orchestrator import Orchestrator
from tierwise.types import Message, Owner, Task


class Kept:
    """A purse that remembers. An empty one has room for what costs nothing."""

    def __init__(self, *, empty: bool = False) -> None:
        self.empty = empty
        self.reserved: list[float] = []
        self.settled: list[float] = []

    async def reserve(self, usd: float) -> None:
        if self.empty and usd > 0:
            raise BudgetExceeded("nothing is left")
        self.reserved.append(usd)

    def settle(self, usd: float) -> None:
        self.settled.append(usd)


def task(purse: Kept, model: str = "small", **rest: Any) -> Task:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **rest}
    return Task(
        body=json.dumps(body).encode(),
        model=model,
        messages=[Message(role="user", content="Hello")],
        stream=rest.get("stream", False),
        owner=Owner(key="k1", team="t1", tags=("batch",)),
        purse=purse,
    )


@pytest.mark.parametrize("model", ["small", "stepwise"])
async def test_the_expected_cost_is_set_aside_and_the_bill_is_settled(
    provider: Provider, model: str
) -> None:
    purse = Kept()
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answered = await o.answer(task(purse, model))
        assert o.ledger.flush()
        record = o.ledger.get(answered.finished.decision.id)
    assert len(purse.reserved) == 1
    assert purse.reserved[0] > 0
    assert record is not None
    assert purse.settled == [record.cost_usd]
    assert record.owner == Owner(key="k1", team="t1", tags=("batch",))


async def test_of_a_model_that_is_named_what_it_may_say_is_set_aside_too(
    provider: Provider,
) -> None:
    """`small` costs 1 USD for a million tokens that it reads, 2 for those that it writes."""

    async def reserved(o: Orchestrator, most: int | None = None, choices: int = 1) -> float:
        purse = Kept()
        await o.answer(replace(task(purse), max_output_tokens=most, choices=choices))
        return purse.reserved[0]

    async with Orchestrator.from_config(config_for(provider.url)) as o:
        assert await reserved(o) > 100 * 2e-6
        assert await reserved(o, choices=8) == pytest.approx(8 * await reserved(o), rel=0.05)
        assert await reserved(o, 1000) == pytest.approx(1000 * 2e-6, rel=0.05)
        assert await reserved(o, 1000, choices=8) == pytest.approx(8000 * 2e-6, rel=0.05)


async def test_a_stream_is_settled_when_it_is_over(provider: Provider) -> None:
    purse = Kept()
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        streaming = await o.stream(task(purse, stream=True))
        assert purse.reserved
        assert not purse.settled
        async for _ in streaming.chunks:
            pass
        assert purse.settled == [streaming.run.cost_usd]


async def test_a_request_that_failed_is_settled_too(provider: Provider) -> None:
    provider.acts["small"] = fails(400, {"message": "no"})
    purse = Kept()
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(TierwiseError):
            await o.answer(task(purse))
    assert purse.settled == [0.0]


@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_is_asked_where_a_budget_has_no_room(provider: Provider, stream: bool) -> None:
    purse = Kept(empty=True)
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(BudgetExceeded):
            await (o.stream if stream else o.answer)(task(purse, stream=stream))
    assert not provider.seen
    assert not purse.settled


def with_a_free_model(url: str) -> dict[str, Any]:
    """A model that costs nothing at `home`, where it is called `own`, and has a price at `beta`.

    The policy `cheap` asks it, and `large` stands in.
    """
    data = config_for(url, policies={"cheap": {"tiers": [{"model": "gpt-4o-mini"}], "wait_s": 0}})
    data["policies"]["cheap"]["fallbacks"] = ["large"]
    for name, preset, upstream in (("home", "vllm", "own"), ("beta", "openai", "gpt-4o-mini")):
        data["providers"][name] = {
            **data["providers"]["alpha"],
            "preset": preset,
            "models": [{"model": "gpt-4o-mini", "upstream": upstream}],
        }
    return data


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("named", ["cheap", "gpt-4o-mini"])
async def test_where_nothing_is_left_only_what_costs_nothing_is_asked(
    provider: Provider, named: str, stream: bool
) -> None:
    """Though the model that stands in, or another place of the same, would answer at a price."""
    purse = Kept(empty=True)
    async with Orchestrator.from_config(with_a_free_model(provider.url)) as o:
        asked = o.stream if stream else o.answer
        for _ in range(4):
            await asked(task(purse, named, stream=stream))
        provider.acts["own"] = fails(500, {"message": "down"})
        with pytest.raises(TierwiseError):
            await asked(task(purse, named, stream=stream))
        assert {one.body["model"] for one in provider.seen} == {"own"}
        await asked(task(Kept(), named, stream=stream))
    assert provider.seen[-1].body["model"] != "own"


async def test_a_place_with_a_price_of_a_model_that_is_free_elsewhere_is_paid_for(
    provider: Provider,
) -> None:
    async with Orchestrator.from_config(with_a_free_model(provider.url)) as o:
        with pytest.raises(BudgetExceeded):
            await o.answer(task(Kept(empty=True), "beta/gpt-4o-mini"))
        purse = Kept()
        await o.answer(task(purse, "beta/gpt-4o-mini"))
    assert len(provider.seen) == 1
    assert purse.reserved[0] > 0
