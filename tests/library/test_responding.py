"""The library's kept answers of Responses: gone on from, given back, listed, forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import Provider, config_for, says
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import InvalidRequest, UnknownResponse


async def test_a_call_goes_on_from_an_earlier_answer(provider: Provider) -> None:
    provider.acts["small"] = says("I am well")
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        first = (await o.responses(model="small", input="How are you?")).json()
        second = await o.responses(
            model="small", input="And now?", previous_response_id=first["id"]
        )
        said = [("user", "How are you?"), ("assistant", "I am well"), ("user", "And now?")]
        assert provider.seen[-1].said == said
        assert second.json()["previous_response_id"] == first["id"]
        assert second.text == "I am well"
        third = second.json()["id"]
        await o.responses(model="small", input="Still?", previous_response_id=third)
        assert provider.seen[-1].said == [*said, ("assistant", "I am well"), ("user", "Still?")]


async def test_a_stream_is_kept_and_goes_on(provider: Provider) -> None:
    provider.acts["small"] = says("I am well")
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await o.responses_stream(model="small", input="How are you?")
        first = [event async for event in stream][-1]["response"]
        assert await o.responses_retrieve(first["id"]) == first
        on = await o.responses_stream(
            model="small", input="And now?", previous_response_id=first["id"]
        )
        events = [event async for event in on]
        assert provider.seen[-1].said[:2] == [("user", "How are you?"), ("assistant", "I am well")]
    told = [event["response"]["previous_response_id"] for event in events if "response" in event]
    assert len(told) >= 2
    assert {*told} == {first["id"]}


async def test_an_item_is_named_in_place_of_being_sent(provider: Provider) -> None:
    provider.acts["small"] = says("I am well")
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        first = (await o.responses(model="small", input="How are you?")).json()
        item = {"type": "item_reference", "id": first["output"][-1]["id"]}
        again = {"role": "user", "content": "And now?"}
        await o.responses(model="small", input=[item, again])
        assert provider.seen[-1].said == [("assistant", "I am well"), ("user", "And now?")]
        with pytest.raises(UnknownResponse) as caught:
            await o.responses(model="small", input=[{**item, "id": "msg_none"}, again])
        assert caught.value.param == "input[0].id"


async def test_a_kept_answer_is_given_listed_and_forgotten(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        turns = [{"role": "user", "content": str(n)} for n in range(3)]
        first = (await o.responses(model="small", input=turns)).json()
        name = first["id"]
        assert await o.responses_retrieve(name) == first
        page = await o.responses_input_items(name, limit=2)
        assert [item["content"][0]["text"] for item in page["data"]] == ["2", "1"]
        assert page["has_more"]
        rest = await o.responses_input_items(name, after=page["last_id"])
        assert [item["content"][0]["text"] for item in rest["data"]] == ["0"]
        forward = await o.responses_input_items(name, order="asc", limit=1)
        assert forward["data"][0]["content"][0]["text"] == "0"
        gone = await o.responses_delete(name)
        assert gone == {"id": name, "object": "response", "deleted": True}
        for ask in (o.responses_retrieve, o.responses_delete, o.responses_input_items):
            with pytest.raises(UnknownResponse, match=f"Response with id '{name}' not found"):
                await ask(name)


async def test_what_is_not_to_be_stored_cannot_be_gone_on_from(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        first = (await o.responses(model="small", input="Hello", store=False)).json()
        with pytest.raises(UnknownResponse):
            await o.responses_retrieve(first["id"])
        for ask in (o.responses, o.responses_stream):
            with pytest.raises(InvalidRequest) as caught:
                await ask(model="small", input="And?", previous_response_id=first["id"])
            assert caught.value.param == "previous_response_id"
            assert caught.value.code == "previous_response_not_found"
    assert len(provider.seen) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [({"limit": 0}, "limit"), ({"limit": True}, "limit"), ({"order": "up"}, "order")],
)
async def test_pages_that_cannot_be_are_refused_by_name(
    provider: Provider, given: dict[str, Any], field: str
) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        name = (await o.responses(model="small", input="Hello")).json()["id"]
        with pytest.raises(InvalidRequest) as caught:
            await o.responses_input_items(name, **given)
        assert caught.value.param == field
        with pytest.raises(InvalidRequest) as caught:
            await o.responses_retrieve(7)  # type: ignore[arg-type]
        assert caught.value.param == "response_id"


def test_so_it_is_without_await(provider: Provider) -> None:
    with SyncOrchestrator(config_for(provider.url)) as o:
        first = o.responses(model="small", input="Hello").json()
        assert o.responses_retrieve(first["id"]) == first
        assert len(o.responses_input_items(first["id"], limit=1)["data"]) == 1
        with o.responses_stream(
            model="small", input="And now?", previous_response_id=first["id"]
        ) as stream:
            last = list(stream)[-1]["response"]
        assert len(o.responses_input_items(last["id"])["data"]) == 3
        assert o.responses_delete(first["id"])["deleted"]
        with pytest.raises(UnknownResponse):
            o.responses_retrieve(first["id"])


async def test_whoever_takes_its_place_has_what_it_kept(provider: Provider) -> None:
    data = config_for(provider.url)
    async with Orchestrator.from_config(data) as o:
        first = (await o.responses(model="small", input="Hello")).json()
        next_one = Orchestrator.from_config(data, after=o)
        assert await next_one.responses_retrieve(first["id"]) == first
        await next_one.retire()
