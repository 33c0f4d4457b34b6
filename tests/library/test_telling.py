"""What the library tells without asking a model: as the gateway tells its clients."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import KEY, Provider, RunningGateway, call, config_for
from tierwise import Orchestrator, SyncOrchestrator
from tierwise.errors import InvalidRequest, UnknownModel

LONG = "word " * 1000
SAID = {"role": "user", "parts": [{"text": LONG}]}
COUNTS: dict[str, tuple[str, dict[str, Any]]] = {
    "messages_count_tokens": (
        "/v1/messages/count_tokens",
        {"model": "small", "system": "Be brief", "messages": [{"role": "user", "content": LONG}]},
    ),
    "responses_input_tokens": (
        "/v1/responses/input_tokens",
        {"model": "small", "input": LONG, "instructions": "Be brief"},
    ),
    "count_tokens": ("/v1beta/models/small:countTokens", {"contents": [SAID]}),
}
HEADERS = {
    "openai": None,
    "anthropic": {"anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": KEY},
}


@pytest.mark.parametrize("count", [*COUNTS])
async def test_tokens_are_counted_as_for_clients_of_the_gateway(
    gateway: RunningGateway, provider: Provider, count: str
) -> None:
    path, body = COUNTS[count]
    told = await getattr(gateway.orchestrator, count)(**body)
    assert told == call(gateway.url, "POST", path, body).json
    [tokens] = [value for value in told.values() if isinstance(value, int)]
    assert 800 < tokens < 2000
    assert not provider.seen


async def test_tokens_of_what_a_request_goes_on_from_are_counted(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        first = (await o.responses(model="small", input=LONG)).json()["id"]
        alone = await o.responses_input_tokens(input="And now?")
        whole = await o.responses_input_tokens(input="And now?", previous_response_id=first)
        assert whole["input_tokens"] > alone["input_tokens"] + 800
        with pytest.raises(InvalidRequest) as caught:
            await o.responses_input_tokens(input="And now?", previous_response_id="resp_none")
        assert caught.value.param == "previous_response_id"


async def test_gemini_s_count_may_hold_the_whole_request(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        plain = await o.count_tokens(model="small", contents=[SAID])
        assert await o.count_tokens(generateContentRequest={"contents": [SAID]}) == plain


@pytest.mark.parametrize("shape", ["openai", "anthropic", "gemini"])
async def test_models_are_listed_as_for_clients_of_the_gateway(
    gateway: RunningGateway, shape: Any
) -> None:
    o = gateway.orchestrator
    headers = HEADERS[shape]
    assert (
        await o.models_list(shape) == call(gateway.url, "GET", "/v1/models", headers=headers).json
    )
    for name in ("small", "alpha/small", "stepwise"):
        one = call(gateway.url, "GET", f"/v1/models/{name}", headers=headers).json
        assert await o.models_retrieve(name, shape) == one
    with pytest.raises(UnknownModel):
        await o.models_retrieve("none-such", shape)


async def test_lists_come_in_pages(provider: Provider) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        names = [entry["id"] for entry in (await o.models_list())["data"]]
        assert {"auto", "stepwise", "small", "large"} <= {*names}
        first = await o.models_list("anthropic", limit=2)
        rest = await o.models_list("anthropic", after_id=first["last_id"])
        assert [one["id"] for one in first["data"] + rest["data"]] == names
        first = await o.models_list("gemini", pageSize=2)
        rest = await o.models_list("gemini", pageToken=first["nextPageToken"])
        assert [one["baseModelId"] for one in first["models"] + rest["models"]] == names


@pytest.mark.parametrize(
    ("call_of", "given", "field"),
    [
        ("models_list", {"limit": 2}, "limit"),
        ("models_list", {"shape": "gemini", "limit": 2}, "limit"),
        ("models_list", {"shape": "anthropic", "limit": 0}, "limit"),
        ("models_list", {"shape": "anthropic", "after_id": "nobody"}, "after_id"),
        ("models_list", {"shape": "gemini", "pageToken": "x"}, "pageToken"),
        ("models_list", {"shape": "mine"}, "shape"),
        ("models_retrieve", {"model": "small", "shape": "mine"}, "shape"),
        ("models_retrieve", {"model": 7}, "model"),
        ("messages_count_tokens", {"messages": 7}, "messages"),
        ("messages_count_tokens", {"model": ["small"], "messages": []}, "model"),
        ("responses_input_tokens", {"input": 7}, "input"),
        ("count_tokens", {"contents": 7}, "contents"),
    ],
)
async def test_what_cannot_be_used_is_refused_by_name(
    provider: Provider, call_of: str, given: dict[str, Any], field: str
) -> None:
    async with Orchestrator.from_config(config_for(provider.url)) as o:
        with pytest.raises(InvalidRequest) as caught:
            await getattr(o, call_of)(**given)
        assert caught.value.param == field


def test_so_it_is_without_await(provider: Provider) -> None:
    with SyncOrchestrator(config_for(provider.url)) as o:
        for count, (_, body) in COUNTS.items():
            assert getattr(o, count)(**body)
        assert o.models_list("anthropic", limit=1)["has_more"]
        assert o.models_retrieve("small")["id"] == "small"
