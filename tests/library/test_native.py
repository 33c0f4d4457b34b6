"""The library in the dialects of other SDKs: their bodies in, their answers and events out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway import Provider, config_for
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import InvalidRequest, Unsatisfiable

Body = dict[str, Any]
ASKED: dict[str, Body] = {
    "messages": {"max_tokens": 50, "messages": [{"role": "user", "content": "Hello there"}]},
    "responses": {"input": "Hello there"},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]},
}
TEXT: dict[str, Callable[[Body], str]] = {
    "messages": lambda said: said["content"][0]["text"],
    "responses": lambda said: said["output"][0]["content"][0]["text"],
    "generate_content": lambda said: said["candidates"][0]["content"]["parts"][0]["text"],
}
DELTA: dict[str, Callable[[Body], str]] = {
    "messages": lambda event: event.get("delta", {}).get("text", ""),
    "responses": lambda event: event["delta"] if event["type"].endswith("text.delta") else "",
    "generate_content": lambda event: "".join(
        part.get("text", "")
        for one in event.get("candidates", ())
        for part in one.get("content", {}).get("parts", ())
    ),
}
PACKAGE = {"messages": "anthropic", "responses": "responses", "generate_content": "gemini"}
every = pytest.mark.parametrize("call", [*ASKED])


@pytest.fixture(autouse=True)
def _is_there(request: pytest.FixtureRequest) -> None:
    call = request.getfixturevalue("call")
    pytest.importorskip(f"tierwise.wire.{PACKAGE[call]}")


@every
async def test_an_answer_is_in_the_dialect_of_its_call(provider: Provider, call: str) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await getattr(o, call)(model="stepwise", session="talk", **ASKED[call])
    assert (answer.text, answer.model) == ("Hello there", "small")
    assert TEXT[call](answer.json()) == "Hello there"
    assert answer.record.session == "talk"
    assert provider.seen[-1].body["messages"] == [{"role": "user", "content": "Hello there"}]
    assert "session" not in provider.seen[-1].body


@every
async def test_a_stream_gives_the_events_of_its_dialect(provider: Provider, call: str) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        stream = await getattr(o, f"{call}_stream")(model="small", **ASKED[call])
        events = [event async for event in stream]
        assert stream.cost_usd > 0
    assert "".join(DELTA[call](event) for event in events) == "Hello there"


@every
def test_so_it_is_without_await(provider: Provider, call: str) -> None:
    with SyncOrchestrator(config_for(provider.url)) as o:
        assert getattr(o, call)(model="small", **ASKED[call]).text == "Hello there"
        with getattr(o, f"{call}_stream")(model="small", **ASKED[call]) as stream:
            assert "".join(DELTA[call](event) for event in stream) == "Hello there"
            assert stream.model == "small"


@every
async def test_what_cannot_be_used_is_refused_by_name(provider: Provider, call: str) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        for wrong in ({"quality": 2}, {"deadline_s": 0}, {"stream": True}, {"session": 7},
                      {"drop_unsupported": "yes"}, {"max_latency_s": -1}, {"streams": "no"},
                      {"on_stream_break": "no"}, {"priority": 1}):  # fmt: skip
            with pytest.raises(InvalidRequest) as caught:
                await getattr(o, call)(model="small", **ASKED[call], **wrong)
            assert caught.value.param == next(iter(wrong))
        with pytest.raises(InvalidRequest):
            await getattr(o, call)(model=["small"], **ASKED[call])
    assert provider.seen == []


@pytest.mark.parametrize("call", ["responses"])
async def test_answers_in_the_background_are_refused(provider: Provider, call: str) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        for ask in (getattr(o, call), getattr(o, f"{call}_stream")):
            with pytest.raises(InvalidRequest) as caught:
                await ask(model="small", background=True, **ASKED[call])
            assert caught.value.param == "background"
    assert provider.seen == []


@every
async def test_what_only_its_dialect_knows_is_left_out_if_the_caller_says_so(
    provider: Provider, call: str
) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(Unsatisfiable, match="openai-chat has no word for `rare`"):
            await getattr(o, call)(model="small", **ASKED[call], rare={"a": 1})
        said = await getattr(o, call)(
            model="small", **ASKED[call], rare={"a": 1}, drop_unsupported=True
        )
        stream = await getattr(o, f"{call}_stream")(
            model="small", **ASKED[call], rare={"a": 1}, drop_unsupported=True
        )
        assert [event async for event in stream]
        all_told = await getattr(o, call)(model="small", **ASKED[call])
    assert said.text == "Hello there"
    assert said.dropped == stream.dropped == ("rare",)
    assert all_told.dropped == ()
