"""Answers that were given before, through the gateway, with the official clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    fails,
    says,
    until,
    write_config,
)
from tierwise.types import CACHE

OTHER, OPERATOR = "another-key", "operators-key"


@pytest.fixture
def gateway(provider: Provider) -> Iterator[RunningGateway]:
    keys = [KEY, OTHER, {"key": OPERATOR, "name": "operator", "admin": True}]
    config = config_for(
        provider.url, cache={"mode": "exact"}, server={"api_keys": keys, "grace_s": 1}
    )
    config["policies"]["fresh"] = {"tiers": [{"model": "small"}], "cache": "off"}
    config["policies"]["stepwise"]["cache"] = "semantic"
    with RunningGateway(config) as running:
        yield running


def asked(provider: Provider) -> int:
    return len(provider.seen)


def test_the_second_of_two_same_requests_asks_nobody(
    gateway: RunningGateway, provider: Provider
) -> None:
    first = chat(gateway.url)
    second = chat(gateway.url)
    assert asked(provider) == 1
    assert second.body == first.body
    assert (first.headers["x-tierwise-cache"], second.headers["x-tierwise-cache"]) == (
        "miss",
        "hit",
    )
    assert second.headers["age"] == "0"
    assert second.headers["x-tierwise-cost-usd"] == "0.00000000"
    assert second.headers["x-tierwise-deployment"] == CACHE
    assert second.headers["x-tierwise-decision-id"] != first.headers["x-tierwise-decision-id"]


def test_a_record_says_that_it_was_given_again_and_what_that_saved(
    gateway: RunningGateway,
) -> None:
    cost = float(chat(gateway.url).headers["x-tierwise-cost-usd"])
    gateway.settle()
    before = gateway.orchestrator.ledger.written
    chat(gateway.url)
    gateway.settle()
    assert gateway.orchestrator.ledger.written == before + 1
    record = next(gateway.orchestrator.ledger.recent(1))
    assert (record.cost_usd, record.deployment, record.attempts) == (0.0, CACHE, ())
    assert record.reference_cost_usd == pytest.approx(cost, abs=1e-8)
    assert "is given again" in record.decision.reason


def test_hits_are_counted_apart_with_what_they_saved(gateway: RunningGateway) -> None:
    cost = float(chat(gateway.url).headers["x-tierwise-cost-usd"])
    chat(gateway.url)
    told = call(gateway.url, "GET", "/metrics").body.decode()
    assert 'tierwise_cache_hits_total{kind="hit"} 1' in told
    saved = next(one for one in told.splitlines() if one.startswith("tierwise_cache_saved_usd"))
    assert float(saved.rpartition(" ")[2]) == pytest.approx(cost, abs=1e-8)


def test_a_stream_is_replayed_as_it_came(gateway: RunningGateway, provider: Provider) -> None:
    first = chat(gateway.url, stream=True)
    second = chat(gateway.url, stream=True)
    assert asked(provider) == 1
    assert second.body == first.body
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-tierwise-cache"] == "hit"


def test_whole_answers_and_streams_are_kept_apart(
    gateway: RunningGateway, provider: Provider
) -> None:
    chat(gateway.url)
    chat(gateway.url, stream=True)
    assert asked(provider) == 2


def test_nobody_gets_what_another_key_was_answered(
    gateway: RunningGateway, provider: Provider
) -> None:
    chat(gateway.url)
    assert chat(gateway.url, key=OTHER).headers["x-tierwise-cache"] == "miss"
    assert asked(provider) == 2


@pytest.mark.parametrize(
    ("header", "calls", "state"),
    [("no-cache", 2, "miss"), ("no-store", 2, None), ("max-age=60", 1, "hit")],
)
def test_cache_control_is_respected(
    gateway: RunningGateway, provider: Provider, header: str, calls: int, state: str | None
) -> None:
    chat(gateway.url)
    reply = chat(gateway.url, headers={"cache-control": header})
    assert asked(provider) == calls
    assert reply.headers.get("x-tierwise-cache") == state


def test_a_policy_may_want_none(gateway: RunningGateway, provider: Provider) -> None:
    chat(gateway.url, "fresh")
    assert "x-tierwise-cache" not in chat(gateway.url, "fresh").headers
    assert asked(provider) == 2


def test_an_error_is_not_kept(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = fails(400, {"message": "no"})
    assert chat(gateway.url).status == 400
    provider.acts["small"] = says("well again")
    reply = chat(gateway.url)
    assert (reply.status, reply.headers["x-tierwise-cache"]) == (200, "miss")


def test_an_answer_that_its_gates_rejected_is_not_kept(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"], provider.acts["large"] = says(""), fails(400, {"message": "no"})
    assert chat(gateway.url, "stepwise").status == 200  # the draft, as there is nothing better
    calls = asked(provider)
    assert chat(gateway.url, "stepwise").headers["x-tierwise-cache"] == "miss"
    assert asked(provider) == 2 * calls


def test_other_words_for_the_same_are_answered_where_the_policy_is_semantic(
    gateway: RunningGateway, provider: Provider
) -> None:
    chat(gateway.url, "stepwise", text="How do I reset the password of my account?")
    again = chat(gateway.url, "stepwise", text="how do I reset the password of my account")
    assert again.headers["x-tierwise-cache"] == "similar"
    assert asked(provider) == 1


def test_an_operator_empties_the_cache(gateway: RunningGateway, provider: Provider) -> None:
    chat(gateway.url, "stepwise")
    chat(gateway.url)
    done = call(gateway.url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
    assert (done.status, done.json["object"]) == (200, "cache")
    assert (done.json["forgotten"], done.json["forgotten_in_redis"]) == (2, None)
    for model in ("stepwise", "small"):
        assert chat(gateway.url, model).headers["x-tierwise-cache"] == "miss"
        assert chat(gateway.url, model).headers["x-tierwise-cache"] == "hit"


@pytest.mark.process
def test_an_operator_empties_the_cache_of_all_workers(tmp_path: Path, provider: Provider) -> None:
    data = config_for(
        provider.url,
        cache={"mode": "exact"},
        server={"api_keys": [KEY, {"key": OPERATOR, "admin": True}], "grace_s": 1},
        ledger={"path": str(tmp_path / "ledger.db")},
    )
    file = write_config(tmp_path / "tierwise.yaml", data)
    with GatewayProcess("--config", str(file), "--workers", "2", cwd=tmp_path) as process:
        url = process.url
        until(lambda: call(url, "GET", "/health/ready").status == 200, "the gateway")

        def said() -> set[str]:
            # Each call is a new connection, which either worker may take.
            return {chat(url).headers["x-tierwise-cache"] for _ in range(8)}

        until(lambda: said() == {"hit"}, "both to have it")
        asked = len(provider.seen)
        done = call(url, "POST", "/v1/admin/cache/clear", key=OPERATOR)
        assert "in all 2 workers within a second" in done.json["message"]
        until(lambda: said() == {"hit"} and len(provider.seen) >= asked + 2, "both to ask anew")


def test_the_official_clients_read_what_is_given_again(
    gateway: RunningGateway, provider: Provider
) -> None:
    said: Any = [{"role": "user", "content": "Hello"}]
    chats = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY)
    messages = anthropic.Anthropic(base_url=gateway.url, api_key=KEY)
    texts = []
    for _ in range(2):
        one = chats.chat.completions.create(model="small", messages=said)
        other = messages.messages.create(model="small", messages=said, max_tokens=50)
        with messages.messages.stream(model="small", messages=said, max_tokens=50) as stream:
            streamed = stream.get_final_text()
        block: Any = other.content[0]
        texts.append((one.choices[0].message.content, block.text, streamed))
    assert texts[0] == texts[1]
    assert asked(provider) == 3


async def test_the_library_has_its_answers_again_too(provider: Provider) -> None:
    from tierwise.orchestrator import Orchestrator

    config = config_for(provider.url, cache={"mode": "exact"})
    async with Orchestrator.from_config(config) as o:
        first = await o.chat("Hello", "small")
        second = await o.chat("Hello", "small")
    assert second.text == first.text
    assert (second.cost_usd, second.record.deployment) == (0.0, CACHE)
    assert asked(provider) == 1


async def test_a_caller_of_the_library_may_mind(provider: Provider) -> None:
    from tierwise.errors import InvalidRequest
    from tierwise.orchestrator import Orchestrator

    config = config_for(provider.url, cache={"mode": "exact"})
    body = {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    async with Orchestrator.from_config(config) as o:
        for _ in range(2):
            await o.chat("Hello", "small", cache="no-cache")
            await o.messages(**body, cache="no-store")
        assert asked(provider) == 4
        assert (await o.chat("Hello", "small", cache="max-age=60")).record.deployment == CACHE
        with pytest.raises(InvalidRequest) as caught:
            await o.chat("Hello", "small", cache=True)  # type: ignore[arg-type]
    assert caught.value.param == "cache"


def test_a_response_that_is_given_again_is_one_of_its_own(
    gateway: RunningGateway, provider: Provider
) -> None:
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY)
    first, second = (client.responses.create(model="small", input="Hello") for _ in range(2))
    with client.responses.stream(model="small", input="Hello") as stream:
        third = stream.until_done().get_final_response()
    with client.responses.stream(model="small", input="Hello") as stream:
        fourth = stream.until_done().get_final_response()
    assert asked(provider) == 2
    responses = [first, second, third, fourth]
    assert len({one.id for one in responses}) == 4
    assert len({one.output[0].id for one in responses}) == 4
    assert len({one.output_text for one in responses}) == 1

    client.responses.delete(first.id)
    for one in responses[1:]:
        assert client.responses.retrieve(one.id).output_text == first.output_text
        client.responses.create(model="small", input="And?", previous_response_id=one.id)
        said = [message["content"] for message in provider.seen[-1].body["messages"]]
        assert said == ["Hello", first.output_text, "And?"]


def test_a_reload_keeps_what_was_kept(gateway: RunningGateway) -> None:
    old = gateway.orchestrator
    chat(gateway.url)
    from tierwise.orchestrator import Orchestrator

    config = gateway.application._config
    new = Orchestrator.from_config(config, after=old)
    assert new.cached is not None
    assert old.cached is not None
    assert new.cached.cache.store is old.cached.cache.store


def test_status_is_not_cached_by_anybody(gateway: RunningGateway) -> None:
    assert call(gateway.url, "GET", "/v1/status").status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_left_out_of_a_request_is_told_again(
    gateway: RunningGateway, provider: Provider, stream: bool
) -> None:
    body = {"model": "small", "input": "Hello", "max_output_tokens": 9, "truncation": "auto"}
    body |= {"stream": stream, "conversation": None, "mood": "bright"}
    told = [
        call(
            gateway.url,
            "POST",
            "/v1/responses",
            body,
            headers={"x-tierwise-drop-unsupported": "true"},
        ).headers
        for _ in range(2)
    ]
    assert asked(provider) == 1
    assert [one["x-tierwise-cache"] for one in told] == ["miss", "hit"]
    assert [one["x-tierwise-dropped"] for one in told] == ["mood", "mood"]
