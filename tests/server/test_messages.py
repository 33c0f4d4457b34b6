"""Clients of Anthropic's Messages, before a provider of another dialect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from gateway import (
    KEY,
    Body,
    Provider,
    Reply,
    RunningGateway,
    call,
    config_for,
    fails,
    pauses,
    says,
)
from tierwise.server import sent as endpoint

OWN = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}


def ask(url: str, model: str = "small", text: str = "Hello", **rest: Any) -> Reply:
    headers = rest.pop("headers", OWN)
    path = rest.pop("path", "/v1/messages")
    body = {
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
        **rest,
    }
    return call(url, "POST", path, body, key=None, headers=headers)


def events(reply: Reply) -> list[tuple[str, Body]]:
    """The events of a stream: their names and their data."""
    found = []
    for block in reply.body.decode().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            name, data = lines
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def error_of(reply: Reply) -> Body:
    """The error in Anthropic's shape; fails if there is none."""
    said = reply.json
    assert said["type"] == "error"
    error: Body = said["error"]
    assert error.keys() >= {"type", "message"}
    return error


def test_a_message_is_answered(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says("Good day", tokens=(12, 3))
    reply = ask(gateway.url)
    assert (reply.status, reply.json["type"], reply.json["role"]) == (200, "message", "assistant")
    assert reply.json["content"] == [{"type": "text", "text": "Good day"}]
    assert (reply.json["model"], reply.json["stop_reason"]) == ("small", "end_turn")
    usage = reply.json["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (12, 3)
    assert reply.headers["x-tierwise-model"] == "small"
    assert reply.headers["request-id"] == reply.headers["x-tierwise-decision-id"]
    record = gateway.last_record()
    assert (record.status, record.model, record.usage.input_tokens) == ("ok", "small", 12)


def test_a_bearer_is_as_good_as_a_key_of_its_own(gateway: RunningGateway) -> None:
    assert ask(gateway.url, headers={"authorization": f"Bearer {KEY}"}).status == 200


def test_a_stream_has_its_events_in_order(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says("one two three", tokens=(12, 3))
    reply = ask(gateway.url, stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    found = events(reply)
    names = [name for name, _ in found]
    assert (names[0], names[-2], names[-1]) == ("message_start", "message_delta", "message_stop")
    text = [d["delta"]["text"] for n, d in found if n == "content_block_delta"]
    assert "".join(text) == "one two three"
    assert found[-2][1]["delta"]["stop_reason"] == "end_turn"
    assert found[-2][1]["usage"]["output_tokens"] == 3


@pytest.mark.parametrize(
    ("status", "kind", "asked"),
    [
        (401, "authentication_error", {"headers": {"x-api-key": "wrong"}}),
        (401, "authentication_error", {"headers": {}}),
        (404, "not_found_error", {"model": "none-such"}),
        (400, "invalid_request_error", {"messages": "none"}),
        (404, "not_found_error", {"path": "/v1/messages/elsewhere"}),
        (413, "request_too_large", {"text": "x" * (1 << 20)}),
    ],
)
def test_errors_have_anthropics_shape(
    gateway: RunningGateway, status: int, kind: str, asked: Body
) -> None:
    reply = ask(gateway.url, **asked)
    assert (reply.status, error_of(reply)["type"]) == (status, kind)


def test_the_error_of_a_missing_key_says_where_it_goes(gateway: RunningGateway) -> None:
    assert "x-api-key" in error_of(ask(gateway.url, headers={}))["message"]


def test_an_empty_key_beside_a_bearers_is_none(gateway: RunningGateway) -> None:
    headers = {"x-api-key": "", "authorization": f"Bearer {KEY}"}
    assert ask(gateway.url, headers=headers).status == 200


def test_a_wrong_method_is_told_the_right_one(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/messages", key=None, headers=OWN)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert error_of(reply)["message"]


def test_spent_paths_say_when_to_come_back(gateway: RunningGateway, provider: Provider) -> None:
    limited = fails(429, {"message": "slow down"}, {"retry-after": "7"})
    provider.acts["small"] = limited
    reply = ask(gateway.url)
    assert (reply.status, error_of(reply)["type"]) == (429, "rate_limit_error")
    assert 1 <= int(reply.headers["retry-after"]) <= 7


def test_a_stream_that_breaks_ends_with_an_error_event(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    provider.release.set()
    reply = ask(gateway.url, stream=True, headers={**OWN, "x-tierwise-on-stream-break": "fail"})
    name, data = events(reply)[-1]
    assert (reply.status, name, data["type"]) == (200, "error", "error")


def test_a_held_stream_is_kept_alive_with_pings(
    gateway: RunningGateway, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "KEEP_ALIVE_S", 0.02)

    async def act(request: web.Request, body: Body) -> web.StreamResponse:
        await asyncio.sleep(0)
        provider.arrived.set()
        return await pauses(provider, "one ", "two")(request, body)

    provider.acts["small"] = act
    asyncio.run(_release_soon(provider, gateway))


async def _release_soon(provider: Provider, gateway: RunningGateway) -> None:
    asked = asyncio.create_task(asyncio.to_thread(ask, gateway.url, "stepwise", stream=True))
    await asyncio.to_thread(provider.arrived.wait, 10)
    await asyncio.sleep(0.2)
    provider.release.set()
    found = events(await asked)
    assert found[0] == ("ping", {"type": "ping"})
    assert found[-1][0] == "message_stop"


def test_tokens_are_counted_without_an_answer(gateway: RunningGateway, provider: Provider) -> None:
    short = ask(gateway.url, path="/v1/messages/count_tokens")
    long = ask(gateway.url, text="word " * 1000, path="/v1/messages/count_tokens")
    assert (short.status, long.status) == (200, 200)
    assert 0 < short.json["input_tokens"] < 100
    assert 800 < long.json["input_tokens"] < 2000
    assert not provider.seen


def test_a_count_needs_no_limit_for_an_answer(gateway: RunningGateway) -> None:
    body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    reply = call(gateway.url, "POST", "/v1/messages/count_tokens", body, key=None, headers=OWN)
    assert reply.status == 200
    wrong = call(gateway.url, "POST", "/v1/messages/count_tokens", b"[]", key=None, headers=OWN)
    assert (wrong.status, error_of(wrong)["type"]) == (400, "invalid_request_error")


def test_the_same_idempotency_key_gets_the_same_answer(
    gateway: RunningGateway, provider: Provider
) -> None:
    headers = {**OWN, "idempotency-key": "messages-1"}
    first, again = ask(gateway.url, headers=headers), ask(gateway.url, headers=headers)
    assert (first.json, again.headers["x-tierwise-replayed"]) == (again.json, "true")
    assert len(provider.seen) == 1


def test_models_are_listed_page_by_page(gateway: RunningGateway) -> None:
    first = call(gateway.url, "GET", "/v1/models?limit=2", key=None, headers=OWN).json
    assert (len(first["data"]), first["has_more"]) == (2, True)
    entry = first["data"][0]
    assert entry.keys() >= {"type", "id", "display_name", "created_at"}
    assert entry["type"] == "model"
    assert (first["first_id"], first["last_id"]) == (entry["id"], first["data"][1]["id"])
    path = f"/v1/models?limit=100&after_id={first['last_id']}"
    rest = call(gateway.url, "GET", path, key=None, headers=OWN).json
    names = [one["id"] for one in first["data"] + rest["data"]]
    assert not rest["has_more"]
    assert len(names) == len(set(names))
    assert {"auto", "stepwise", "small", "large"} <= set(names)
    back = f"/v1/models?limit=1&before_id={names[3]}"
    page = call(gateway.url, "GET", back, key=None, headers=OWN).json
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([names[2]], True)


def test_one_model_is_shown_and_an_unknown_one_is_not(gateway: RunningGateway) -> None:
    one = call(gateway.url, "GET", "/v1/models/small", key=None, headers=OWN)
    assert (one.status, one.json["id"], one.json["type"]) == (200, "small", "model")
    none = call(gateway.url, "GET", "/v1/models/none-such", key=None, headers=OWN)
    assert (none.status, error_of(none)["type"]) == (404, "not_found_error")
    wrong = call(gateway.url, "GET", "/v1/models?limit=0", key=None, headers=OWN)
    assert wrong.status == 400


def test_a_full_gateway_says_so_in_anthropics_words(provider: Provider) -> None:
    data = config_for(provider.url, server={"api_keys": [KEY], "limits": {"rpm": 1}})
    with RunningGateway(data) as gateway:
        assert ask(gateway.url).status == 200
        reply = ask(gateway.url)
    assert (reply.status, error_of(reply)["type"]) == (429, "rate_limit_error")
    assert int(reply.headers["retry-after"]) >= 1
