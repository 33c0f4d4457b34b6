"""Clients of Claude on Vertex AI, before a provider of another dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import AnthropicVertex

from gateway import KEY, Provider, Reply, RunningGateway, call, says
from tierwise.server.claude_on_vertex import claude_in
from tierwise.server.keys import Client
from tierwise.server.speech import Exchange
from tierwise.server.speeches import ClaudeOnVertexSpeech

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WHERE = "/v1/projects/p/locations/us-east5/publishers/anthropic/models"


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[AnthropicVertex]:
    with AnthropicVertex(
        base_url=f"{gateway.url}/v1",
        region="us-east5",
        project_id="p",
        access_token=KEY,
        max_retries=0,
    ) as client:
        yield client


def ask(url: str, model: str = "small", /, **changes: Any) -> Reply:
    body = {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 64,
        "messages": HELLO,
        **changes,
    }
    return call(url, "POST", f"{WHERE}/{model}:rawPredict", body)


async def read(method: str = "rawPredict", **changes: Any) -> Exchange:
    body = {"max_tokens": 64, "messages": HELLO, **changes}
    scope = {"path": f"{WHERE}/m:{method}", "headers": [(b"anthropic-beta", b"one")]}
    return await ClaudeOnVertexSpeech().read(json.dumps(body).encode(), scope, Client())


def test_anthropics_own_client_is_answered(client: AnthropicVertex, provider: Provider) -> None:
    provider.acts["small"] = says("Good day", tokens=(12, 3))
    message = client.messages.create(model="small", max_tokens=64, messages=HELLO)
    assert [block.text for block in message.content if block.type == "text"] == ["Good day"]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 3)


def test_it_streams(client: AnthropicVertex, provider: Provider) -> None:
    provider.acts["small"] = says("Good day")
    with client.messages.stream(model="small", max_tokens=64, messages=HELLO) as stream:
        assert stream.get_final_text() == "Good day"


def test_it_counts(client: AnthropicVertex, provider: Provider) -> None:
    before = len(provider.seen)
    assert client.messages.count_tokens(model="small", messages=HELLO).input_tokens > 0
    assert len(provider.seen) == before


def test_it_reads_the_errors(client: AnthropicVertex) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="none-such", max_tokens=64, messages=HELLO)


def test_a_policy_and_a_provider_may_be_named_in_the_path(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("Good day")
    assert ask(gateway.url, "stepwise").headers["x-tierwise-model"] == "small"
    assert ask(gateway.url, "alpha/small").headers["x-tierwise-deployment"] == "alpha/small"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("model", {"model": "small"}),
        ("stream", {"stream": True}),
        ("anthropic_beta", {"anthropic_beta": "one"}),
        ("messages", {"messages": 5}),
    ],
)
def test_what_is_wrong_is_named(
    gateway: RunningGateway, field: str, changes: dict[str, Any]
) -> None:
    reply = ask(gateway.url, **changes)
    assert (reply.status, reply.json["type"]) == (400, "error")
    assert f"`{field}" in reply.json["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"\xff": 1}'])
def test_a_body_that_is_no_object_is_refused(gateway: RunningGateway, body: bytes) -> None:
    reply = call(gateway.url, "POST", f"{WHERE}/small:rawPredict", body)
    assert (reply.status, reply.json["type"]) == (400, "error")


def test_it_is_asked_by_post_and_with_a_key(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", f"{WHERE}/small:rawPredict")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    reply = call(gateway.url, "POST", f"{WHERE}/small:rawPredict", {}, key="wrong")
    assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")


async def test_an_own_provider_gets_messages_as_it_knows_them() -> None:
    task = (await read(anthropic_version="vertex-2023-10-16", anthropic_beta=["two", "one"])).task
    assert (task.model, task.stream, task.betas) == ("m", False, ("one", "two"))
    assert b"anthropic_" not in task.body
    task = (await read("streamRawPredict")).task
    assert task.stream
    assert b'"stream":true' in task.body


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (
            f"{WHERE}/claude-sonnet-4@20250514:rawPredict",
            ("claude-sonnet-4@20250514", "rawPredict"),
        ),
        (f"{WHERE}/a/b:streamRawPredict", ("a/b", "streamRawPredict")),
        (WHERE.replace("v1", "v1beta1") + "/m:rawPredict", ("m", "rawPredict")),
        (f"{WHERE}/count-tokens:rawPredict", None),
        (f"{WHERE}/m:predict", None),
        (f"{WHERE}/:rawPredict", None),
        ("/v1/projects/p/publishers/anthropic/models/m:rawPredict", None),
        (WHERE.replace("anthropic", "google") + "/m:rawPredict", None),
    ],
)
def test_paths_name_the_model_and_how_it_answers(path: str, found: tuple[str, str] | None) -> None:
    assert claude_in(path) == found
