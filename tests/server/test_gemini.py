"""Clients of Gemini's generateContent, before a provider of another dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_task
from gateway import KEY, Body, Provider, Reply, RunningGateway, call, fails, pauses, says
from tierwise.server.google import ArrayExchange, GeminiSpeech

OWN = {"x-goog-api-key": KEY}


def ask(
    url: str,
    method: str = "generateContent",
    model: str = "small",
    text: str = "Hello",
    **rest: Any,
) -> Reply:
    query = rest.pop("query", "")
    headers = rest.pop("headers", OWN)
    root = rest.pop("root", "/v1beta/models")
    body = {"contents": [{"role": "user", "parts": [{"text": text}]}], **rest}
    return call(url, "POST", f"{root}/{model}:{method}{query}", body, key=None, headers=headers)


def text_of(answers: list[Body]) -> str:
    return "".join(
        part.get("text", "")
        for answer in answers
        for candidate in answer.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    )


def error_of(reply: Reply) -> Body:
    """The error in Google's shape; fails if there is none."""
    error: Body = reply.json["error"]
    assert error.keys() >= {"code", "message", "status"}
    assert error["code"] == reply.status
    return error


@pytest.mark.parametrize("root", ["/v1beta/models", "/v1/models"])
def test_content_is_generated(gateway: RunningGateway, provider: Provider, root: str) -> None:
    provider.acts["small"] = says("Good day", tokens=(12, 3))
    reply = ask(gateway.url, root=root)
    assert (reply.status, text_of([reply.json])) == (200, "Good day")
    assert reply.json["candidates"][0]["finishReason"] == "STOP"
    assert reply.json["usageMetadata"]["promptTokenCount"] == 12
    assert reply.headers["x-tierwise-model"] == "small"


@pytest.mark.parametrize(
    ("headers", "query"), [({}, f"?key={KEY}"), ({"authorization": f"Bearer {KEY}"}, "")]
)
def test_keys_come_in_other_ways_too(
    gateway: RunningGateway, headers: dict[str, str], query: str
) -> None:
    assert ask(gateway.url, headers=headers, query=query).status == 200


def test_a_key_that_is_no_text_is_a_wrong_key(gateway: RunningGateway) -> None:
    reply = ask(gateway.url, headers={}, query="?key=%ff&alt=%ff")
    assert (reply.status, error_of(reply)["status"]) == (401, "UNAUTHENTICATED")


def test_a_policy_may_be_named_as_a_model(gateway: RunningGateway) -> None:
    reply = ask(gateway.url, model="stepwise")
    assert (reply.status, reply.headers["x-tierwise-model"]) == (200, "small")


def test_a_model_at_a_provider_may_be_named(gateway: RunningGateway) -> None:
    reply = ask(gateway.url, model="alpha/large")
    assert (reply.status, reply.headers["x-tierwise-deployment"]) == (200, "alpha/large")


def test_a_stream_of_events(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = says("one two three", tokens=(12, 3))
    reply = ask(gateway.url, "streamGenerateContent", query="?alt=sse")
    assert reply.headers["content-type"].startswith("text/event-stream")
    blocks = [one for one in reply.body.decode().replace("\r\n", "\n").split("\n\n") if one]
    answers = [json.loads(one.removeprefix("data: ")) for one in blocks]
    assert text_of(answers) == "one two three"
    assert answers[-1]["usageMetadata"]["candidatesTokenCount"] == 3


def test_a_stream_is_one_array_unless_events_are_asked_for(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("one two three")
    reply = ask(gateway.url, "streamGenerateContent")
    assert reply.headers["content-type"].startswith("application/json")
    assert isinstance(reply.json, list)
    assert text_of(reply.json) == "one two three"


@pytest.mark.parametrize("query", ["", "?alt=sse"])
def test_a_stream_that_breaks_says_so(
    gateway: RunningGateway, provider: Provider, query: str
) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    provider.release.set()
    headers = {**OWN, "x-tierwise-on-stream-break": "fail"}
    reply = ask(gateway.url, "streamGenerateContent", query=query, headers=headers)
    if query:
        blocks = [one for one in reply.body.decode().replace("\r\n", "\n").split("\n\n") if one]
        last = json.loads(blocks[-1].partition("data: ")[2])
    else:
        last = reply.json[-1]
    assert reply.status == 200
    assert last["error"].keys() >= {"code", "message", "status"}


@pytest.mark.parametrize(
    ("status", "word", "asked"),
    [
        (401, "UNAUTHENTICATED", {"headers": {"x-goog-api-key": "wrong"}}),
        (404, "NOT_FOUND", {"model": "none-such"}),
        (400, "INVALID_ARGUMENT", {"contents": 5}),
    ],
)
def test_errors_have_googles_shape(
    gateway: RunningGateway, status: int, word: str, asked: Body
) -> None:
    reply = ask(gateway.url, **asked)
    assert (reply.status, error_of(reply)["status"]) == (status, word)


def test_an_unknown_method_is_no_path(gateway: RunningGateway) -> None:
    reply = ask(gateway.url, "batchGenerateContent")
    assert (reply.status, error_of(reply)["status"]) == (404, "NOT_FOUND")
    assert "`:embedContent`" in error_of(reply)["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "call_of", ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]
)
def test_what_is_asked_in_another_way_is_no_name_of_a_model(
    gateway: RunningGateway, method: str, call_of: str
) -> None:
    reply = call(gateway.url, method, f"/v1beta/models/auto:{call_of}")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert error_of(reply)


def test_spent_paths_say_when_to_come_back(gateway: RunningGateway, provider: Provider) -> None:
    provider.acts["small"] = fails(429, {"message": "slow down"}, {"retry-after": "7"})
    reply = ask(gateway.url)
    assert (reply.status, error_of(reply)["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert 1 <= int(reply.headers["retry-after"]) <= 7


def test_tokens_are_counted(gateway: RunningGateway, provider: Provider) -> None:
    plain = ask(gateway.url, "countTokens", text="word " * 1000)
    contents = [{"role": "user", "parts": [{"text": "word " * 1000}]}]
    inner = {"model": "models/small", "contents": contents}
    path = "/v1beta/models/small:countTokens"
    wrapped = call(
        gateway.url, "POST", path, {"generateContentRequest": inner}, key=None, headers=OWN
    )
    assert 800 < plain.json["totalTokens"] < 2000
    assert wrapped.json["totalTokens"] == pytest.approx(plain.json["totalTokens"], rel=0.1)
    assert not provider.seen


@pytest.mark.parametrize("root", ["/v1beta/models", "/v1/models"])
def test_models_are_listed_page_by_page(gateway: RunningGateway, root: str) -> None:
    first = call(gateway.url, "GET", f"{root}?pageSize=2", key=None, headers=OWN).json
    path = f"{root}?pageToken={first['nextPageToken']}"
    rest = call(gateway.url, "GET", path, key=None, headers=OWN).json
    names = [one["name"] for one in first["models"] + rest["models"]]
    assert len(first["models"]) == 2
    assert {"models/auto", "models/small", "models/large"} <= set(names)
    assert "generateContent" in first["models"][0]["supportedGenerationMethods"]
    one = call(gateway.url, "GET", f"{root}/small", key=None, headers=OWN)
    assert one.json["name"] == "models/small"
    none = call(gateway.url, "GET", f"{root}/none-such", key=None, headers=OWN)
    assert (none.status, error_of(none)["status"]) == (404, "NOT_FOUND")


def test_a_stream_without_an_event_is_an_empty_array() -> None:
    exchange = ArrayExchange(GeminiSpeech(), a_task())
    assert json.loads(exchange.ended()) == []
