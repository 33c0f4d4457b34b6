"""The library does for its callers what the gateway does for clients, with and without await."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import Provider, RunningGateway, call, chat, config_for
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.answer import with_wishes
from tierwise.chats import Chats
from tierwise.errors import InvalidRequest, UnknownDecision
from tierwise.native import _WISHES, Natively
from tierwise.responding import Responding
from tierwise.server import request
from tierwise.telling import Telling
from tierwise.through import PassingThrough

ENDPOINTS = Path(__file__).parents[2] / "docs" / "endpoints.md"
CALLS = {
    name
    for kind in (Chats, Natively, PassingThrough, Responding, Telling)
    for name, one in vars(kind).items()
    if inspect.iscoroutinefunction(one)
} | {"feedback"}


def named(ask: Callable[..., object]) -> set[str]:
    """The parameters that a call takes by name alone."""
    found = inspect.signature(ask).parameters.values()
    return {one.name for one in found if one.kind is one.KEYWORD_ONLY}


def test_every_call_is_there_without_await() -> None:
    assert len(CALLS) > 20
    assert {name for name in CALLS if not hasattr(SyncOrchestrator, name)} == set()


def test_every_call_is_described_and_no_other() -> None:
    text = ENDPOINTS.read_text(encoding="utf-8")
    assert set(re.findall(r"\bo\.(\w+)", text)) == CALLS


def test_what_headers_say_arguments_say() -> None:
    said = {
        header.decode().removeprefix("x-tierwise-").replace("-", "_") for header in request._WISHES
    }
    said = said - {"policy"}  # which is named as the model
    said = said - {"cache_control"} | {"cache"}  # the other is a field of Anthropic's bodies
    wishes = named(with_wishes)
    assert wishes == said
    assert named(Orchestrator.chat) == named(Orchestrator.chat_stream) == wishes | {"deadline_s"}
    assert {*_WISHES} == wishes


async def test_a_decision_is_told_as_by_the_gateway(gateway: RunningGateway) -> None:
    o = gateway.orchestrator
    name = chat(gateway.url, "stepwise").headers["x-tierwise-decision-id"]
    await o.feedback(name, label="good", comment="indeed")
    gateway.settle()
    told = call(gateway.url, "GET", f"/v1/decisions/{name}").json
    ours = await o.decision(name)
    assert [one["comment"] for one in ours["feedback"]] == ["indeed"]
    assert (ours["decision"], ours["attempts"]) == (told["decision"], told["attempts"])


async def test_a_decision_is_known_as_soon_as_its_answer_is_there(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        answer = await o.chat("Hello", "stepwise")
        told = await o.decision(answer.decision.id)
        assert (told["model"], told["feedback"]) == ("small", [])
        with pytest.raises(UnknownDecision, match="'0123'"):
            await o.decision("0123")
        for wrong in (7, "half of \ud83d"):
            with pytest.raises(InvalidRequest) as caught:
                await o.decision(wrong)  # type: ignore[arg-type]
            assert caught.value.param == "decision_id"


def test_what_is_told_is_told_without_await(provider: Provider) -> None:
    with SyncOrchestrator(config_for(provider.url)) as o:
        answer = o.chat("Hello", "stepwise")
        assert o.decision(answer.decision.id)["decision"]["policy"] == "stepwise"
        assert o.certificates() == {"object": "list", "data": []}
